"""Processes beside the HTTP process: nothing of them is left, however they end."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

import pytest

from ingestd.web.processes.child_process import ChildProcess
from tests.processes import children
from tests.waiting import eventually

MODULE = "ingestd.web.processes.action_process"
"""Waits for its stdin."""


async def test_a_start_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    """Wherever it is: after no turn of the event loop, after one, after two ..."""
    before = set(children(os.getpid()))
    for turns in range(12):
        start = asyncio.create_task(ChildProcess.start(MODULE, tmp_path))
        for _ in range(turns):
            await asyncio.sleep(0)
        start.cancel()
        try:
            process = await start
        except asyncio.CancelledError:
            continue
        await process.end()
    await eventually(lambda: set(children(os.getpid())) <= before)
    assert not list(await asyncio.to_thread(tmp_path.iterdir))


@pytest.mark.filterwarnings("error")
async def test_an_end_closes_the_pipes_before_it_returns(tmp_path: Path) -> None:
    process = await ChildProcess.start(MODULE, tmp_path)
    await process.end()
    assert process.exit_code == -9
    assert process._process._transport.is_closing()  # type: ignore[attr-defined]
    del process
    gc.collect()
