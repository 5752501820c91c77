"""Delivery: every load arrives once and in order, and the journal knows how far it has come."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ingestd import metrics
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.tally import Tally
from ingestd.journal.base import Entry, Position
from ingestd.journal.memory import MemoryJournal
from ingestd.pipeline import delivery as module
from ingestd.pipeline.delivery import Delivery, OutputGoneError
from ingestd.pipeline.isolation import TRIES
from ingestd.pipeline.processing import Processed, prepare
from ingestd.plugins.interfaces import Prepared, Rejection
from ingestd.tasks import BackgroundTasks
from tests.conformance.running import FRAME, build
from tests.dead_letters.memory import MemoryDeadLetters
from tests.waiting import WAIT_SECONDS, eventually

TIME_NS = 1_795_341_600_000_000_000  # 2026-11-22


def nothing() -> Processed:
    """Return what an output gets that gets nothing."""
    return Processed((), (), 0, Tally())


class Output:
    """Keeps what it gets; ``troubles`` are raised first, one for each call."""

    batch_bytes = 100

    def __init__(self, concurrency: int = 1, troubles: Sequence[Exception] = ()) -> None:
        self.concurrency = concurrency
        self.calls: list[list[Any]] = []
        self.troubles = list(troubles)
        self.busy = self.most_busy = 0
        self.closed = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def open(self) -> None:
        pass

    def prepare(self, batch: Batch) -> Prepared[Any]:
        return Prepared(batch.documents()[0], 10)

    async def deliver(self, loads: Sequence[Any]) -> Sequence[Tally] | None:
        self.busy += 1
        self.most_busy = max(self.busy, self.most_busy)
        try:
            await self.gate.wait()
            if self.troubles:
                raise self.troubles.pop(0)
            self.calls.append(list(loads))
            return None
        finally:
            self.busy -= 1

    async def close(self) -> None:
        self.closed = True

    @property
    def loads(self) -> list[Any]:
        return [load for call in self.calls for load in call]


class Road:
    """A journal and the delivery behind it, begun."""

    def __init__(self, output: Any, max_delay: float = 0.01, max_bytes: int = 1 << 20) -> None:
        built = replace(build(FRAME % "").routes[0][0], output=output)
        self.journal = MemoryJournal()
        self.journal.consumers([built.step.plugin_id])
        self.letters = MemoryDeadLetters()
        self.tasks = BackgroundTasks("pipeline main", expected=(OutputGoneError,))
        self.delivery = Delivery(
            built,
            self.journal,
            self.letters,
            "main",
            self.tasks,
            batches_of=self.batches_of,
            max_delay=max_delay,
            max_bytes=max_bytes,
        )

    def batches_of(self, chunks: Sequence[Chunk]) -> list[Batch]:
        keys = [int(number) for chunk in chunks for number in chunk.data.split()]
        return [Batch.of_events([{"n": key} for key in keys], keys, "o", 0)]

    def append(self, data: bytes = b"x") -> Position:
        return self.journal.append([self.chunk(data)])

    def chunk(self, data: bytes = b"x", frames: int = 1) -> Chunk:
        return Chunk("stdin_0", "o", {}, 0, TIME_NS, frames, data)

    def take(self, numbers: Iterable[int], size: int = 10) -> list[Position]:
        """Take over one record for each number; return the positions behind them."""
        ends = []
        for number in numbers:
            event = {"n": number}
            ends.append(self.append(b"%d" % number))
            batch = Batch.of_events([event], [number], "o", 0)
            processed = Processed(*prepare(self.delivery.built, batch), Tally(received=1, queued=1))
            self.delivery.take([self.chunk()], processed._replace(size=size), ends[-1])
        return ends

    @property
    def committed(self) -> Position:
        return self.journal.committed(self.delivery.name)[0]


async def begun(output: Any, max_delay: float = 0.01, max_bytes: int = 1 << 20) -> Road:
    road = Road(output, max_delay, max_bytes)
    await road.delivery.start()
    return road


def texts(numbers: Iterable[int]) -> list[bytes]:
    return [b'{"n":%d}' % number for number in numbers]


async def comes(what: Callable[[], Awaitable[None]]) -> bool:
    """Return whether ``what`` returns at once: within a few turns of the event loop, however long they take."""
    coming = asyncio.ensure_future(what())
    for _ in range(20):
        await asyncio.sleep(0)
    if not coming.done():
        coming.cancel()
        return False
    await coming
    return True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)


async def test_in_order_and_joined() -> None:
    output = Output()
    road = await begun(output)
    road.take(range(25))
    await road.delivery.close()
    assert output.loads == texts(range(25))
    assert [len(call) for call in output.calls] == [10, 10, 5]  # 100 bytes each
    assert output.closed
    assert road.committed == road.delivery.position == road.journal.end


async def test_a_load_larger_than_the_output_wants_goes_alone() -> None:
    output = Output()
    road = await begun(output)
    road.take([1], size=1000)
    road.take([2, 3])
    await road.delivery.close()
    assert output.calls == [texts([1]), texts([2, 3])]


async def test_an_event_after_a_pause_is_delivered_at_once_and_those_after_it_together() -> None:
    output = Output()
    road = await begun(output, max_delay=WAIT_SECONDS)
    ends = road.take([1])
    await eventually(lambda: road.committed == ends[-1])
    for number in (2, 3):
        road.take([number])
        assert not await comes(road.delivery.idle)
    await road.delivery.close()
    assert output.calls == [texts([1]), texts([2, 3])]


async def test_an_input_says_whether_more_comes() -> None:
    """What is read in several turns is delivered in one call, and without a delay once the input rests."""
    output = Output()
    road = await begun(output, max_delay=WAIT_SECONDS)
    for number in (1, 2):
        road.take([number])
        road.delivery.expect_more(0.0)
        await asyncio.sleep(0)
    assert output.calls == []
    road.take([3])
    road.delivery.expect_more(WAIT_SECONDS / 2)
    for _ in range(5):
        await asyncio.sleep(0)
    assert output.calls == [], "more comes before it would be sent"
    road.delivery.expect_more(WAIT_SECONDS)
    await eventually(lambda: output.calls == [texts([1, 2, 3])])
    await road.delivery.close()


async def test_a_busy_output_lets_loads_gather() -> None:
    output = Output()
    output.gate.clear()
    road = await begun(output, max_delay=0)
    road.take([0])
    await eventually(lambda: output.busy == 1)
    road.take(range(1, 6))
    await asyncio.sleep(0.02)
    assert road.committed == Position(0, 0)
    output.gate.set()
    await road.delivery.close()
    assert output.calls == [texts([0]), texts(range(1, 6))]


async def test_a_failing_output_is_tried_again() -> None:
    output = Output(troubles=[RuntimeError("no"), OSError("disk"), ValueError("odd")])
    road = await begun(output)
    ends = road.take(range(3))
    await road.delivery.close()
    assert output.calls == [texts(range(3))]
    assert road.committed == ends[-1]


async def test_what_is_under_way_is_not_committed() -> None:
    output = Output()
    output.gate.clear()
    road = await begun(output, max_delay=0)
    [end] = road.take([1])
    await eventually(lambda: output.busy == 1)
    assert (road.committed, road.delivery.position) == (Position(0, 0), end)
    output.gate.set()
    await road.delivery.close()
    assert road.committed == end


async def test_a_closed_pipe_ends_it() -> None:
    road = await begun(Output(troubles=[BrokenPipeError()]))
    road.take([1])
    with pytest.raises(OutputGoneError, match="the reader of stdout_0 has gone"):
        await asyncio.wait_for(road.tasks.failure(), WAIT_SECONDS)
    assert road.committed == Position(0, 0)


async def test_several_calls_at_once() -> None:
    output = Output(concurrency=3)
    output.gate.clear()
    road = await begun(output, max_delay=0)
    ends = road.take(range(5), size=100)
    await eventually(lambda: output.busy == 3)
    output.gate.set()
    await road.delivery.close()
    assert sorted(output.loads) == texts(range(5))
    assert (road.committed, output.most_busy) == (ends[-1], 3)


class Doors(Output):
    """Each load has a door of its own: the test says what is done first."""

    def __init__(self) -> None:
        super().__init__(concurrency=3)
        self.doors = {text: asyncio.Event() for text in texts(range(3))}

    async def deliver(self, loads: Sequence[Any]) -> None:
        await self.doors[loads[0]].wait()
        await super().deliver(loads)


async def test_commits_come_in_the_order_of_the_journal() -> None:
    output = Doors()
    road = await begun(output, max_delay=0)
    first, second, third = road.take(range(3), size=100)
    empty = road.append()
    road.delivery.take((), nothing(), empty)  # nothing of it is for this output
    for number, done, expected in ((2, 1, Position(0, 0)), (0, 2, first), (1, 3, empty)):
        output.doors[texts([number])[0]].set()
        await eventually(lambda done=done: len(output.calls) == done)  # type: ignore[misc]
        await asyncio.sleep(0)
        assert road.committed == expected
    assert first < second < third < empty == road.delivery.position
    await road.delivery.close()


async def test_records_that_are_not_for_it_are_committed_at_once() -> None:
    road = await begun(Output())
    end = road.append()
    road.delivery.take((), nothing(), end)
    assert road.committed == road.delivery.position == end
    assert await comes(road.delivery.idle)
    await road.delivery.close()


async def test_no_room_at_the_bound_and_again_at_three_quarters() -> None:
    output = Output()
    output.gate.clear()
    road = await begun(output, max_delay=0, max_bytes=40_000)
    road.take(range(3), size=10_000)
    assert await comes(road.delivery.wait_for_room)
    road.take([3], size=10_000)
    assert not road.delivery.has_room
    assert not await comes(road.delivery.wait_for_room)
    waiting = asyncio.ensure_future(road.delivery.wait_for_room())
    output.gate.set()
    await asyncio.wait_for(waiting, WAIT_SECONDS)
    await road.delivery.close()


async def test_room_is_that_of_documents_not_of_frames() -> None:
    """One byte of a frame may become a long document, and a document takes memory besides its text."""
    output = Output()
    output.gate.clear()
    road = await begun(output, max_delay=0, max_bytes=1 << 20)
    road.delivery.take([road.chunk()], Processed([b""], (), 1 << 20, Tally(received=1, queued=1)), road.append())
    assert not road.delivery.has_room
    output.gate.set()
    await asyncio.wait_for(road.delivery.wait_for_room(), WAIT_SECONDS)
    output.gate.clear()
    road.delivery.take([road.chunk()], Processed([b""], (), 0, Tally(received=4096, queued=4096)), road.append())
    assert not road.delivery.has_room
    output.gate.set()
    await road.delivery.close()


async def test_records_of_which_nothing_is_left_take_room_until_they_are_committed() -> None:
    output = Output()
    output.gate.clear()
    road = await begun(output, max_delay=0, max_bytes=100_000)
    road.take([0])
    for _ in range(100):
        road.delivery.take([road.chunk()], nothing(), road.append())
    assert not road.delivery.has_room
    output.gate.set()
    await asyncio.wait_for(road.delivery.wait_for_room(), WAIT_SECONDS)
    await road.delivery.close()
    assert road.committed == road.journal.end


async def test_idle_when_everything_is_delivered() -> None:
    output = Output()
    output.gate.clear()
    road = await begun(output, max_delay=0)
    assert await comes(road.delivery.idle)
    road.take([1, 2])
    assert not await comes(road.delivery.idle)
    output.gate.set()
    await asyncio.wait_for(road.delivery.idle(), WAIT_SECONDS)
    assert output.loads == texts([1, 2])
    await road.delivery.close()


async def test_it_begins_where_it_was() -> None:
    road = Road(Output())
    end = road.append()
    road.append()
    road.journal.commit(road.delivery.name, end)
    await road.delivery.start()
    assert road.delivery.position == end
    await road.delivery.close()


async def test_a_record_of_which_a_part_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The output failed on it, and not all of its events can be made again: its payloads are tried until they pass."""
    output = Output(troubles=[KeyError("odd")] * (TRIES + 2))
    road = await begun(output)
    chunks = [road.chunk(b"%d" % number) for number in range(3)]
    end, read = road.journal.append(chunks), road.journal.read

    def damaged(position: Position, max_bytes: int) -> list[Entry]:
        entries = read(position, max_bytes)
        return read(entries[0].end, max_bytes) if entries[0].chunk.data == b"1" else entries

    monkeypatch.setattr(road.journal, "read", damaged)
    road.delivery.take(chunks, Processed(texts(range(3)), (), 30, Tally(received=3, queued=3)), end)
    await road.delivery.close()
    assert (output.loads, road.letters.letters, road.committed) == (texts(range(3)), [], end)
    state = road.journal.committed(road.delivery.name)[1]
    assert state["days"]["2026-11-22"]["stdin_0"] == {"received": 3, "delivered": 3}


