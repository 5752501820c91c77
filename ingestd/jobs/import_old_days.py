"""Days older than retention keeps that are stored by hand: announced before, then spared for a while.

Without that, the next night would delete what was imported, or replayed from dead letters. The indices count as
restored, so they stay for ``restore.keep``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from ingestd.event.batch import Batch
from ingestd.event.tally import Tally
from ingestd.logs import get_logger
from ingestd.plugins.interfaces import Output, Prepared

log = get_logger(__name__)


@dataclass(slots=True)
class OldDays:
    """The indices of an import or a replay that are older than retention keeps.

    Attributes:
        is_old: Whether retention would delete an index of this name because of its age.
        announce: Called with the first of them, before anything is stored in it.
        indices: All that were stored so far.
    """

    is_old: Callable[[str], bool]
    announce: Callable[[str], None]
    indices: set[str] = field(default_factory=set)
    _young: set[str] = field(default_factory=set)

    def new_among(self, names: Iterable[str]) -> list[str]:
        """Return the old indices that had no event yet, and announce the first of all."""
        names = sorted({*names} - self._young - self.indices)
        old = [name for name in names if self.is_old(name)]
        self._young.update(set(names) - set(old))
        if old and not self.indices:
            self.announce(old[0])
        self.indices.update(old)
        return old


class _WithIndices(Protocol):
    @property
    def indices(self) -> Sequence[str]: ...


P = TypeVar("P", bound=_WithIndices)


class KeepOldDays(Generic[P]):
    """The output ``inner``, which stores indices; those that are too old count as restored.

    Args:
        old_days: Shared by the outputs of a command.
        mark: Makes an index that exists count as restored. Raises StoreError.
    """

    def __init__(self, inner: Output[P], old_days: OldDays, mark: Callable[[str], None]) -> None:
        self._inner, self._old_days, self._mark = inner, old_days, mark
        self._unmarked: set[str] = set()
        self.concurrency, self.batch_bytes = inner.concurrency, inner.batch_bytes

    async def open(self) -> None:
        """Open it; see ``Output``."""
        await self._inner.open()

    def prepare(self, batch: Batch) -> Prepared[P]:
        """Return the documents; see ``Output``."""
        return self._inner.prepare(batch)

    async def deliver(self, payloads: Sequence[P]) -> Sequence[Tally] | None:
        """Deliver, and mark the old indices that are new."""
        names = {index for payload in payloads for index in payload.indices}
        old = self._unmarked & names
        self._unmarked -= old
        old.update(self._old_days.new_among(names))
        try:
            tallies = await self._inner.deliver(payloads)
        except BaseException:  # it comes again
            self._unmarked |= old
            raise
        for index in sorted(old):
            try:
                await asyncio.to_thread(self._mark, index)
            except Exception as error:  # noqa: BLE001 -- the events are stored: no error may say that they are not
                text = "an old index could not be marked to stay: retention deletes it like any other"
                log.warning(text, index=index, error=error)
        return tallies

    async def close(self) -> None:
        """Close it; see ``Output``."""
        await self._inner.close()
