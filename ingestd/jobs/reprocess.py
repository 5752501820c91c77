"""Runs stored events through the filters of a config once more; they keep their ids.

Fields that filters have set stay unless they are set again; failure tags of filters are removed first. Events that the
filters drop now are left out, copies that they make get ids of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ingestd.compiler.pipeline import Pipeline
from ingestd.event.failure_tags import forget_failures, has_failed
from ingestd.event.fields import Event
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.event.table import Table
from ingestd.event.tally import Tally
from ingestd.logs import get_logger

log = get_logger(__name__)

_BATCH = 500

_Stored = tuple[str, bytes]
"""Id and document of an event."""


@dataclass(slots=True)
class Counts:
    """``read`` events, of which ``dropped`` now; ``were_failed`` had a failure tag before.

    ``failed`` have one now, or could not be processed at all and stay as they are.
    """

    read: int = 0
    written: int = 0
    dropped: int = 0
    failed: int = 0
    were_failed: int = 0


class Reprocessing:
    """Runs events through the filters of a pipeline whose context says ``again``."""

    def __init__(self, pipeline: Pipeline, progress: Callable[[int], None] = lambda read: None) -> None:
        self._pipeline, self._progress = pipeline, progress
        self.counts = Counts()

    def run(self, stored: Iterable[_Stored]) -> Iterator[_Stored]:
        """Yield id and new document of each event of ``stored``, and of those that filters make of it."""
        batch: list[_Stored] = []
        for id_and_document in stored:
            batch.append(id_and_document)
            if len(batch) == _BATCH:
                yield from self._batch(batch)
                batch = []
        if batch:
            yield from self._batch(batch)

    def _batch(self, stored: list[_Stored]) -> Iterator[_Stored]:
        try:
            found = self._process(stored)
        except Exception:  # a defect of ours: the other events must continue
            log.exception("the filters failed on stored events; those at fault stay as they are")
            found = [pair for event in stored for pair in self._process_alone(event)]
        self.counts.read += len(stored)
        self.counts.written += len(found)
        yield from found
        self._progress(self.counts.read)

    def _process_alone(self, stored: _Stored) -> list[_Stored]:
        try:
            return self._process([stored])
        except Exception:  # noqa: BLE001 -- logged above
            self.counts.failed += 1
            return [stored]

    def _process(self, stored: list[_Stored]) -> list[_Stored]:
        """Return what becomes of events; counts nothing if it raises."""
        kept: list[_Stored] = []
        keys: list[str] = []
        events: list[Event] = []
        were_failed = 0
        for event_id, document in stored:
            try:
                event = loads(document)
            except NotJsonError:  # nested too deeply for the parser
                kept.append((event_id, document))
                continue
            were_failed += has_failed(event)
            forget_failures(event)
            keys.append(event_id)
            events.append(event)
        table = Table.of_events(events, keys)
        routes = self._pipeline.process(table, None, time.time_ns(), Tally())
        found = [*dict.fromkeys(row for rows in routes for row in rows)]
        ids = [str(table.keys[row]) for row in found]
        failed = sum(has_failed(table.whole(row)) for row in found)
        documents = [*kept, *zip(ids, table.documents(found), strict=True)]
        self.counts.dropped += len(set(keys) - {*ids})
        self.counts.failed += failed
        self.counts.were_failed += were_failed
        return documents
