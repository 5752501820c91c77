"""Events on which an output fails: they become dead letters, all others are delivered once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.tally import Tally
from ingestd.journal.memory import MemoryJournal
from ingestd.pipeline import delivery as module
from ingestd.pipeline.delivery import Delivery
from ingestd.pipeline.isolation import Isolation, OutputFailedError
from ingestd.pipeline.processing import Processed, prepare
from ingestd.plugins.interfaces import Prepared
from ingestd.tasks import BackgroundTasks
from tests.conformance.running import FRAME, build
from tests.dead_letters.memory import MemoryDeadLetters
from tests.pipeline.test_delivery import TIME_NS
from tests.waiting import WAIT_SECONDS


class Output:
    """Fails on numbers in ``poison`` with an odd error; ``away``: is away for so many calls."""

    concurrency, batch_bytes = 1, 1 << 20

    def __init__(self, poison: set[int], away: int = 0, tallies: bool = False) -> None:
        self.poison, self.away, self.tallies = poison, away, tallies
        self.delivered: list[int] = []

    async def open(self) -> None:
        pass

    def prepare(self, batch: Batch) -> Prepared[list[int]]:
        return Prepared([event["n"] for event in batch.fields(("n",))], 10 * len(batch))

    async def deliver(self, payloads: Sequence[list[int]]) -> Sequence[Tally] | None:
        self.away -= 1
        if self.away >= 0:
            raise OSError("away")
        numbers = list(chain.from_iterable(payloads))
        if self.poison.intersection(numbers):
            raise KeyError("poison")
        self.delivered += numbers
        return [Tally(delivered=len(payload)) for payload in payloads] if self.tallies else None

    async def close(self) -> None:
        pass


async def run(output: Any, chunks: list[list[int]]) -> tuple[MemoryDeadLetters, Tally]:
    """Deliver chunks of numbers; return the dead letters, and the sum of the ledger."""
    built = replace(build(FRAME % "").routes[0][0], output=output)
    journal, letters = MemoryJournal(), MemoryDeadLetters()
    journal.consumers([built.step.plugin_id])

    def batches_of(chunks: Sequence[Chunk]) -> list[Batch]:
        keys = [int(number) for chunk in chunks for number in chunk.data.split()]
        return [Batch.of_events([{"n": key} for key in keys], keys, "o", 0)]

    tasks = BackgroundTasks("pipeline main")
    delivery = Delivery(
        built, journal, letters, "main", tasks, batches_of=batches_of, max_delay=0.01, max_bytes=1 << 20
    )
    await delivery.start()
    for numbers in chunks:
        data = b"".join(b"%d\n" % number for number in numbers)
        chunk = Chunk("stdin_0", "o", {}, 0, TIME_NS, len(numbers), data)
        end = journal.append([chunk])
        processed = Processed(*prepare(built, *batches_of([chunk])), Tally(received=len(numbers), queued=len(numbers)))
        delivery.take([chunk], processed, end)
    async with asyncio.timeout(WAIT_SECONDS):
        await delivery.close()
    position, state = journal.committed(delivery.name)
    assert position == journal.end
    return letters, Tally.of(state["days"]["2026-11-22"]["stdin_0"])


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)


def check(output: Output, letters: MemoryDeadLetters, tally: Tally, numbers: set[int]) -> None:
    dead = numbers & output.poison
    assert sorted(output.delivered) == sorted(numbers - dead)
    assert sorted(letter["event_id"] for letter in letters.letters) == [f"o-{number:012x}" for number in sorted(dead)]
    assert (tally.received, tally.delivered, tally.dead, tally.difference) == (
        len(numbers),
        len(numbers) - len(dead),
        len(dead),
        0,
    )


async def test_one_of_many() -> None:
    output = Output({666}, away=5)
    letters, tally = await run(output, [list(range(500)), list(range(500, 1002))])
    check(output, letters, tally, set(range(1002)))
    [letter] = letters.letters
    assert (letter["stage"], letter["raw"]) == ("output", b'{"n":666}')
    assert letter["reason"] == "the output failed on it: KeyError('poison')"


@given(
    st.sets(st.integers(0, 29)),
    st.lists(st.integers(1, 10), min_size=1, max_size=3),
    st.integers(0, 4),
    st.booleans(),
)
def test_any_of_them(poison: set[int], sizes: list[int], away: int, tallies: bool) -> None:
    """Also all of them, or one that is alone."""
    numbers = iter(range(30))
    chunks = [[next(numbers) for _ in range(size)] for size in sizes]
    output = Output(poison, away, tallies)
    letters, tally = asyncio.run(run(output, chunks))
    check(output, letters, tally, set(chain.from_iterable(chunks)))


async def test_what_passes_makes_no_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """An odd error that hits every event for a while."""
    output = Output(set(range(10)))
    asyncio.get_running_loop().call_later(0.05, output.poison.clear)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)
    letters, tally = await run(output, [list(range(10))])
    assert (letters.letters, tally.delivered) == ([], 10)


async def test_an_event_that_an_attempt_gave_up_before_it_failed() -> None:
    """It is a dead letter by then, and not delivered with the other events of its part."""
    built, letters, delivered = build(FRAME % "").routes[0][0], MemoryDeadLetters(), list[int]()
    built = replace(built, output=Output(set()))

    async def deliver(payloads: list[list[int]], tries: float) -> None:
        numbers = list(chain.from_iterable(payloads))
        if 2 in numbers:
            if 3 in numbers:
                letters.add(stage="output", plugin=built.step.plugin_id, event_id=f"o-{3:012x}")
            raise OutputFailedError from KeyError("poison")
        delivered.extend(numbers)

    batch = Batch.of_events([{"n": number} for number in range(4)], range(4), "o", 0)
    tally = Tally(received=4, queued=4)
    await Isolation(built, letters, deliver).run([([batch], tally)])
    assert delivered == [0, 1]
    assert [letter["event_id"] for letter in letters.letters] == [f"o-{3:012x}", f"o-{2:012x}"]
    assert (tally.delivered, tally.dead, tally.queued, tally.difference) == (2, 2, 0, 0)
