"""The index of each event, and which events have none: those whose name no store accepts,
those with a date that cannot be right."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from zoneinfo import ZoneInfo

from ingestd.event.batch import Batch
from ingestd.event.index_name import namer
from ingestd.event.sprintf import Template
from ingestd.plugins.interfaces import Rejection
from ingestd.plugins.outputs._index_limits import DateWindow, NewIndexLimit
from ingestd.plugins.registry import BuildContext
from ingestd.stores.base import InvalidIndexError
from ingestd.stores.index_names import check_index


class Naming:
    """Names the index of each event of an output.

    Args:
        index: The option ``index``.
        timezone: The option ``index_timezone``; empty: the daemon's setting.
        context: Of the output.
        check: Raises InvalidIndexError for a name that the store never accepts.
        exists: Returns whether there is an index of a name already.
        names: Names the index of each event instead of ``index``.

    Raises:
        ValueError: There is no such time zone.
    """

    def __init__(
        self,
        index: Template,
        timezone: str,
        context: BuildContext,
        check: Callable[[str], None] = check_index,
        exists: Callable[[str], bool] = lambda name: False,
        names: Callable[[Batch], list[str]] | None = None,
    ) -> None:
        self._check = check
        zone = _zone(timezone or context.settings.index_timezone)
        self._names = names or namer(index, zone)
        self._window = DateWindow(context.settings, zone or datetime.UTC)
        self._new_indices = NewIndexLimit(context.settings.new_indices_per_hour, exists)

    def __call__(self, batch: Batch) -> tuple[Batch, list[str], list[Rejection]]:
        """Return the events that have an index, the index of each, and the events that have none."""
        names = self._names(batch)
        received = batch.received_ns / 1e9
        refused = {name: why for name in dict.fromkeys(names) if (why := self._refusal(name, received))}
        if not refused:
            return batch, names, []
        rows = zip(names, batch.documents(), batch.ids(), strict=True)
        rejected = [Rejection(refused[name], raw, event_id, name) for name, raw, event_id in rows if name in refused]
        kept = [position for position, name in enumerate(names) if name not in refused]
        return batch.part(kept), [names[position] for position in kept], rejected

    def _refusal(self, name: str, received: float) -> str:
        """Return why no event received at a time, in seconds since the epoch, goes to an index; empty: they do."""
        if "%{" in name:  # as in Logstash
            return f"the event lacks a field of its index name {name}"
        try:
            self._check(name)
        except InvalidIndexError as error:
            return str(error)
        return self._window.refusal(name, received) or self._new_indices.refusal(name, received)


def _zone(name: str) -> datetime.tzinfo | None:
    if name in {"", "UTC"}:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # there is no such file, or it does not describe a time zone
        raise ValueError(f"index_timezone: there is no time zone {name!r}; write one like Asia/Seoul") from None
