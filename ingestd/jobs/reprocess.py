"""Runs stored events through the filters of a config once more; they keep their ids.

Fields that filters have set stay unless they are set again; failure tags of filters are removed first. Events that the
filters drop now are left out, copies that they make get ids of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ingestd.compiler.pipeline import Pipeline
from ingestd.event.fields import Event
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.event.table import Table
from ingestd.event.tally import Tally

_BATCH = 500


@dataclass(slots=True)
class Counts:
    """``read`` events, of which ``dropped`` now; ``failed`` have a failure tag now, ``were_failed`` had one before."""

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

    def run(self, stored: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        """Yield id and new document of each event of ``stored``, and of those that filters make of it."""
        batch: list[tuple[str, bytes]] = []
        for id_and_document in stored:
            batch.append(id_and_document)
            if len(batch) == _BATCH:
                yield from self._batch(batch)
                batch = []
        if batch:
            yield from self._batch(batch)

    def _batch(self, stored: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        keys: list[str] = []
        events: list[Event] = []
        for event_id, document in stored:
            try:
                event = loads(document)
            except NotJsonError:  # nested too deeply for the parser
                yield event_id, document
                continue
            self.counts.were_failed += _has_failed(event)
            _forget_failures(event)
            keys.append(event_id)
            events.append(event)
        table = Table.of_events(events, keys)
        routes = self._pipeline.process(table, None, time.time_ns(), Tally())
        found = [*dict.fromkeys(row for rows in routes for row in rows)]
        ids = [str(table.keys[row]) for row in found]
        self.counts.read += len(stored)
        self.counts.dropped += len(set(keys) - {*ids})
        self.counts.failed += sum(_has_failed(table.whole(row)) for row in found)
        self.counts.written += len(found)
        yield from zip(ids, table.documents(found), strict=True)
        self._progress(self.counts.read)


def _is_failure(tag: object) -> bool:
    return isinstance(tag, str) and tag.startswith("_") and "failure" in tag


def _has_failed(event: Event) -> bool:
    tags = event.get("tags")
    return isinstance(tags, list) and any(map(_is_failure, tags))


def _forget_failures(event: Event) -> None:
    if _has_failed(event):
        left = [tag for tag in event["tags"] if not _is_failure(tag)]
        if left:
            event["tags"] = left
        else:
            del event["tags"]
