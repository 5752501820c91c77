"""Pipelines that send to each other: whatever is killed or lost, each event arrives once."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.parser import parse
from ingestd.dead_letters.pipeline import PipelineDeadLetters
from ingestd.dead_letters.reader import DeadLetterReader
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk, Stream
from ingestd.event.tally import Tally
from ingestd.journal.base import Position
from ingestd.journal.journal import Journal
from ingestd.pipeline.pipeline import RunningPipeline
from ingestd.plugins.codecs._handed_over import mask_handed_over
from ingestd.plugins.interfaces import HandedOver, Prepared, WithRetries
from ingestd.plugins.pipeline_bus import PipelineBus
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from tests.waiting import WAIT_SECONDS, eventually

SENDER = """
input { stdin { codec => json_lines } }
filter { mutate { add_field => { "[@metadata][way]" => "kept" } } }
output { pipeline { send_to => [%s] } }
"""
RECEIVER = """
input {
  pipeline { address => "%s" add_field => { "way" => "%%{[@metadata][way]}" } }
  stdin { codec => json_lines }
}
output { stdout { } }
"""
NO_LIMITS: Mapping[str, Any] = MappingProxyType({})


class Source:
    """An input whose events the test puts."""

    finite = False

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def open(self) -> None:
        pass

    async def run(self, sink: object) -> None:
        await self.ended.wait()

    def stop(self, mode: str) -> None:
        self.ended.set()


class Kept:
    """An output that keeps ids and documents; ``gate`` holds it up."""

    concurrency = 1
    batch_bytes = 1 << 20

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.documents: list[dict[str, Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def numbers(self) -> list[int]:
        return [document["n"] for document in self.documents]

    async def open(self) -> None:
        pass

    def prepare(self, batch: Batch) -> Prepared[tuple[list[str], list[bytes]]]:
        return Prepared(([*batch.ids()], batch.documents()), sum(map(len, batch.documents())))

    async def deliver(self, payloads: Sequence[tuple[list[str], list[bytes]]]) -> None:
        await self.gate.wait()
        for ids, documents in payloads:
            self.ids += ids
            self.documents += map(json.loads, documents)

    async def close(self) -> None:
        pass


class Pipelines:
    """A sender and its receivers in one process, with journals below ``folder``."""

    def __init__(self, folder: Path, addresses: Sequence[str], limits: Mapping[str, Any]) -> None:
        self._bus, self._limits, self._folder = PipelineBus(), limits, folder
        self._writer = DeadLetterWriter(folder / "dead", 1 << 20, time.time)
        self.source, self.kept = Source(), {address: Kept() for address in addresses}
        quoted = ", ".join(f'"{address}"' for address in addresses)
        self.sender = self._running("sender", SENDER % quoted)
        self.receivers = {address: self._running(address, RECEIVER % address) for address in addresses}
        self.all = [self.sender, *self.receivers.values()]

    def _running(self, name: str, text: str) -> RunningPipeline:
        journal = Journal(self._folder / name, **self._limits)
        letters = PipelineDeadLetters(self._writer, name, "c0", journal)
        settings = Settings()
        settings = replace(settings, journal=replace(settings.journal, sync_interval=0.01))
        context = BuildContext(pipeline_id=name, bus=self._bus, dead_letters=letters, settings=settings)
        pipeline = compile_pipeline(parse(text, f"{name}.conf", {}), context)
        if name == "sender":
            self.input = replace(pipeline.inputs[0], input=self.source)
            pipeline = replace(pipeline, inputs=[self.input])
        else:
            pipeline = replace(pipeline, routes=[[replace(pipeline.routes[0][0], output=self.kept[name])]])
            self.other = pipeline.inputs[1]
        return RunningPipeline(name, pipeline, journal, settings, letters, first=name == "sender")

    def forget_commits(self) -> None:
        """Let nothing of what the sender delivers be noted."""
        self.sender.journal.commit = lambda *arguments: None  # type: ignore[method-assign]

    def shut(self, address: str) -> None:
        """Let a receiver take nothing more."""
        sink = self.receivers[address]._sinks["pipeline_0"]
        sink.take_over = lambda *arguments: False  # type: ignore[method-assign]
        sink.wait_until_resumed = asyncio.Event().wait  # type: ignore[assignment, method-assign]

    def put(self, first: int, last: int, time_ns: int = 0) -> bool:
        """Put the events with the numbers ``first`` to ``last``, each as a record of the journal."""
        line = b'{"n":%6d,"@timestamp":"2026-11-22T10:00:00.000Z","@version":"1"}\n'
        lines = [line % number for number in range(first, last + 1)]
        now = time_ns or time.time_ns()
        chunks = [
            Chunk("stdin_0", *Stream("s", {}), (first + place) * len(text), now, 1, text)
            for place, text in enumerate(lines)
        ]
        return self.sender.put(chunks, self.input)

    async def have_all(self, *addresses: str, last: int) -> None:
        """Return when the outputs of receivers have the event ``last``."""
        kept = [self.kept[address] for address in addresses]
        await eventually(lambda: all(receiver.numbers[-1:] == [last] for receiver in kept))

    async def free_records(self, *addresses: str) -> int:
        """Let receivers read other events until those of the sender are freed; returns how many each of them reads."""
        text, count = b'{"n":0}\n' * 100, 0
        journals = [self.receivers[address].journal for address in addresses]
        before = [journal.end.events for journal in journals]
        while any(journal.start.events < end for journal, end in zip(journals, before, strict=True)):
            for address in addresses:
                chunk = Chunk("stdin_0", "other", {}, count * 8, time.time_ns(), 100, text)
                assert self.receivers[address].put([chunk], self.other)
            count += 100
            await asyncio.sleep(0.01)
        return count

    def tally(self, name: str, output: str) -> Tally:
        """Return what the ledger of a pipeline says."""
        running = next(pipeline for pipeline in self.all if pipeline.name == name)
        total = Tally()
        for inputs in running.journal.committed(output)[1]["days"].values():
            for counts in inputs.values():
                total.add(Tally.of(counts))
        return total

    def counted(self, address: str) -> int:
        """Return how many events a receiver has received, by the events of its journal."""
        return self.receivers[address].journal.end.events


@asynccontextmanager
async def life(
    folder: Path, *addresses: str, killed: bool = False, limits: Mapping[str, Any] = NO_LIMITS
) -> AsyncIterator[Pipelines]:
    """Run pipelines, then let them deliver everything; ``killed``: then leave at once."""
    pipelines = Pipelines(folder, addresses, limits)
    for running in pipelines.all:
        await running.start()
    try:
        yield pipelines
        if not killed:
            for running in pipelines.all:
                running.stop_inputs("drain")
            async with asyncio.timeout(WAIT_SECONDS):
                await asyncio.gather(*(running.drain() for running in pipelines.all))
    finally:
        for running in pipelines.all:
            await running.close()
        pipelines._writer.close()


async def test_each_receiver_gets_each_event_with_its_metadata_and_an_id_of_its_own(tmp_path: Path) -> None:
    async with life(tmp_path, "a", "b") as pipelines:
        assert pipelines.put(1, 3)
    for kept in pipelines.kept.values():
        assert kept.numbers == [1, 2, 3]
        assert {document["way"] for document in kept.documents} == {"kept"}
        assert not any("@metadata" in document for document in kept.documents)
    ids = [id_ for kept in pipelines.kept.values() for id_ in kept.ids]
    assert len({*ids}) == 6
    assert [id_.rpartition("-t")[0] for id_ in ids[:3]] == [id_.rpartition("-t")[0] for id_ in ids[3:]]
    sent = pipelines.tally("sender", "pipeline_0")
    assert (sent.delivered, sent.duplicates, sent.dead) == (3, 0, 0)
    assert pipelines.tally("a", "stdout_0").received == pipelines.tally("b", "stdout_0").delivered == 3


async def test_the_account_of_the_sender_counts_each_address(tmp_path: Path) -> None:
    async with life(tmp_path, "a", "b") as pipelines:
        assert pipelines.put(1, 3)
    assert pipelines.sender.journal.committed("pipeline_0")[1]["indices"] == {"a": 3, "b": 3}


@pytest.mark.parametrize("freed", [False, True], ids=["records there", "records freed"])
async def test_what_receivers_have_when_the_sender_is_killed_does_not_come_again(tmp_path: Path, freed: bool) -> None:
    """The sender is killed before it notes what it has handed over; the receivers also read something else."""
    limits = {"segment_bytes": 4096 if freed else 1 << 20}
    async with life(tmp_path, "a", "b", killed=True, limits=limits) as pipelines:
        pipelines.forget_commits()
        for first in range(1, 300, 10):
            assert pipelines.put(first, first + 9)
            await pipelines.have_all("a", "b", last=first + 9)
        others = await pipelines.free_records("a", "b") if freed else 0
    async with life(tmp_path, "a", "b", limits=limits) as again:
        assert again.put(301, 310)
    for address in ("a", "b"):
        assert again.counted(address) == 310 + others
        assert [number for number in again.kept[address].numbers if number] == [*range(301, 311)]
    assert again.tally("sender", "pipeline_0").delivered == 310


async def test_receivers_that_are_not_equally_far_get_what_each_of_them_lacks(tmp_path: Path) -> None:
    """All events came at once, so that the sender would read them from its journal as one piece."""
    async with life(tmp_path, "a", "b", killed=True) as pipelines:
        pipelines.forget_commits()
        now = time.time_ns()
        assert pipelines.put(1, 10, time_ns=now)
        await pipelines.have_all("a", "b", last=10)
        pipelines.shut("b")
        for first in range(11, 200, 10):
            assert pipelines.put(first, first + 9, time_ns=now)
        await pipelines.have_all("a", last=200)
    async with life(tmp_path, "a", "b") as again:
        pass
    assert (again.counted("a"), again.kept["a"].numbers) == (200, [])
    assert (again.counted("b"), again.kept["b"].numbers) == (200, [*range(11, 201)])


async def test_a_sender_whose_journal_lost_its_end_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    """After a power failure positions of its journal may stand for other events."""
    async with life(tmp_path, "a") as pipelines:
        assert pipelines.put(1, 1)
    shutil.copytree(tmp_path / "sender", tmp_path / "before")
    async with life(tmp_path, "a") as pipelines:
        assert pipelines.put(2, 50)
    shutil.rmtree(tmp_path / "sender")
    (tmp_path / "before").rename(tmp_path / "sender")
    async with life(tmp_path, "a") as pipelines:
        assert pipelines.put(51, 60)
    assert pipelines.kept["a"].numbers == [*range(51, 61)]
    assert pipelines.counted("a") == 60


async def test_a_receiver_whose_journal_is_full_holds_up_its_sender(tmp_path: Path) -> None:
    async with life(tmp_path, "a", limits={"max_bytes": 1 << 16}) as pipelines:
        kept, put = pipelines.kept["a"], 0
        output = pipelines.sender.deliveries[0].built.output
        assert isinstance(output, WithRetries)
        kept.gate.clear()
        while not output.retry_reason():
            if pipelines.put(put + 1, put + 100):
                put += 100
            await asyncio.sleep(0.001)
        while pipelines.put(put + 1, put + 100):
            put += 100
        assert "'a' accepts nothing" in output.retry_reason()
        assert pipelines.counted("a") < put
        kept.gate.set()
        await eventually(lambda: pipelines.counted("a") == put)
    assert kept.numbers == [*range(1, put + 1)]


async def test_a_record_with_more_events_than_fit_into_one_is_handed_over_as_one(tmp_path: Path) -> None:
    """Of parts, the first might be on the disk and the last not."""
    text = b'{"n":1,"@timestamp":"2026-11-22T10:00:00.000Z","@version":"1"}\n' * 5000
    async with life(tmp_path, "a") as pipelines:
        sink = pipelines.receivers["a"]._sinks["pipeline_0"]
        lines = b"".join(b"i-%012x\0\0" % at + line for at, line in enumerate(text.splitlines(keepends=True)))
        assert sink.take_over("@x", [HandedOver(7, lines, 5000)])
        assert not sink.take_over("@x", [HandedOver(7, lines, 5000)]) or pipelines.counted("a") == 5000
    assert len(pipelines.receivers["a"].journal.read(Position(0, 0), 1 << 30)) <= 1
    assert len(pipelines.kept["a"].documents) == 5000


def test_what_a_receiver_redacts_leaves_the_ids() -> None:
    data = mask_handed_over(b'9-4111111111111111\0{"b":1}\0{"a":1}\n', lambda text: text.replace(b"1", b"9"))
    assert data == b'9-4111111111111111\0{"b":9}\0{"a":9}\n'


async def test_a_dead_letter_of_an_event_that_was_handed_over_has_its_line(tmp_path: Path) -> None:
    """Also of a copy that a filter of the receiver made."""
    async with life(tmp_path, "a") as pipelines:
        kept, receiver = pipelines.kept["a"], pipelines.receivers["a"]
        kept.gate.clear()
        assert pipelines.put(1, 3)
        await eventually(lambda: pipelines.counted("a") == 3)
        entries = receiver.journal.read(Position(0, 0), 1 << 20)
        lines = b"".join(entry.chunk.data for entry in entries).splitlines(keepends=True)
        letters = receiver._dead_letters
        for line, copy in zip(lines, ("", "-1", ""), strict=True):
            event_id = line.partition(b"\0")[0].decode() + copy
            letters.add(stage="output", reason="no", raw=b"{}", plugin="stdout_0", event_id=event_id)
        letters.sync()
        found = [line.dead_letter for line in DeadLetterReader(tmp_path / "dead").read() if line.dead_letter]
        assert [letter.content for letter in found] == lines
        assert {letter.input for letter in found} == {"pipeline_0"}
        kept.gate.set()


async def test_events_whose_place_is_not_known_are_refused(tmp_path: Path) -> None:
    """A receiver would take them for what it has."""
    async with life(tmp_path, "a") as pipelines:
        output = pipelines.sender.deliveries[0].built.output
        batch = Batch.of_events([{"n": 1}], [0], "s", 0)
        with pytest.raises(ValueError, match="without their place"):
            await output.deliver([output.prepare(batch).payload])
    assert pipelines.counted("a") == 0
