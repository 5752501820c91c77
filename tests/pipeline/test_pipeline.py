"""A running pipeline in front of a disk that refuses, and lines that are no frames."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingestd import metrics
from ingestd.dead_letters.dead_letter import DeadLetter
from ingestd.dead_letters.pipeline import PipelineDeadLetters
from ingestd.dead_letters.reader import DeadLetterReader
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk, Stream
from ingestd.event.event_id import event_id
from ingestd.event.tally import Tally
from ingestd.journal.base import JournalError, Position, RecordQueue
from ingestd.journal.journal import Journal
from ingestd.journal.memory import MemoryJournal
from ingestd.pipeline import delivery
from ingestd.pipeline import pipeline as module
from ingestd.pipeline.pipeline import RunningPipeline
from ingestd.plugins.interfaces import Prepared
from ingestd.settings import Settings
from ingestd.tasks import TaskEndedError
from tests.conformance.running import FRAME, build
from tests.waiting import WAIT_SECONDS, eventually

STREAM = Stream("o", {"host": "h"})


class Output:
    """Keeps the documents; fails on those in ``poison`` with an odd error.

    ``alone``: when it has got these alone, one after the other, it hangs.
    """

    concurrency = 1
    batch_bytes = 1000

    def __init__(self) -> None:
        self.documents: list[bytes] = []
        self.poison: set[bytes] = set()
        self.alone: list[bytes] = []

    async def open(self) -> None:
        pass

    def prepare(self, batch: Batch) -> Prepared[list[bytes]]:
        return Prepared(batch.documents(), sum(map(len, batch.documents())))

    async def deliver(self, payloads: Sequence[list[bytes]]) -> None:
        documents = [document for payload in payloads for document in payload]
        if self.alone and documents == self.alone[:1]:
            del self.alone[0]
            if not self.alone:
                await asyncio.Event().wait()
        if self.poison.intersection(documents):
            raise KeyError("poison")
        self.documents += documents

    async def close(self) -> None:
        pass


class Input:
    """Reads nothing; fails when the test says so."""

    finite = False

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.error: Exception | None = None

    async def open(self) -> None:
        pass

    async def run(self, sink: object) -> None:
        await self.ended.wait()
        if self.error is not None:
            raise self.error

    def stop(self, mode: str) -> None:
        self.ended.set()


class Life:
    """A running pipeline whose input is the test."""

    def __init__(self, folder: Path, journal: RecordQueue, redact: str = "") -> None:
        config = FRAME.replace("json_lines }", f"json_lines redact => [{redact}] }}", 1) if redact else FRAME
        built, self.output, settings = build(config % ""), Output(), Settings()
        settings = replace(settings, journal=replace(settings.journal, sync_interval=0.01))
        route = [replace(built.routes[0][0], output=self.output)]
        self.source = Input()
        self.input, self.journal = replace(built.inputs[0], input=self.source), journal
        self.folder = folder / "dead"
        self.files = DeadLetterWriter(self.folder, 1 << 20, time.time)
        self.letters = letters = PipelineDeadLetters(self.files, "main", "c0", journal)
        pipeline = replace(built, inputs=[self.input], routes=[route])
        self.running = RunningPipeline("main", pipeline, journal, settings, letters)

    def reject(self, offset: int) -> bool:
        return self.running._sinks["stdin_0"].reject(b"head", "too long", STREAM, offset, offset + 5001, size=5000)

    def put(self, data: bytes, offset: int = 0) -> bool:
        chunk = Chunk("stdin_0", *STREAM, offset, time.time_ns(), data.count(b"\n"), data)
        return self.running.put([chunk], self.input)

    def there(self) -> list[DeadLetter]:
        return [line.dead_letter for line in DeadLetterReader(self.folder).read() if line.dead_letter is not None]

    @property
    def tally(self) -> Tally:
        [days] = self.journal.committed("stdout_0")[1]["days"].values()
        return Tally.of(days["stdin_0"])


@asynccontextmanager
async def life(folder: Path, journal: RecordQueue, redact: str = "") -> AsyncIterator[Life]:
    one = Life(folder, journal, redact)
    await one.running.start()
    try:
        yield one
        async with asyncio.timeout(WAIT_SECONDS):
            one.running.stop_inputs("drain")
            await one.running.drain()
    finally:
        await one.running.close()
        one.files.close()


async def test_a_rejected_line_is_a_letter_once(tmp_path: Path) -> None:
    """Whoever reads its connection next begins behind it; should it come again all the same, it is known."""
    async with life(tmp_path, Journal(tmp_path / "journal")) as one:
        one.reject(100)
    async with life(tmp_path, Journal(tmp_path / "journal")) as one:
        assert one.journal.stream_ends()["o"] == 5101
        one.reject(100)
        one.reject(5101)
    assert [letter.offset for letter in one.there()] == [100, 5101]


async def test_the_event_behind_a_rejected_line_keeps_its_bytes(tmp_path: Path) -> None:
    journal = MemoryJournal()
    async with life(tmp_path, journal) as one:
        one.reject(0)
        assert one.put(b'{"n":1}\n', 5001)
        letters = PipelineDeadLetters(one.files, "main", "c0", journal)
        letters.add(stage="output", reason="no", raw=b"{}", plugin="stdout_0", event_id=f"o-{5001:012x}")
        assert one.there()[1].content == b'{"n":1}\n'


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_what_is_redacted_is_on_no_disk(tmp_path: Path) -> None:
    """Neither in the journal nor in dead letters."""
    secrets = (b"kim@example.com", b"4111111111111111")
    line = b'{"m":"from %b","n":%b}\n' % secrets
    async with life(tmp_path, Journal(tmp_path / "journal"), redact='"email", "card"') as one:
        sink = one.running._sinks["stdin_0"]
        assert sink.put(line, STREAM, 0)
        assert sink.put_all([(line + line, STREAM, len(line), 2)])
        assert sink.reject(secrets[0], "too long", STREAM, len(line) * 3, len(line) * 3 + 15)
    written = everything_in(tmp_path)
    assert not any(secret in written for secret in secrets)
    assert written.count(b"from " + b"*" * 15) == 3
    assert [letter.content for letter in one.there()] == [b"*" * 15]
    documents = [json.loads(document) for document in one.output.documents]
    assert [(document["m"], document["n"]) for document in documents] == [("from " + "*" * 15, 9999999999999999)] * 3


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
    """Not at every sync, and it is logged once."""
    monkeypatch.setattr(module, "_DISK_RETRY_SECONDS", 0.2)
    caplog.set_level("INFO")
    journal = Refusing()
    async with life(tmp_path, journal) as one:
        journal.refuses = True
        begin = time.monotonic()

        async def feed() -> None:
            while not one.put(b'{"n":1}\n'):
                await one.running.wait_until_resumed()

        feeding = asyncio.create_task(feed())
        await eventually(lambda: journal.refused >= 4)
        assert time.monotonic() - begin >= 0.6
        journal.refuses = False
        await asyncio.wait_for(feeding, WAIT_SECONDS)
    assert len(one.output.documents) == 1
    logged = [record.getMessage() for record in caplog.records if "journal" in record.getMessage()]
    assert logged == ["the journal cannot be written; inputs wait until it can", "the journal can be written again"]


async def offer(one: Life, offset: int) -> None:
    """Offer a line to be rejected until it is taken, as inputs do."""
    while not one.reject(offset):
        await one.running.wait_until_resumed()


async def test_a_rejected_line_that_the_journal_refuses(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The input keeps it and waits; it becomes one dead letter."""
    caplog.set_level("INFO")
    journal = Refusing()
    async with life(tmp_path, journal) as one:
        journal.refuses = True
        offering = asyncio.create_task(offer(one, 100))
        await eventually(lambda: journal.refused >= 3)
        assert one.running.paused
        journal.refuses = False
        await asyncio.wait_for(offering, WAIT_SECONDS)
    assert [letter.offset for letter in one.there()] == [100]
    assert (one.tally.received, one.tally.dead, one.tally.difference) == (1, 1, 0)
    logged = [record.getMessage() for record in caplog.records if "journal" in record.getMessage()]
    assert logged == ["the journal cannot be written; inputs wait until it can", "the journal can be written again"]


