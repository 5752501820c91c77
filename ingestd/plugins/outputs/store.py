"""``store``: the built-in store, a folder per index under the data folder.

Not part of Logstash. ``ingestd indices``, ``search`` and ``top`` read it.
"""

from __future__ import annotations

import asyncio
import datetime
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ingestd import metrics
from ingestd.dead_letters.base import DeadLetters
from ingestd.event.batch import Batch
from ingestd.event.payload import Payload, index_counts
from ingestd.event.sprintf import Template
from ingestd.event.tally import Tally
from ingestd.logs import Outage, get_logger
from ingestd.names import store_writer_id
from ingestd.plugins.interfaces import Prepared
from ingestd.plugins.outputs._index_check import index_warnings
from ingestd.plugins.outputs._naming import Naming
from ingestd.plugins.registry import BuildContext, Touch, option, plugin
from ingestd.stores.base import DocumentsRejectedError, InvalidIndexError, StoreError
from ingestd.stores.local.append_logs.writer import LocalWriter
from ingestd.stores.local.index.layout import store_root
from ingestd.tasks import BackgroundTasks

log = get_logger(__name__)

T = TypeVar("T")

_RETRY_SECONDS = 1.0
_CLOSE_SECONDS = 5.0
"""How often idle append logs are looked for."""


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
    """The documents of all payloads for one index, their ids, and for each the tally of its payload."""

    index: str
    documents: list[bytes]
    ids: list[str]
    tallies: list[Tally]

    def extend(self, payload: Payload, tally: Tally) -> None:
        """Add the documents of a payload."""
        self.documents.extend(payload.documents)
        self.ids.extend(payload.ids)
        self.tallies.extend([tally] * len(payload))

    def pick(self, positions: Sequence[int]) -> _Part:
        """Return some of the documents."""
        if len(positions) == len(self.ids):
            return self
        documents, ids, tallies = self.documents, self.ids, self.tallies
        chosen = [documents[n] for n in positions], [ids[n] for n in positions], [tallies[n] for n in positions]
        return _Part(self.index, *chosen)

    def not_delivered(self, position: int, *, dead: bool) -> None:
        """Note that a document is dead, or else was there already."""
        self.tallies[position].not_delivered(self.index, dead=dead)


