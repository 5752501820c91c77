"""A running pipeline in front of a disk that refuses, and lines that are no frames."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingestd.dead_letters.dead_letter import DeadLetter
from ingestd.dead_letters.pipeline import PipelineDeadLetters
from ingestd.dead_letters.reader import DeadLetterReader
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.event.chunk import Chunk, Stream
from ingestd.event.record import Batch
from ingestd.event.tally import Tally
from ingestd.journal.base import JournalError, Position, RecordQueue
from ingestd.journal.journal import Journal
from ingestd.journal.memory import MemoryJournal
from ingestd.pipeline import pipeline as module
from ingestd.pipeline.pipeline import RunningPipeline
from ingestd.plugins.interfaces import Prepared
from ingestd.settings import Settings
from tests.conformance.running import FRAME, build

STREAM = Stream("o", {"host": "h"})


class Output:
    """Keeps the documents."""

    concurrency = 1
    batch_bytes = 1000

    def __init__(self) -> None:
        self.documents: list[bytes] = []

    async def open(self) -> None:
        pass

    def prepare(self, batch: Batch) -> Prepared[list[bytes]]:
        return Prepared(batch.documents())

    async def deliver(self, payloads: Sequence[list[bytes]]) -> None:
        self.documents += [document for payload in payloads for document in payload]

    async def close(self) -> None:
        pass


class Life:
    """A running pipeline whose input is the test."""

    def __init__(self, folder: Path, journal: RecordQueue) -> None:
        built, self.output, settings = build(FRAME % ""), Output(), Settings()
        settings = replace(settings, journal=replace(settings.journal, sync_interval=0.01))
        route = [replace(built.routes[0][0], output=self.output)]
        self.input, self.journal = built.inputs[0], journal
        self.folder = folder / "dead"
        self.files = DeadLetterWriter(self.folder, 1 << 20, time.time)
        letters = PipelineDeadLetters(self.files, "main", "c0", journal)
        pipeline = replace(built, routes=[route])
        self.running = RunningPipeline("main", pipeline, journal, settings, letters, first=False)

    def reject(self, offset: int | None) -> None:
        self.running.reject(b"head", "too long", STREAM, self.input, 5000, offset)

    def put(self, data: bytes, offset: int = 0) -> bool:
        chunk = Chunk("stdin_0", *STREAM, offset, time.time_ns(), data.count(b"\n"), data)
        return self.running.put(chunk, self.input)

    def there(self) -> list[DeadLetter]:
        return [line.dead_letter for line in DeadLetterReader(self.folder).read() if line.dead_letter is not None]

    @property
    def tally(self) -> Tally:
        [days] = self.journal.committed("stdout_0")[1]["days"].values()
        return Tally.of(days["stdin_0"])


@asynccontextmanager
async def life(folder: Path, journal: RecordQueue) -> AsyncIterator[Life]:
    one = Life(folder, journal)
    await one.running.start()
    try:
        yield one
        async with asyncio.timeout(30):
            await one.running.drain()
    finally:
        await one.running.close()
        one.files.close()


async def test_a_rejected_line_is_a_letter_once(tmp_path: Path) -> None:
    """Whoever reads its connection next begins behind it; should it come again all the same, it is known."""
    async with life(tmp_path, Journal(tmp_path / "journal")) as one:
        one.reject(100)
    async with life(tmp_path, Journal(tmp_path / "journal")) as one:
        assert one.journal.ends()["o"] == 5101
        one.reject(100)
        one.reject(5101)
    assert [letter.offset for letter in one.there()] == [100, 5101]


async def test_a_line_of_a_stream_that_nobody_reads_again(tmp_path: Path) -> None:
    async with life(tmp_path, MemoryJournal()) as one:
        one.reject(None)
        one.reject(None)
    assert len(one.there()) == 2
    assert (one.tally.received, one.tally.dead, one.tally.difference) == (2, 2, 0)


async def test_the_event_behind_a_rejected_line_keeps_its_bytes(tmp_path: Path) -> None:
    journal = MemoryJournal()
    async with life(tmp_path, journal) as one:
        one.reject(0)
        assert one.put(b'{"n":1}\n', 5001)
        letters = PipelineDeadLetters(one.files, "main", "c0", journal)
        letters.add(stage="output", reason="no", raw=b"{}", plugin="stdout_0", event_id=f"o-{5001:012x}")
        assert one.there()[1].content == b'{"n":1}\n'


class Refusing(MemoryJournal):
    """A journal on a disk that is full for a time."""

    refuses = False
    refused = 0

    def append(self, chunks: Sequence[Chunk]) -> Position:
        if self.refuses:
            self.refused += 1
            raise JournalError("no space")
        return super().append(chunks)


async def test_a_disk_that_refuses_is_asked_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at every sync, and it is told once."""
    monkeypatch.setattr(module, "_DISK_RETRY_SECONDS", 0.2)
    caplog.set_level("INFO")
    journal = Refusing()
    async with life(tmp_path, journal) as one:
        journal.refuses = True
        begin = time.monotonic()

        async def feed() -> None:
            while not one.put(b'{"n":1}\n'):
                await one.running.room()

        feeding = asyncio.create_task(feed())
        while journal.refused < 4:  # noqa: ASYNC110 -- what is waited for happens in other modules
            await asyncio.sleep(0.01)
        assert time.monotonic() - begin >= 0.6
        journal.refuses = False
        await asyncio.wait_for(feeding, 30)
    assert len(one.output.documents) == 1
    told = [record.getMessage() for record in caplog.records if "journal" in record.getMessage()]
    assert told == ["the journal cannot be written; inputs wait until it can", "the journal can be written again"]


async def test_the_ledger_of_a_chunk_with_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with life(tmp_path, MemoryJournal()) as one:
        decode = one.input.codec.decode

        def faulty(chunk: Chunk) -> Any:
            if b"omen" in chunk.data:
                raise RecursionError("too deep")
            return decode(chunk)

        monkeypatch.setattr(type(one.input.codec), "decode", lambda self, chunk: faulty(chunk))
        data = b"".join(b'{"n":%d}\n' % n if n != 3 else b'{"n":3,"bad":"omen"}\n' for n in range(6))
        assert one.put(data)
    assert len(one.output.documents) == 5
    assert [letter.content for letter in one.there()] == [b'{"n":3,"bad":"omen"}\n']
    assert (one.tally.received, one.tally.delivered, one.tally.dead, one.tally.difference) == (6, 5, 1, 0)
