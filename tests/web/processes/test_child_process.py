"""Processes beside the HTTP process: nothing of them is left, however they end."""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
import threading
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ingestd.web.processes.child_process import ChildProcess
from tests.processes import children
from tests.waiting import WAIT_SECONDS, eventually

MODULE = "ingestd.web.processes.action_process"
"""Waits for its stdin."""


async def test_a_start_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    """Wherever it is: after no turn of the event loop, after one, after two ...; then once its folder is there."""
    before = set(children(os.getpid()))
    for turns, with_folder in product(range(12), (False, True)):
        start = asyncio.create_task(ChildProcess.start(MODULE, tmp_path))
        while with_folder and not os.listdir(tmp_path):  # noqa: PTH208, ASYNC110 -- at once
            await asyncio.sleep(0)
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


async def test_a_disk_that_hangs_does_not_hold_up_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it when the start is cancelled meanwhile; what it makes at last is removed."""
    make, answers = tempfile.mkdtemp, threading.Event()

    def hang(**options: Any) -> Any:
        assert answers.wait(WAIT_SECONDS)
        return make(**options)

    monkeypatch.setattr(tempfile, "mkdtemp", hang)
    start = asyncio.create_task(ChildProcess.start(MODULE, tmp_path / "new"))
    await eventually((tmp_path / "new").is_dir)
    start.cancel()
    await asyncio.sleep(0)
    answers.set()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not list(await asyncio.to_thread((tmp_path / "new").iterdir))


@pytest.mark.filterwarnings("error")
async def test_an_end_closes_the_pipes_before_it_returns(tmp_path: Path) -> None:
    process = await ChildProcess.start(MODULE, tmp_path)
    await process.end()
    assert process.exit_code == -9
    assert process._process._transport.is_closing()  # type: ignore[attr-defined]
    del process
    gc.collect()