async def test_a_rejected_line_that_the_dead_letters_refuse(tmp_path: Path) -> None:
    """Nothing of it is kept in memory, nor counted: the input has it."""
    (tmp_path / "dead").write_text("a file, no folder")
    async with life(tmp_path, Journal(tmp_path / "journal")) as one:
        assert not one.reject(100)
        assert one.running.paused
        assert (one.files.unsynced, one.files.added, one.journal.end.events) == (False, 0, 0)
        (tmp_path / "dead").unlink()
        await asyncio.wait_for(offer(one, 100), WAIT_SECONDS)
    assert [letter.offset for letter in one.there()] == [100]
    assert (one.tally.received, one.tally.dead, one.tally.difference) == (1, 1, 0)


async def test_a_dead_letter_without_trace_is_known_after_a_kill(tmp_path: Path) -> None:
    """The journal refuses the first line that it ever gets; then the worker is killed."""
    one = Life(tmp_path, Refusing())
    one.journal.refuses = True  # type: ignore[attr-defined]
    await one.running.start()
    assert not one.reject(100)
    await one.running.close()
    async with life(tmp_path, Journal(tmp_path / "journal")) as again:
        assert again.reject(100)
    assert [letter.offset for letter in again.there()] == [100]
    assert (again.tally.received, again.tally.dead) == (1, 1)


