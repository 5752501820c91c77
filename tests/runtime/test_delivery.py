"""Delivery: every load arrives once and in order, whatever the output does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ingestd.event.record import Batch
from ingestd.runtime import delivery as module
from ingestd.runtime.delivery import Delivery, OutputGoneError
from tests.conformance.running import FRAME, build


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

    def prepare(self, batch: Batch) -> Any:
        return batch.documents()[0]

    async def deliver(self, loads: Sequence[Any]) -> None:
        self.busy += 1
        self.most_busy = max(self.busy, self.most_busy)
        try:
            await self.gate.wait()
            if self.troubles:
                raise self.troubles.pop(0)
            self.calls.append(list(loads))
        finally:
            self.busy -= 1

    async def close(self) -> None:
        self.closed = True

    @property
    def loads(self) -> list[Any]:
        return [load for call in self.calls for load in call]


def delivery(output: Output, max_delay: float = 0.01) -> Delivery:
    built = build(FRAME % "").routes[0][0]
    return Delivery(replace(built, output=output), "main", max_delay)


class Done:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def put(to: Delivery, numbers: Sequence[int], size: int = 10) -> Done:
    done = Done()
    for number in numbers:
        event = {"n": number}
        to.put(Batch([(None, event, event, number)], "o", ()), size, done)
    return done


def texts(numbers: Sequence[int]) -> list[bytes]:
    return [b'{"n":%d}' % number for number in numbers]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)


async def test_in_order_and_joined() -> None:
    output = Output()
    one = delivery(output)
    await one.start()
    done = put(one, range(25))
    await one.close()
    assert output.loads == texts(range(25))
    assert [len(call) for call in output.calls] == [10, 10, 5]  # 100 bytes each
    assert (done.count, output.closed) == (25, True)


async def test_a_load_larger_than_the_output_wants_goes_alone() -> None:
    output = Output()
    one = delivery(output)
    await one.start()
    put(one, [1], size=1000)
    put(one, [2, 3])
    await one.close()
    assert output.calls == [texts([1]), texts([2, 3])]


async def test_little_is_delivered_after_the_delay() -> None:
    output = Output()
    one = delivery(output, max_delay=0.05)
    await one.start()
    done = put(one, [1, 2])
    await asyncio.sleep(0.01)
    assert done.count == 0
    async with asyncio.timeout(5):
        while done.count < 2:  # noqa: ASYNC110 -- it has no event to wait for
            await asyncio.sleep(0.01)
    assert output.calls == [texts([1, 2])]
    await one.close()


async def test_a_busy_output_lets_loads_gather() -> None:
    output = Output()
    output.gate.clear()
    one = delivery(output, max_delay=0)
    await one.start()
    done = put(one, [0])
    await asyncio.sleep(0.02)
    put(one, range(1, 6))
    await asyncio.sleep(0.02)
    assert done.count == 0
    output.gate.set()
    await one.close()
    assert output.calls == [texts([0]), texts(range(1, 6))]


async def test_a_failing_output_is_tried_again() -> None:
    output = Output(troubles=[RuntimeError("no"), OSError("disk"), ValueError("odd")])
    one = delivery(output)
    await one.start()
    done = put(one, range(3))
    await one.close()
    assert output.calls == [texts(range(3))]
    assert done.count == 3


async def test_done_comes_after_the_delivery() -> None:
    output = Output()
    output.gate.clear()
    one = delivery(output, max_delay=0)
    await one.start()
    done = put(one, [1])
    await asyncio.sleep(0.02)
    assert (output.busy, done.count) == (1, 0)
    output.gate.set()
    await one.close()
    assert done.count == 1


async def test_a_closed_pipe_ends_it() -> None:
    one = delivery(Output(troubles=[BrokenPipeError()]))
    await one.start()
    done = put(one, [1])
    with pytest.raises(OutputGoneError, match="the reader of stdout_0 has gone"):
        await asyncio.wait_for(one.failed(), 5)
    assert done.count == 0


async def test_several_calls_at_once() -> None:
    output = Output(concurrency=3)
    output.gate.clear()
    one = delivery(output, max_delay=0)
    await one.start()
    done = put(one, range(5), size=100)
    await asyncio.sleep(0.05)
    assert output.busy == 3
    output.gate.set()
    await one.close()
    assert sorted(output.loads) == texts(range(5))
    assert (done.count, output.most_busy) == (5, 3)


async def test_cancel_gives_up() -> None:
    output = Output()
    output.gate.clear()
    one = delivery(output, max_delay=0)
    await one.start()
    done = put(one, [1])
    await asyncio.sleep(0.02)
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one.failed()
    assert (output.calls, done.count) == ([], 0)