class StoreOutput:
    """Appends documents to the indices of the built-in store."""

    concurrency = 1
    batch_bytes = 4 << 20

    def __init__(self, opts: Options, context: BuildContext) -> None:
        root = self._root = store_root(context.settings.data_dir)
        self._naming = Naming(opts.index, opts.index_timezone, context, exists=lambda name: _may_exist(root / name))
        self._dead_letters: DeadLetters = context.dead_letters
        self._plugin_id = context.plugin_id
        self.writer_id = store_writer_id(context.writer_id, context.plugin_id)
        self._seal_after = context.settings.seal_after
        self._tasks, self._writing = BackgroundTasks(f"output {context.plugin_id}"), asyncio.Lock()
        self._unchecked = 2 * self.batch_bytes
        self._stored: dict[str, set[str]] = {}
        self.repeats = False
        text = "the store cannot be written; inputs wait until it can"
        self._disk_refuses = Outage(log.error, text, log.info, "the store can be written again")

    async def open(self) -> None:
        """Open the store and repair what a crash left.

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
        self._tasks.keep_running("close idle append logs", self._close_idle)

    def prepare(self, batch: Batch) -> Prepared[Payload]:
        """Return the documents of ``batch``, and the events for which there is no index."""
        batch, names, rejected = self._naming(batch)
        payload = Payload(batch.documents(), list(batch.ids()), names)
        return Prepared(payload, payload.size, rejected)

    async def deliver(self, payloads: Sequence[Payload]) -> list[Tally]:
        """Append all documents, then make sure that they are on the disk."""
        tallies = [Tally(delivered=len(payload), indices=index_counts(payload.indices)) for payload in payloads]
        async with self._writing:
            try:
                await self._store(_parts(payloads, tallies))
            except Exception:  # a part of it may be stored, and will come again
                self._unchecked = 2 * self.batch_bytes
                self._stored.clear()
                raise
        return tallies

    async def _store(self, parts: Sequence[_Part]) -> None:
        for part in parts:
            check = self.repeats or self._unchecked > 0
            new = await asyncio.to_thread(self._new_ones, part) if check else part
            await self._append(new)
        await self._retried(self._writer.sync)

    def retry_reason(self) -> str:
        """Return what the disk refuses; see ``WithRetries``."""
        return self._disk_refuses.reason

    async def _close_idle(self) -> None:
        """Unlock idle append logs from time to time: the sealer takes only those that no writer holds."""
        while True:
            await asyncio.sleep(min(_CLOSE_SECONDS, max(0.1, self._seal_after / 4)))
            async with self._writing:
                now = datetime.datetime.now(datetime.UTC)
                try:
                    await asyncio.to_thread(self._writer.close_idle, self._seal_after, now)
                except StoreError as error:
                    self._disk_refuses.failed(output=self._plugin_id, error=error)

    def _new_ones(self, part: _Part) -> _Part:
        """Return the documents that are not in the index yet.

        After a crash between append and commit the last payloads come again. They were no larger than ``batch_bytes``,
        so only the first documents after the start are checked. If the positions in the journal were lost, all that was
        in it is checked.
        """
        self._unchecked -= sum(map(len, part.documents))
        stored = self._ids_in_index(part)
        new = [position for position, event_id in enumerate(part.ids) if event_id not in stored]
        if len(new) < len(part.ids):
            for position, event_id in enumerate(part.ids):
                if event_id in stored:
                    part.not_delivered(position, dead=False)
        if self._unchecked <= 0:
            self._stored.clear()
        return part.pick(new)

    def _ids_in_index(self, part: _Part) -> set[str]:
        try:
            if self.repeats:
                return self._writer.stored_ids(part.index, part.ids)
            if part.index not in self._stored:
                self._stored[part.index] = self._writer.last_ids(part.index, 4 * self.batch_bytes)
            return self._stored[part.index]
        except InvalidIndexError:  # reported when it is appended to
            return set()
        except StoreError as error:
            log.warning("what a crash left cannot be read; some events may be stored twice", error=error)
            return self._stored.setdefault(part.index, set())

    async def _append(self, part: _Part) -> None:
        """Append to one index; what it can never accept becomes dead letters."""
        while part.documents:
            try:
                documents, ids = part.documents, part.ids
                had = await self._retried(lambda: self._writer.append_new(part.index, documents, ids))  # noqa: B023 -- awaited here
                for position in had:
                    part.not_delivered(position, dead=False)
                return
            except InvalidIndexError as error:
                self._dead_letter(part, str(error))
                return
            except DocumentsRejectedError as error:
                refused = set(error.positions)
                self._dead_letter(part.pick(sorted(refused)), error.reason)
                part = part.pick([n for n in range(len(part.ids)) if n not in refused])

    async def _retried(self, action: Callable[[], T]) -> T:
        """Run ``action`` in a thread until the disk allows it: a full disk needs an operator."""
        while True:
            try:
                done = await asyncio.to_thread(action)
                self._disk_refuses.recovered(output=self._plugin_id)
                return done
            except (InvalidIndexError, DocumentsRejectedError):
                raise
            except StoreError as error:
                self._disk_refuses.failed(output=self._plugin_id, error=error)
                metrics.REQUESTS_RETRIED.add(1, self._plugin_id, "disk")
                await asyncio.sleep(_RETRY_SECONDS)

    def _dead_letter(self, part: _Part, reason: str) -> None:
        """Make dead letters of all documents of ``part``."""
        for position, (document, event_id) in enumerate(zip(part.documents, part.ids, strict=True)):
            self._dead_letters.add(
                stage="output", reason=reason, raw=document, plugin=self._plugin_id, event_id=event_id, index=part.index
            )
            part.not_delivered(position, dead=True)

    async def close(self) -> None:
        """Close the store."""
        async with self._writing:  # no thread uses the writer now
            await self._tasks.close()
            await asyncio.to_thread(self._writer.close)


def _may_exist(folder: Path) -> bool:
    """Return whether a folder exists, or cannot be looked at: that is for the delivery, which waits until it can."""
    try:
        return stat.S_ISDIR(folder.stat().st_mode)
    except (FileNotFoundError, ValueError):
        return False
    except OSError:
        return True


def _parts(payloads: Sequence[Payload], tallies: Sequence[Tally]) -> list[_Part]:
    """Return the documents of all payloads by index, in their order."""
    parts: dict[str, _Part] = {}
    for payload, tally in zip(payloads, tallies, strict=True):
        if len(tally.indices) == 1:
            [index] = tally.indices
            parts.setdefault(index, _Part(index, [], [], [])).extend(payload, tally)
            continue
        for index, document, event_id in zip(payload.indices, payload.documents, payload.ids, strict=True):
            part = parts.setdefault(index, _Part(index, [], [], []))
            part.documents.append(document)
            part.ids.append(event_id)
            part.tallies.append(tally)
    return list(parts.values())


@plugin("output", "store", Options, touches=touches, option_warnings=lambda opts: index_warnings(opts.index))
def build(opts: Options, context: BuildContext) -> StoreOutput:
    """The built-in store: daily indices on this machine; nothing else to install."""
    return StoreOutput(opts, context)
