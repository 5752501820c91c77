"""Processing: a fault of the daemon's own costs the frames at fault, and no others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ingestd.compiler.pipeline import BuiltOutput
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import event_id
from ingestd.event.fields import Event
from ingestd.event.table import Table
from ingestd.event.tally import Tally
from ingestd.pipeline.processing import Processed, Processing, split_chunk
from ingestd.plugins.interfaces import Prepared
from tests.conformance.running import FRAME, build
from tests.dead_letters.memory import MemoryDeadLetters

FILTERS = 'if [n] == 1 { drop { } } if [n] == 2 { clone { clones => ["copy"] } }'


class Codec:
    """As ``inner``, but with a fault that some text shows."""

    def __init__(self, inner: Any, fault: bytes) -> None:
        self._inner, self._fault, self.delimiter = inner, fault, inner.delimiter
        self.joins_streams = inner.joins_streams

    def decode(self, chunk: Chunk) -> Table:
        if self._fault in chunk.data:
            raise RecursionError("too deep")
        table: Table = self._inner.decode(chunk)
        return table

    def encode(self, batch: Batch) -> bytes:
        return b""


def chunk_of(*events: Event) -> Chunk:
    data = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    return Chunk("stdin_0", "o", {"host": "h"}, 100, 1_763_805_600_000_000_000, len(events), data)


def processing(fault: bytes) -> tuple[Processing, Any, MemoryDeadLetters]:
    pipeline, letters = build(FRAME % FILTERS), MemoryDeadLetters()
    built = pipeline.inputs[0]
    built = replace(built, codec=Codec(built.codec, fault))
    return Processing("main", pipeline, letters), built, letters


class Output:
    """Makes documents; may have a fault of its own that some text shows."""

    concurrency = 1
    batch_bytes = 100

    def __init__(self, fault: bytes = b"nothing") -> None:
        self.fault = fault

    async def open(self) -> None:
        pass

    def prepare(self, batch: Batch) -> Prepared[list[tuple[str, Any]]]:
        documents = batch.documents()
        if any(self.fault in document for document in documents):
            raise ZeroDivisionError("three")
        rows = [(event_id, json.loads(text)) for event_id, text in zip(batch.ids(), documents, strict=True)]
        return Prepared(rows, sum(map(len, documents)))

    async def deliver(self, payloads: Sequence[Any]) -> None:
        pass

    async def close(self) -> None:
        pass


def process(work: Processing, chunks: Any, built: Any, output: Output | None = None) -> tuple[list[Any], Processed]:
    """Return the events that the only output gets, with their ids, and all that it gets."""
    step = work._pipeline.routes[0][0].step
    chunks = [chunks] if isinstance(chunks, Chunk) else chunks
    [one] = work.process(chunks, built, [(0, BuiltOutput(step, output or Output()))], count=True)
    return [event for payload in one.payloads for event in payload], one


def test_in_one_piece() -> None:
    work, built, letters = processing(b"nothing")
    events, one = process(work, chunk_of(*({"n": n} for n in range(4))), built)
    assert one.tally == Tally(received=4, created=1, dropped=Counter({"drop_0": 1}), queued=4)
    assert (one.tally.passed, one.tally.difference, one.rejected) == (4, 0, [])
    assert [event["n"] for _, event in events] == [0, 2, 2, 3]
    assert letters.letters == []


@pytest.mark.parametrize("bad", [0, 2, 4])
def test_only_the_frames_at_fault_become_letters(bad: int, caplog: pytest.LogCaptureFixture) -> None:
    events = [{"n": n} | ({"bad": "omen"} if n == bad else {}) for n in range(5)]
    work, built, letters = processing(b"omen")
    whole = chunk_of(*events)
    found, one = process(work, whole, built)
    assert [event["n"] for _, event in found] == [n for n in (0, 2, 2, 3, 4) if n != bad]
    created = int(bad != 2)
    assert one.tally == Tally(5, created, dead=1, queued=len(found), dropped=Counter({"drop_0": 1}))
    assert one.tally.difference == 0
    [letter] = letters.letters
    at = whole.data.index(letter["raw"])
    assert json.loads(letter["raw"]) == events[bad]
    assert (letter["offset"], letter["stream_id"], letter["received"]) == (100 + at, "o", whole.time_ns)
    assert letter["reason"] == "the daemon failed on it: RecursionError('too deep')"
    assert caplog.text.count("the daemon failed on a chunk") == 1


def test_ids_of_the_others_are_those_they_would_have_had() -> None:
    events = [{"n": 0}, {"n": 3}, {"n": 4}]
    sound, built, _ = processing(b"nothing")
    expected, _ = process(sound, chunk_of(*events), built)
    faulty, built, _ = processing(b'"n": 3')
    found, _ = process(faulty, chunk_of(*events), built)
    assert found == [(event_id, event) for event_id, event in expected if event["n"] != 3]


def test_a_fault_of_an_output_with_one_event_costs_its_neighbours_nothing() -> None:
    work, built, letters = processing(b"nothing")
    chunk = chunk_of(*({"n": n} for n in (0, 3, 4)))
    events, one = process(work, chunk, built, Output(fault=b'"n":3'))
    assert [event["n"] for _, event in events] == [0, 4]
    offset = 100 + chunk.data.index(b'{"n": 3')
    reason = "the daemon failed on it: ZeroDivisionError('three')"
    [rejection] = one.rejected
    assert (rejection.reason, rejection.event_id) == (reason, event_id("o", offset))
    assert json.loads(rejection.raw)["n"] == 3, "the dead letter has the event"
    assert (one.tally.queued, letters.letters) == (3, []), "the delivery makes the dead letters"


@pytest.mark.parametrize(
    ("data", "delimiter", "parts"),
    [
        (b"a\nbc\n\nd", b"\n", [(100, 2, b"a\nbc\n"), (105, 2, b"\nd")]),
        (b"a\nb\n", b"\n", [(100, 2, b"a\nb\n")]),
        (b"a\nb\nc\n", None, [(100, 3, b"a\nb\nc\n")]),
    ],
    ids=["in_parts", "as_it_is", "one_message"],
)
def test_a_chunk_in_parts(data: bytes, delimiter: bytes | None, parts: list[tuple[int, int, bytes]]) -> None:
    frames = len(data.split(b"\n")) - data.endswith(b"\n")
    chunk = Chunk("tcp_0", "o", {}, 100, 1, frames, data)
    found = split_chunk(chunk, delimiter, 2)
    assert [(part.offset, part.frames, part.data) for part in found] == parts