async def test_closed_tasks_give_up() -> None:
    output = Output()
    output.gate.clear()
    road = await begun(output, max_delay=0)
    road.take([1])
    await asyncio.sleep(0.02)
    await road.tasks.close()
    assert (output.busy, road.tasks.names) == (0, [])
    assert (output.calls, road.committed) == ([], Position(0, 0))


class Choosy(Output):
    """Rejects one event when it is prepared, and has some already when they are delivered."""

    def prepare(self, batch: Batch) -> Prepared[Any]:
        payload, size, _ = super().prepare(batch)
        return Prepared(payload, size, [Rejection("refused", b"", "o-0")] if payload == texts([0])[0] else [])

    async def deliver(self, loads: Sequence[Any]) -> Sequence[Tally] | None:
        await super().deliver(loads)
        known = {texts([0])[0]: Tally(), texts([1])[0]: Tally(duplicates=1), texts([2])[0]: Tally(dead=1)}
        return [known.get(load) or Tally(delivered=1, indices=Counter({"logs": 1})) for load in loads]


async def test_what_became_of_the_events_is_counted_and_committed() -> None:
    output = Choosy()
    road = await begun(output)
    labels = "main", road.delivery.name
    before = metrics.EVENTS_DELIVERED.value(*labels), metrics.EVENTS_DUPLICATE.value(*labels)
    road.take(range(5))
    await road.delivery.close()
    after = metrics.EVENTS_DELIVERED.value(*labels), metrics.EVENTS_DUPLICATE.value(*labels)
    assert [late - early for early, late in zip(before, after, strict=True)] == [2, 1]
    assert road.journal.committed(road.delivery.name)[1] == {
        "since": 0,
        "events": 5,
        "days": {"2026-11-22": {"stdin_0": {"received": 5, "delivered": 2, "duplicates": 1, "dead": 2}}},
        "indices": {"logs": 2},
        "plugin": "stdout",
    }


