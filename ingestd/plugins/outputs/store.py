"""``store``: the built-in store, a folder per index under the data folder.

Not part of Logstash. ``ingestd indices``, ``search`` and ``top`` read it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingestd import metrics
from ingestd.dead_letters.base import DeadLetters
from ingestd.event.record import Batch
from ingestd.event.sprintf import Template
from ingestd.logs import Outage, get_logger
from ingestd.names import store_writer_id
from ingestd.plugins.interfaces import Outcome
from ingestd.plugins.outputs._fates import Fates
from ingestd.plugins.outputs._naming import Naming
from ingestd.plugins.registry import BuildContext, Touch, option, plugin
from ingestd.stores.base import DocumentsRejectedError, InvalidIndexError, StoreError
from ingestd.stores.local.files.layout import store_root
from ingestd.stores.local.files.writer import LocalWriter

log = get_logger(__name__)

_RETRY_SECONDS = 1.0
Rows = dict[str, tuple[list[bytes], list[str]]]
"""For each index its documents and their ids, in order."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the output ``store``."""

    index: Template = option(Template("logstash-%{+YYYY.MM.dd}"), "The index of an event; may hold %{field}.")
    index_timezone: str = option("", "Time zone of the days in `index`; default: the setting index_timezone.")


def touches(opts: Options) -> Touch:
    """Return the fields that the index name is made of."""
    return Touch(reads=opts.index.reads)


@dataclass(frozen=True, slots=True)
class _Part:
    """The documents of all loads for one index, their ids, and for each the number of the load it came with."""

    index: str
    documents: list[bytes]
    ids: list[str]
    loads: list[int]

    def pick(self, positions: Sequence[int]) -> _Part:
        """Return some of the documents."""
        if len(positions) == len(self.ids):
            return self
        documents, ids, loads = self.documents, self.ids, self.loads
        chosen = [documents[n] for n in positions], [ids[n] for n in positions], [loads[n] for n in positions]
        return _Part(self.index, *chosen)


class StoreOutput:
    """Appends documents to the indices of the built-in store."""

    concurrency = 1
    batch_bytes = 4 << 20

    def __init__(self, opts: Options, context: BuildContext) -> None:
        self._naming = Naming(opts.index, opts.index_timezone, context)
        self._root = store_root(context.settings.data_dir)
        self._dead_letters: DeadLetters = context.dead_letters
        self._plugin_id = context.plugin_id
        self.writer_id = store_writer_id(context.writer_id, context.plugin_id)
        self._unchecked = 2 * self.batch_bytes
        self._stored: dict[str, set[str]] = {}
        text = "the store cannot be written; inputs wait until it can"
        self._disk_refuses = Outage(log.error, text, log.info, "the store can be written again")

    async def open(self) -> None:
        """Open the store and mend what a crash left.

        Raises:
            OSError: The folder cannot be used, or another daemon writes there.
        """
        try:
            self._writer = LocalWriter(self._root, self.writer_id)
        except StoreError as error:
            raise OSError(str(error)) from error
        for repair in self._writer.repairs:
            text = "an incomplete line at the end of an append log was moved to a file of its own"
            log.warning(text, kept=repair.kept, bytes=repair.size)

    def prepare(self, batch: Batch) -> Rows:
        """Return the documents and ids of each index."""
        batch, names = self._naming(batch)
        documents, ids = batch.documents(), batch.ids()
        if len(set(names)) == 1:
            return {names[0]: (documents, ids)}
        rows: Rows = {}
        for name, document, one in zip(names, documents, ids, strict=True):
            row = rows.setdefault(name, ([], []))
            row[0].append(document)
            row[1].append(one)
        return rows

    async def deliver(self, loads: Sequence[Rows]) -> list[Outcome]:
        """Append all documents, then make sure that they are on the disk."""
        counts = [{index: len(ids) for index, (_, ids) in load.items()} for load in loads]
        fates = Fates([sum(one.values()) for one in counts], counts)
        together: dict[str, _Part] = {}
        for number, load in enumerate(loads):
            for index, (documents, ids) in load.items():
                part = together.setdefault(index, _Part(index, [], [], []))
                part.documents.extend(documents)
                part.ids.extend(ids)
                part.loads.extend([number] * len(ids))
        for part in together.values():
            if self._unchecked > 0:
                part = await asyncio.to_thread(self._new_ones, part, fates)  # noqa: PLW2901
            await self._append(part, fates)
        await self._retried(self._writer.sync)
        return fates.outcomes()

    def _new_ones(self, part: _Part, fates: Fates) -> _Part:
        """Return the documents that are not in the index yet.

        A crash between append and commit makes the last load come again. It was no larger than ``batch_bytes``,
        so only the first documents after the start are looked at.
        """
        self._unchecked -= sum(map(len, part.documents))
        if part.index not in self._stored:
            try:
                self._stored[part.index] = self._writer.last_ids(part.index, 4 * self.batch_bytes)
            except StoreError as error:
                log.warning("what a crash left cannot be looked at; some events may be stored twice", error=error)
                self._stored[part.index] = set()
        stored = self._stored[part.index]
        new = [position for position, one in enumerate(part.ids) if one not in stored]
        if len(new) < len(part.ids):
            for load, one in zip(part.loads, part.ids, strict=True):
                if one in stored:
                    fates.duplicate(load, part.index)
        if self._unchecked <= 0:
            self._stored.clear()
        return part.pick(new)

    async def _append(self, part: _Part, fates: Fates) -> None:
        """Append to one index; what it will never take becomes dead letters."""
        while part.documents:
            try:
                documents, ids = part.documents, part.ids
                await self._retried(lambda: self._writer.append(part.index, documents, ids))  # noqa: B023 -- awaited here
                return
            except InvalidIndexError as error:
                self._refuse(part, str(error), fates)
                return
            except DocumentsRejectedError as error:
                refused = set(error.positions)
                self._refuse(part.pick(sorted(refused)), error.reason, fates)
                part = part.pick([n for n in range(len(part.ids)) if n not in refused])

    async def _retried(self, action: Callable[[], None]) -> None:
        """Run ``action`` in a thread until the disk lets it through: full disks are emptied, by somebody."""
        while True:
            try:
                await asyncio.to_thread(action)
                self._disk_refuses.ended(output=self._plugin_id)
                return
            except (InvalidIndexError, DocumentsRejectedError):
                raise
            except StoreError as error:
                self._disk_refuses.goes_on(output=self._plugin_id, error=error)
                metrics.REQUESTS_RETRIED.add(1, self._plugin_id, "disk")
                await asyncio.sleep(_RETRY_SECONDS)

    def _refuse(self, part: _Part, reason: str, fates: Fates) -> None:
        plugin_id, index = self._plugin_id, part.index
        for document, one, load in zip(part.documents, part.ids, part.loads, strict=True):
            self._dead_letters.add(
                stage="output", reason=reason, raw=document, plugin=plugin_id, event_id=one, index=index
            )
            fates.dead(load, index)

    async def close(self) -> None:
        """Close the store."""
        await asyncio.to_thread(self._writer.close)


@plugin("output", "store", Options, touches=touches)
def build(opts: Options, context: BuildContext) -> StoreOutput:
    """The built-in store: daily indices on this machine, nothing else to install."""
    return StoreOutput(opts, context)