def fail_on(part: bytes, one: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the codec fail on chunks with these bytes."""
    decode = one.input.codec.decode

    def faulty(chunk: Chunk) -> Any:
        if part in chunk.data:
            raise RecursionError("too deep")
        return decode(chunk)

    monkeypatch.setattr(type(one.input.codec), "decode", lambda self, chunk: faulty(chunk))


async def test_the_ledger_of_a_chunk_with_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with life(tmp_path, MemoryJournal()) as one:
        fail_on(b"omen", one, monkeypatch)
        data = b"".join(b'{"n":%d}\n' % n if n != 3 else b'{"n":3,"bad":"omen"}\n' for n in range(6))
        assert one.put(data)
    assert len(one.output.documents) == 5
    assert [letter.content for letter in one.there()] == [b'{"n":3,"bad":"omen"}\n']
    assert (one.tally.received, one.tally.delivered, one.tally.dead, one.tally.difference) == (6, 5, 1, 0)


LINES = [b'{"n":%d,"@timestamp":"2026-11-22T10:00:00.000Z","@version":"1"}' % number for number in range(12)]


async def test_an_upgrade_amid_an_isolation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five of twelve events are dead letters, the sixth is being tried: after it, the output fails on nothing."""
    monkeypatch.setattr(delivery, "RETRY_SECONDS", 0.0)
    one = Life(tmp_path, Journal(tmp_path / "journal"))
    one.output.poison, one.output.alone = set(LINES[::2]), [LINES[10], LINES[10]]
    await one.running.start()
    assert one.put(b"".join(line + b"\n" for line in LINES))
    await eventually(lambda: len(one.there()) == 5)
    await one.running.close()
    async with life(tmp_path, Journal(tmp_path / "journal")) as again:
        pass
    assert again.output.documents == [*LINES[1:10:2], *LINES[10:]]
    assert [letter.refused for letter in again.there()] == LINES[0:10:2]
    tally = again.tally
    assert (tally.received, tally.delivered, tally.dead, tally.difference) == (12, 7, 5, 0)


async def test_an_upgrade_after_the_dead_letter_of_a_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The codec failed on a frame of a chunk that was not delivered; after the upgrade it fails on nothing."""
    one = Life(tmp_path, Journal(tmp_path / "journal"))
    one.output.alone = [LINES[0]]
    await one.running.start()
    with monkeypatch.context() as patch:
        decode = one.input.codec.decode

        def faulty(codec: object, chunk: Chunk) -> Any:
            if LINES[1] in chunk.data:
                raise RecursionError("too deep")
            return decode(chunk)

        patch.setattr(type(one.input.codec), "decode", faulty)
        assert one.put(b"\n".join([*LINES[:2], b""]))
    await one.running.close()
    async with life(tmp_path, Journal(tmp_path / "journal")) as again:
        again.put(LINES[2] + b"\n", 1000)
    assert again.output.documents == [LINES[0], LINES[2]]
    assert [letter.refused for letter in again.there()] == [LINES[1]]
    tally = again.tally
    assert (tally.received, tally.delivered, tally.dead, tally.difference) == (3, 2, 1, 0)


async def test_a_dead_letter_of_an_attempt_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output gave an event up, then failed on others: in the isolation it would take the first."""
    monkeypatch.setattr(delivery, "RETRY_SECONDS", 0.0)
    async with life(tmp_path, MemoryJournal()) as one:
        deliver = one.output.deliver

        async def giving_up(payloads: Sequence[list[bytes]]) -> None:
            if len(payloads[0]) == len(LINES):
                event_id = f"o-{3 * (len(LINES[0]) + 1):012x}"
                one.letters.add(stage="output", reason="refused", raw=LINES[3], plugin="stdout_0", event_id=event_id)
            await deliver(payloads)

        monkeypatch.setattr(one.output, "deliver", giving_up)
        one.output.poison = {LINES[7]}
        assert one.put(b"".join(line + b"\n" for line in LINES))
    assert sorted(one.output.documents) == sorted({*LINES} - {LINES[3], LINES[7]})
    assert [letter.refused for letter in one.there()] == [LINES[3], LINES[7]]
    assert (one.tally.received, one.tally.delivered, one.tally.dead, one.tally.difference) == (12, 10, 2, 0)


async def test_a_frame_that_is_dead_stays_dead_in_an_isolation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The codec failed on it once, and would not again when the events are made once more."""
    monkeypatch.setattr(delivery, "RETRY_SECONDS", 0.0)
    async with life(tmp_path, MemoryJournal()) as one:
        one.output.poison = {LINES[7]}
        decode = one.input.codec.decode

        def faulty(codec: object, chunk: Chunk) -> Any:
            if LINES[3] in chunk.data:
                raise RecursionError("too deep")
            return decode(chunk)

        with monkeypatch.context() as patch:
            patch.setattr(type(one.input.codec), "decode", faulty)
            assert one.put(b"".join(line + b"\n" for line in LINES))
    assert sorted(one.output.documents) == sorted({*LINES} - {LINES[3], LINES[7]})
    assert [letter.refused for letter in one.there()] == [LINES[3], LINES[7]]
    assert (one.tally.received, one.tally.delivered, one.tally.dead, one.tally.difference) == (12, 10, 2, 0)


TASKS = ["input stdin_0", "output stdout_0", "catch-up of stdout_0", "sync"]


async def test_many_short_lines_are_processed_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event once, in order, and counted once: also if the parts before it are still on their way."""
    monkeypatch.setattr(module, "_MAX_FRAMES", 10)
    before = metrics.EVENTS_FILTERED.value("main")
    async with life(tmp_path, MemoryJournal()) as one:
        size, most = 0, 0
        process = one.running._processing.process

        def counted(chunks: Sequence[Chunk], *rest: Any, **options: Any) -> Any:
            nonlocal most
            most = max(most, sum(chunk.frames for chunk in chunks))
            return process(chunks, *rest, **options)

        monkeypatch.setattr(one.running._processing, "process", counted)
        for lines in (95, 3, 40):
            data = b"".join(b'{"n":%d}\n' % number for number in range(lines))
            assert one.put(data, size)
            size += len(data)
    numbers = [json.loads(document)["n"] for document in one.output.documents]
    assert numbers == [*range(95), *range(3), *range(40)]
    assert (most, one.tally.received, one.tally.delivered) == (10, 138, 138)
    assert metrics.EVENTS_FILTERED.value("main") - before == 138


def line(number: int, size: int = 0) -> bytes:
    return b'{"n":%d,"text":"%b"}\n' % (number, b"x" * size)


async def test_few_lines_of_many_streams_are_stored_and_processed_together(tmp_path: Path) -> None:
    """Their ids are those that they have alone: now, once they are read from the journal, and one by one."""
    streams = [
        (line(n, 5 * n) * (1 + n % 2), Stream(f"s{n}%b", {"host": f"h{n}"}), 100 * n, 1 + n % 2) for n in range(9)
    ]
    expected = [event_id(f"s{n}%b", 100 * n + at * len(line(n, 5 * n))) for n in range(9) for at in range(1 + n % 2)]
    journal = MemoryJournal()
    async with life(tmp_path, journal) as one:
        seen: list[list[str]] = []

        def prepare(batch: Batch) -> Prepared[list[bytes]]:
            seen.append([*batch.ids()])
            assert [*batch.ids()] == [text.decode() for text in batch.ids().fill(b"%b")]
            return Prepared(batch.documents(), 1)

        one.output.prepare = prepare  # type: ignore[method-assign]
        sink = one.running._sinks["stdin_0"]
        assert sink.joins_streams
        assert sink.put_all(streams)
        [delivery] = one.running.deliveries
        await delivery.idle()
        delivery._room.clear()  # the output is behind
        assert sink.put_all(streams)
        delivery._room.set()
        await eventually(lambda: delivery.position == journal.end)
        assert seen == [expected, expected]
        chunks = [entry.chunk for entry in journal.read(Position(0, 0), 1 << 20)]
        assert [(chunk.stream_id, chunk.offset, chunk.data) for chunk in chunks[:9]] == [
            (stream.id, offset, data) for data, stream, offset, _ in streams
        ]
        alone = [one.running._batches_of(0, [chunk]) for chunk in chunks[:9]]
        assert [text for batches in alone for batch in batches for text in batch.ids()] == expected
    assert (one.tally.received, one.tally.delivered, one.tally.difference) == (26, 26, 0)


async def test_a_fault_in_one_of_many_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with life(tmp_path, MemoryJournal()) as one:
        fail_on(b'"n":3', one, monkeypatch)
        pieces = [(line(n), Stream(f"s{n}", {}), 7 * n, 1) for n in range(6)]
        assert one.running._sinks["stdin_0"].put_all(pieces)
    assert [json.loads(document)["n"] for document in one.output.documents] == [0, 1, 2, 4, 5]
    [letter] = one.there()
    assert (letter.content, letter.stream_id, letter.offset) == (line(3), "s3", 21)
    assert (one.tally.received, one.tally.delivered, one.tally.dead, one.tally.difference) == (6, 5, 1, 0)


async def test_an_output_that_fails_on_one_event_of_many_streams(tmp_path: Path) -> None:
    async with life(tmp_path, MemoryJournal()) as one:
        deliver = one.output.deliver

        async def fails(payloads: Sequence[list[bytes]]) -> None:
            if any(b'"n":3' in document for payload in payloads for document in payload):
                raise KeyError("three")
            await deliver(payloads)

        one.output.deliver = fails  # type: ignore[method-assign]
        assert one.running._sinks["stdin_0"].put_all([(line(n), Stream(f"s{n}", {}), 7 * n, 1) for n in range(6)])
    assert sorted(json.loads(document)["n"] for document in one.output.documents) == [0, 1, 2, 4, 5]
    assert [letter.id for letter in one.there()] == [event_id("s3", 21)]
    assert (one.tally.received, one.tally.delivered, one.tally.dead, one.tally.difference) == (6, 5, 1, 0)


async def test_every_background_task_has_a_name(tmp_path: Path) -> None:
    async with life(tmp_path, MemoryJournal()) as one:
        assert sorted(one.running._tasks.names) == sorted(TASKS)


def fail(one: Life, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what a task calls raise."""
    error = KeyError("a defect")

    def raises(*_: object) -> None:
        raise error

    if name == "input stdin_0":
        one.source.error = error
        one.source.ended.set()
    elif name == "output stdout_0":
        monkeypatch.setattr(one.running.deliveries[0], "_count", raises)
    elif name == "sync":
        monkeypatch.setattr(one.running, "_resume_inputs", raises)
    else:
        monkeypatch.setattr(one.journal, "read", raises)
        one.running.deliveries[0]._room.clear()  # so that the next chunk has to be read from the journal
        one.put(b'{"n":1}\n', 8)
        one.running.deliveries[0]._room.set()


@pytest.mark.parametrize("end", ["raise", "cancel"])
@pytest.mark.parametrize("name", TASKS)
async def test_a_task_that_dies_ends_the_pipeline_and_nothing_is_lost(
    tmp_path: Path, name: str, end: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = Life(tmp_path, Journal(tmp_path / "journal"))
    await one.running.start()
    if end == "raise":
        fail(one, name, monkeypatch)
    else:
        [task] = one.running._tasks.find(name)
        task.cancel()
    assert one.put(b'{"n":0}\n')
    with pytest.raises((KeyError, TaskEndedError)):
        await asyncio.wait_for(one.running.failed(), WAIT_SECONDS)
    with pytest.raises((KeyError, TaskEndedError)):
        await asyncio.wait_for(one.running.drain(), WAIT_SECONDS)
    [record] = [record for record in caplog.records if record.getMessage().startswith("a background task")]
    fields = record.__dict__["fields"]
    assert (fields["owner"], fields["task"]) == ("pipeline main", name)
    monkeypatch.undo()
    await one.running.close()
    one.files.close()
    before = len(one.output.documents)
    async with life(tmp_path, Journal(tmp_path / "journal")) as again:
        expected = {0, 1} if (name, end) == ("catch-up of stdout_0", "raise") else {0}
    found = {json.loads(document)["n"] for document in (*one.output.documents, *again.output.documents)}
    assert (found, before + len(again.output.documents)) >= (expected, len(expected))
    assert (again.tally.received, again.tally.difference) == (len(expected), 0)


async def test_an_input_that_returns_before_its_time_is_a_failure(tmp_path: Path) -> None:
    one = Life(tmp_path, MemoryJournal())
    await one.running.start()
    one.source.ended.set()
    with pytest.raises(TaskEndedError, match="stdin_0 returned"):
        await asyncio.wait_for(one.running.inputs_ended(), WAIT_SECONDS)
    await one.running.close()
    one.files.close()


async def test_a_defect_while_a_chunk_is_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The input must not offer it again: it is in the journal, and read from there by the next process."""
    one = Life(tmp_path, Journal(tmp_path / "journal"))
    await one.running.start()
    monkeypatch.setattr(one.running.deliveries[0], "take", lambda *_: 1 / 0)
    assert one.put(b'{"n":0}\n')
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(one.running.failed(), WAIT_SECONDS)
    await one.running.close()
    one.files.close()
    async with life(tmp_path, Journal(tmp_path / "journal")) as again:
        pass
    assert [json.loads(document)["n"] for document in again.output.documents] == [0]
