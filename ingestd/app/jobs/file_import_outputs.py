"""The outputs of an import or a replay: each event is stored once; days older than retention keeps stay for a while."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from ingestd.compiler.pipeline import BuiltOutput, Pipeline
from ingestd.event.batch import Batch
from ingestd.event.tally import Tally
from ingestd.jobs.import_old_days import KeepOldDays, OldDays
from ingestd.jobs.import_stored import SkipStored, StoredIds, stored_ids
from ingestd.lifecycle.build import rules
from ingestd.lifecycle.retention import next_deletion
from ingestd.plugins.interfaces import HandsOver, Prepared, Rejection
from ingestd.plugins.outputs.elasticsearch import ElasticsearchOutput
from ingestd.plugins.outputs.store import StoreOutput
from ingestd.settings import Settings
from ingestd.stores.backups import Backups
from ingestd.stores.base import IndexInfo
from ingestd.stores.index_names import day_of
from ingestd.stores.open import LOCAL, open_backups, open_store
from ingestd.stores.query import Query


class ImportOutputs:
    """Adapts the outputs of a pipeline.

    Args:
        settings: The data folder, and what retention keeps.
        streams: The streams to look up in the built-in store and the offset to start at, None: all streams.
        announce: See ``OldDays``.
    """

    def __init__(self, settings: Settings, streams: dict[str, int] | None, announce: Callable[[str], None]) -> None:
        self._settings, self._streams = settings, streams
        self._stored: StoredIds | None = None
        self._old_days = {
            builtin: OldDays(_age_test(settings, builtin_store=builtin), announce) for builtin in (True, False)
        }

    def routes(self, pipeline: Pipeline) -> list[list[BuiltOutput]]:
        """Return the outputs of each route."""
        return [[BuiltOutput(built.step, self._adapted(built.output)) for built in route] for route in pipeline.routes]

    @property
    def old_indices(self) -> list[str]:
        """What was stored although it is older than retention keeps, in order."""
        return sorted(set().union(*(days.indices for days in self._old_days.values())))

    def _adapted(self, output: Any) -> Any:
        if isinstance(output, StoreOutput):
            return self._store(output)
        if isinstance(output, ElasticsearchOutput):
            return KeepOldDays(output, self._old_days[False], lambda index: _mark_in_elastic(output, index))
        if isinstance(output, HandsOver):
            return RejectAll(_NOT_RUNNING)
        return output

    def _store(self, output: StoreOutput) -> Any:
        kept = KeepOldDays(output, self._old_days[True], self._mark)
        if self._streams == {}:
            return kept
        if self._stored is None:
            with closing(open_store(LOCAL, self._settings.data_dir)) as store:
                self._stored = stored_ids(store.search(Query(), 0), self._streams)
        return SkipStored(kept, self._stored)

    def _mark(self, index: str) -> None:
        with closing(open_backups(LOCAL, self._settings.data_dir)) as backups:
            backups.mark_restored(index)


_NOT_RUNNING = "it is for another pipeline, which only runs in the daemon: replay with a config that joins the two"


class RejectAll:
    """Stands for an output that cannot get anything here: events stay dead letters.

    Args:
        reason: Why, a sentence.
    """

    concurrency = 1
    batch_bytes = 1 << 20

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def open(self) -> None:
        """Do nothing."""

    def prepare(self, batch: Batch) -> Prepared[None]:
        """Reject every event."""
        found = zip(batch.documents(), batch.ids(), strict=True)
        return Prepared(None, 0, [Rejection(self._reason, document, event_id) for document, event_id in found])

    async def deliver(self, payloads: Sequence[None]) -> Sequence[Tally]:
        """Return that nothing is delivered."""
        return [Tally() for _ in payloads]

    async def close(self) -> None:
        """Do nothing."""


def _mark_in_elastic(output: ElasticsearchOutput, index: str) -> None:
    from ingestd.stores.elastic.backup.backups import ElasticBackups  # noqa: PLC0415 -- few imports need it

    backups: Backups = ElasticBackups(output.connection)
    with closing(backups):
        backups.mark_restored(index)


def _age_test(settings: Settings, *, builtin_store: bool) -> Callable[[str], bool]:
    """Return whether retention deletes an index of a name today because of its age."""
    kept, today = rules(settings, builtin_store=builtin_store), datetime.datetime.now(settings.index_zone).date()

    def is_old(index: str) -> bool:
        deletion = next_deletion(IndexInfo(index, day_of(index), 0, 0), kept)
        return deletion is not None and deletion <= today

    return is_old
