"""``store``: the built-in store, a folder per index under the data folder.

Not part of Logstash. ``ingestd indices``, ``search`` and ``top`` read it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingestd import metrics
from ingestd.event.index_name import namer
from ingestd.event.record import Batch
from ingestd.event.sprintf import Template
from ingestd.logs import get_logger
from ingestd.plugins.registry import BuildContext, DeadLetters, Touch, option, plugin
from ingestd.stores.base import DocumentsRefusedError, InvalidIndexError, StoreError
from ingestd.stores.local.layout import store_root
from ingestd.stores.local.writer import LocalWriter

log = get_logger(__name__)

_RETRY_SECONDS = 1.0
Rows = dict[str, tuple[list[bytes], list[str]]]
"""For each index its documents and their ids, in order."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the output ``store``."""

    index: Template = option(Template("logstash-%{+YYYY.MM.dd}"), "The index of an event; may hold %{field}.")


def touches(opts: Options) -> Touch:
    """Return the fields that the index name is made of."""
    return Touch(reads=opts.index.reads)


class StoreOutput:
    """Appends documents to the indices of the built-in store."""

    concurrency = 1
    batch_bytes = 4 << 20

    def __init__(self, opts: Options, context: BuildContext) -> None:
        self._names = namer(opts.index)
        self._root = store_root(context.settings.data_dir)
        self._dead_letters: DeadLetters = context.dead_letters
        self._plugin_id = context.plugin_id
        self._writer_id = _writer_id(context)
        self._unchecked = 2 * self.batch_bytes
        self._stored: dict[str, set[str]] = {}

    async def open(self) -> None:
        """Open the store and mend what a crash left.

        Raises:
            OSError: The folder cannot be used, or another daemon writes there.
        """
        try:
            self._writer = LocalWriter(self._root, self._writer_id)
        except StoreError as error:
            raise OSError(str(error)) from error
        for repair in self._writer.repairs:
            log.warning("the end of a tail was torn by a crash and is kept aside", kept=repair.kept, bytes=repair.size)

    def prepare(self, batch: Batch) -> Rows:
        """Return the documents and ids of each index."""
        names, documents, ids = self._names(batch.fields()), batch.documents(), batch.ids()
        if len(set(names)) == 1:
            return {names[0]: (documents, ids)}
        rows: Rows = {}
        for name, document, one in zip(names, documents, ids, strict=True):
            row = rows.setdefault(name, ([], []))
            row[0].append(document)
            row[1].append(one)
        return rows

    async def deliver(self, loads: Sequence[Rows]) -> None:
        """Append all documents, then make sure that they are on the disk."""
        together: Rows = {}
        for load in loads:
            for index, (documents, ids) in load.items():
                row = together.setdefault(index, ([], []))
                row[0].extend(documents)
                row[1].extend(ids)
        for index, (documents, ids) in together.items():
            if self._unchecked > 0:
                documents, ids = await asyncio.to_thread(self._new_ones, index, documents, ids)  # noqa: PLW2901
            await self._append(index, documents, ids)
        await self._retried(self._writer.sync)

    def _new_ones(self, index: str, documents: list[bytes], ids: list[str]) -> tuple[list[bytes], list[str]]:
        """Return the documents that are not in the index yet.

        A crash between append and commit makes the last load come again. It was no larger than ``batch_bytes``,
        so only the first documents after the start are looked at.
        """
        self._unchecked -= sum(map(len, documents))
        if index not in self._stored:
            try:
                self._stored[index] = self._writer.last_ids(index, 4 * self.batch_bytes)
            except StoreError as error:
                log.warning("what a crash left cannot be looked at; some events may be stored twice", error=error)
                self._stored[index] = set()
        stored = self._stored[index]
        new = [position for position, one in enumerate(ids) if one not in stored]
        if self._unchecked <= 0:
            self._stored.clear()
        return [documents[position] for position in new], [ids[position] for position in new]

    async def _append(self, index: str, documents: list[bytes], ids: list[str]) -> None:
        """Append to one index; what it will never take becomes dead letters."""
        while documents:
            try:
                await self._retried(lambda: self._writer.append(index, documents, ids))  # noqa: B023 -- awaited here
                return
            except InvalidIndexError as error:
                self._refuse(index, documents, ids, str(error))
                return
            except DocumentsRefusedError as error:
                refused = set(error.positions)
                chosen = sorted(refused)
                self._refuse(index, [documents[n] for n in chosen], [ids[n] for n in chosen], error.reason)
                kept = [n for n in range(len(documents)) if n not in refused]
                documents, ids = [documents[n] for n in kept], [ids[n] for n in kept]

    async def _retried(self, action: Callable[[], None]) -> None:
        """Run ``action`` in a thread until the disk lets it through: full disks are emptied, by somebody."""
        while True:
            try:
                await asyncio.to_thread(action)
                return
            except (InvalidIndexError, DocumentsRefusedError):
                raise
            except StoreError as error:
                log.error("the store cannot be written; inputs wait until it can", output=self._plugin_id, error=error)
                metrics.REQUESTS_RETRIED.add(1, self._plugin_id, "disk")
                await asyncio.sleep(_RETRY_SECONDS)

    def _refuse(self, index: str, documents: list[bytes], ids: list[str], reason: str) -> None:
        for document, one in zip(documents, ids, strict=True):
            self._dead_letters.add(
                stage="output", reason=reason, raw=document, plugin=self._plugin_id, event_id=one, index=index
            )

    async def close(self) -> None:
        """Close the store."""
        await asyncio.to_thread(self._writer.close)


def _writer_id(context: BuildContext) -> str:
    """Return a name of our own for each output of each process that writes to the store."""
    own = "" if context.plugin_id == "store_0" else re.sub(r"[^a-z0-9_]", "_", "_" + context.plugin_id.lower())
    return (context.writer_id + own)[:32]


@plugin("output", "store", Options, touches=touches)
def build(opts: Options, context: BuildContext) -> StoreOutput:
    """The built-in store: daily indices on this machine, nothing else to install."""
    return StoreOutput(opts, context)
