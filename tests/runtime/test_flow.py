"""Flow control: when inputs must wait, and when they may go on."""

from __future__ import annotations

import asyncio

import pytest

from ingestd.runtime.flow import Flow


async def waits(flow: Flow) -> bool:
    try:
        await asyncio.wait_for(flow.room(), 0.01)
    except TimeoutError:
        return True
    return False


async def test_full_at_the_limit_open_again_at_three_quarters() -> None:
    flow = Flow(100)
    flow.add(99, 1)
    assert not flow.full
    flow.add(1, 1)
    assert flow.full
    assert await waits(flow)
    flow.remove(24, 1)
    assert flow.full
    flow.remove(1, 0)
    assert not flow.full
    assert not await waits(flow)


async def test_who_waits_is_woken() -> None:
    flow = Flow(10)
    flow.add(50, 5)
    waiting = asyncio.ensure_future(flow.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    flow.remove(50, 5)
    await asyncio.wait_for(waiting, 1)
    assert (flow.bytes, flow.events) == (0, 0)


async def test_empty() -> None:
    flow = Flow(10)
    await asyncio.wait_for(flow.empty(), 1)
    flow.add(5, 2)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(flow.empty(), 0.01)
    flow.remove(5, 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(flow.empty(), 0.01)
    flow.remove(0, 1)
    await asyncio.wait_for(flow.empty(), 1)
