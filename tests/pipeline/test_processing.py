"""Processing: a fault of the daemon's own costs the frames at fault, and no others."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ingestd.dead_letters.counted import CountedDeadLetters
from ingestd.event.chunk import Chunk
from ingestd.event.fields import Event
from ingestd.event.record import Batch
from ingestd.journal.base import Position
from ingestd.pipeline.processing import Processing
from ingestd.plugins.interfaces import Decoded
from tests.conformance.running import FRAME, build

FILTERS = 'if [n] == 1 { drop { } } if [n] == 2 { clone { clones => ["copy"] } }'


class Letters:
    """Keeps dead letters."""

    stuck = unsynced = False

    def __init__(self) -> None:
        self.letters: list[dict[str, Any]] = []

    def add(self, **letter: Any) -> None:
        self.letters.append(letter)

    def recall(self, position: Position) -> None:
        pass

    def sync(self) -> None:
        pass


class Codec:
    """As ``inner``, but with a fault that some text shows."""

    def __init__(self, inner: Any, fault: bytes) -> None:
        self._inner, self._fault, self.delimiter = inner, fault, inner.delimiter

    def decode(self, chunk: Chunk) -> Decoded:
        if self._fault in chunk.data:
            raise RecursionError("too deep")
        decoded: Decoded = self._inner.decode(chunk)
        return decoded

    def encode(self, batch: Batch) -> bytes:
        return b""


def chunk_of(*events: Event) -> Chunk:
    data = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    return Chunk("stdin_0", "o", {"host": "h"}, 100, 1_763_805_600_000_000_000, len(events), data)


def processing(fault: bytes) -> tuple[Processing, Any, Letters]:
    pipeline, letters = build(FRAME % FILTERS), Letters()
    built = pipeline.inputs[0]
    built = replace(built, codec=Codec(built.codec, fault))
    return Processing("main", pipeline, CountedDeadLetters(letters)), built, letters


def test_in_one_piece() -> None:
    work, built, letters = processing(b"nothing")
    [one] = work.process(chunk_of(*({"n": n} for n in range(4))), built)
    assert (one.received, one.created, one.dropped, one.dead, one.left) == (4, 1, {"drop_0": 1}, 0, 4)
    assert [event[2]["n"] for event in one.routes[0]] == [0, 2, 2, 3]
    assert letters.letters == []


@pytest.mark.parametrize("bad", [0, 2, 4])
def test_only_the_frames_at_fault_become_letters(bad: int, caplog: pytest.LogCaptureFixture) -> None:
    events = [{"n": n} | ({"bad": "omen"} if n == bad else {}) for n in range(5)]
    work, built, letters = processing(b"omen")
    whole = chunk_of(*events)
    parts = work.process(whole, built)
    assert [event[2]["n"] for part in parts for event in part.routes[0]] == [n for n in (0, 2, 2, 3, 4) if n != bad]
    assert sum(part.received for part in parts) == 5
    assert sum(part.dead for part in parts) == 1
    assert sum(part.created for part in parts) == (bad != 2)
    assert [dict(part.dropped) for part in parts if part.dropped] == [{"drop_0": 1}]
    [letter] = letters.letters
    at = whole.data.index(letter["raw"])
    assert json.loads(letter["raw"]) == events[bad]
    assert (letter["offset"], letter["origin"], letter["received"]) == (100 + at, "o", whole.time_ns)
    assert letter["reason"] == "the daemon failed on it: RecursionError('too deep')"
    assert caplog.text.count("the daemon failed on a chunk") == 1


def test_keys_of_the_others_are_those_they_would_have_had() -> None:
    events = [{"n": 0}, {"n": 3}, {"n": 4}]
    sound, built, _ = processing(b"nothing")
    [one] = sound.process(chunk_of(*events), built)
    faulty, built, _ = processing(b'"n": 3')
    parts = faulty.process(chunk_of(*events), built)
    keys = [event[3] for part in parts for event in part.routes[0]]
    assert keys == [event[3] for event in one.routes[0] if event[2]["n"] != 3]