async def test_nothing_is_committed_before_its_letters_are_on_the_disk() -> None:
    """Also a record that nothing is left of but letters: the journal forgets what is committed."""
    road = await begun(Output())
    road.letters.refuses = True
    road.letters.add(stage="filter", reason="no", raw=b"x")
    end = road.append()
    road.delivery.take([road.chunk()], Processed((), (), 0, Tally(received=1, dead=1)), end)
    await asyncio.sleep(0.05)
    assert (road.committed, await comes(road.delivery.idle)) == (Position(0, 0), False)
    road.letters.refuses = False
    await asyncio.wait_for(road.delivery.idle(), WAIT_SECONDS)
    assert (road.committed, road.letters.unsynced) == (end, False)
    assert road.journal.committed(road.delivery.name)[1]["days"]["2026-11-22"]["stdin_0"] == {"received": 1, "dead": 1}
    await road.delivery.close()


class Faulty(Output):
    """Has a fault of its own that one event shows."""

    def prepare(self, batch: Batch) -> Prepared[Any]:
        documents = batch.documents()
        if b'{"n":3}' in documents:
            raise ZeroDivisionError("three")
        return Prepared(documents, 10 * len(documents))

    async def deliver(self, loads: Sequence[Any]) -> Sequence[Tally]:
        await super().deliver(loads)
        return [Tally(delivered=len(load), indices=Counter({"logs": len(load)})) for load in loads]


async def test_a_fault_with_one_event_costs_its_neighbours_nothing() -> None:
    output = Faulty()
    road = await begun(output)
    events = [{"n": number} for number in range(6)]
    batch = Batch.of_events(events, range(len(events)), "o", 0)
    processed = Processed(*prepare(road.delivery.built, batch), Tally(received=6, queued=6))
    assert len(processed.rejected) == 1
    end = road.append()
    road.delivery.take([road.chunk(b"x" * 60, frames=6)], processed, end)
    await road.delivery.close()
    assert [text for load in output.loads for text in load] == texts([0, 1, 2, 4, 5])
    [letter] = road.letters.letters
    assert (letter["event_id"], letter["stage"], letter["plugin"]) == ("o-000000000003", "output", "stdout_0")
    assert letter["reason"] == "the daemon failed on it: ZeroDivisionError('three')"
    assert letter["raw"] == b'{"n":3}'
    state = road.journal.committed(road.delivery.name)[1]
    assert state["days"]["2026-11-22"]["stdin_0"] == {"received": 6, "delivered": 5, "dead": 1}
    assert state["indices"] == {"logs": 5}
