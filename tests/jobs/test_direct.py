"""Pipelines in this process: whatever ends one of their tasks ends the run, with its reason."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.app.assemble import dead_letter_writer, running_pipeline
from ingestd.config.parser import parse
from ingestd.jobs.direct import run_direct
from ingestd.journal.memory import MemoryJournal
from ingestd.pipeline.delivery import OutputGoneError
from ingestd.pipeline.pipeline import RunningPipeline
from ingestd.plugins.inputs.generator import Generator
from ingestd.plugins.outputs.file import FileOutput
from ingestd.settings import Settings
from ingestd.tasks import TaskEndedError
from tests.waiting import WAIT_SECONDS, eventually


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Restore the thresholds of the garbage collector, which a run changes."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)


@pytest.fixture(autouse=True)
def sigterm() -> Iterator[None]:
    """Let a signal that comes too early or too late do nothing to the process of the tests, and restore its handler."""
    handler = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGTERM, handler)


def ask_to_end(running: asyncio.Task[bool]) -> None:
    """Send the signal that ends a run, which has to handle it by now."""
    assert not running.done()
    assert callable(signal.getsignal(signal.SIGTERM))
    os.kill(os.getpid(), signal.SIGTERM)


CONFIG = 'input { generator { count => %d } } output { file { path => "%s" } }'


def build(tmp_path: Path, count: int) -> RunningPipeline:
    settings = Settings(data_dir=tmp_path)
    config = parse(CONFIG % (count, tmp_path / "out"), "-e", {})
    journal = MemoryJournal(max_bytes=1 << 20)
    return running_pipeline("main", config, settings, dead_letter_writer(settings, "w0", 1), journal, 0)


def lines(tmp_path: Path) -> int:
    return (tmp_path / "out").read_bytes().count(b"\n")


async def test_it_ends_with_its_inputs(tmp_path: Path) -> None:
    assert await run_direct([build(tmp_path, 100)], 1)
    assert lines(tmp_path) == 100


async def test_it_ends_with_a_signal(tmp_path: Path) -> None:
    running = asyncio.create_task(run_direct([build(tmp_path, 0)], WAIT_SECONDS))
    await eventually(lambda: running.done() or ((tmp_path / "out").exists() and lines(tmp_path) > 0))
    ask_to_end(running)
    assert await asyncio.wait_for(running, WAIT_SECONDS)
    assert lines(tmp_path) > 0


async def test_a_signal_ends_it_after_its_inputs_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output is away: what was not delivered is given up after the time that a stop may take."""
    asked = asyncio.Event()

    async def away(*arguments: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(FileOutput, "deliver", away)
    running = asyncio.create_task(run_direct([build(tmp_path, 1)], 0.01))
    await asyncio.wait_for(asked.wait(), WAIT_SECONDS)
    await asyncio.sleep(0.1)
    ask_to_end(running)
    assert not await asyncio.wait_for(running, WAIT_SECONDS)


def dies(defect: Exception | None) -> Callable[..., Awaitable[None]]:
    """Return a coroutine function that raises, or is cancelled from outside."""

    async def die(*arguments: Any) -> None:
        if defect is not None:
            raise defect
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    return die


DEATHS = [  # id, what dies, of what, what the run raises
    ("input_raises", (Generator, "run"), RuntimeError("a defect"), RuntimeError),
    ("input_is_cancelled", (Generator, "run"), None, TaskEndedError),
    ("output_is_gone", (FileOutput, "deliver"), BrokenPipeError(), OutputGoneError),
    ("output_is_cancelled", (FileOutput, "deliver"), None, TaskEndedError),
]


@pytest.mark.parametrize(("target", "defect", "error"), [row[1:] for row in DEATHS], ids=[row[0] for row in DEATHS])
async def test_task_that_dies_ends_the_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: tuple[type, str],
    defect: Exception | None,
    error: type[Exception],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(*target, dies(defect))
    with pytest.raises(error):
        await asyncio.wait_for(run_direct([build(tmp_path, 0)], 1), WAIT_SECONDS)
    logged = any(message.startswith("a background task") for message in caplog.messages)
    assert logged == (error is not OutputGoneError)  # which is no defect: the command reports it
