"""Background tasks: none ends unnoticed."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pytest

from ingestd.tasks import BackgroundTasks, TaskEndedError
from tests.waiting import WAIT_SECONDS


async def fails(error: Exception) -> NoReturn:
    await asyncio.sleep(0)
    raise error


async def forever() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    pass


async def failure(tasks: BackgroundTasks) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        await tasks.failure()


async def test_a_failure_is_logged_and_raised(caplog: pytest.LogCaptureFixture) -> None:
    tasks = BackgroundTasks("pipeline main")
    tasks.start("sync", forever())
    tasks.start("input tcp_0", fails(KeyError("no such thing")))
    with pytest.raises(KeyError, match="no such thing"):
        await failure(tasks)
    [record] = caplog.records
    assert record.getMessage() == "a background task failed"
    assert record.__dict__["fields"] == {
        "owner": "pipeline main",
        "task": "input tcp_0",
        "error": "KeyError('no such thing')",
    }
    assert record.exc_info is not None
    assert tasks.names == ["sync"]
    await tasks.close()


async def test_a_callback_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    tasks, called = BackgroundTasks("input tcp_0"), list[str]()
    tasks.call("flush", lambda: called.append("once"))
    assert called == ["once"]
    asyncio.get_running_loop().call_soon(tasks.call, "flush", lambda: called.remove("twice"))
    with pytest.raises(ValueError, match="not in list"):
        await failure(tasks)
    [record] = caplog.records
    assert record.__dict__["fields"]["task"] == "flush"


async def test_the_first_failure_counts() -> None:
    tasks = BackgroundTasks("o")
    tasks.start("a", fails(ValueError("first")))
    tasks.start("b", fails(ValueError("second")))
    await asyncio.sleep(0.01)
    for _ in range(2):
        with pytest.raises(ValueError, match="first"):
            await failure(tasks)


async def test_an_expected_failure_is_raised_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    tasks = BackgroundTasks("o", expected=(BrokenPipeError,))
    tasks.start("a", fails(BrokenPipeError()))
    with pytest.raises(BrokenPipeError):
        await failure(tasks)
    assert not caplog.records


async def test_cancelled_from_outside(caplog: pytest.LogCaptureFixture) -> None:
    tasks = BackgroundTasks("o")
    tasks.start("a", forever()).cancel()
    with pytest.raises(TaskEndedError, match="a was cancelled"):
        await failure(tasks)
    assert caplog.messages == ["a background task was cancelled"]


async def test_the_return_of_endless_work(caplog: pytest.LogCaptureFixture) -> None:
    tasks = BackgroundTasks("o")
    tasks.start("a", at_once(), endless=True)
    with pytest.raises(TaskEndedError, match="a returned"):
        await failure(tasks)
    assert caplog.messages == ["a background task failed"]


async def test_what_is_done_or_cancelled_on_purpose_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    tasks = BackgroundTasks("o")
    await tasks.start("done", at_once())
    tasks.cancel(tasks.start("cancelled", forever()))
    tasks.start("closed", forever(), endless=True)
    await asyncio.sleep(0)
    assert tasks.names == ["closed"]
    assert len(tasks) == 1
    [task] = tasks.find("closed")
    await tasks.close()
    assert task.cancelled()
    assert not caplog.records
    assert len(tasks) == 0


async def test_an_error_amid_a_close_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fails_late() -> None:
        try:
            await forever()
        finally:
            raise ValueError("late")

    tasks = BackgroundTasks("o")
    tasks.start("a", fails_late())
    await asyncio.sleep(0)
    await tasks.close()
    assert caplog.messages == ["a background task failed"]


@pytest.mark.parametrize("end", ["raise", "cancel"])
async def test_kept_running(end: str, caplog: pytest.LogCaptureFixture) -> None:
    tasks, lives, done = BackgroundTasks("o"), list[asyncio.Task[None] | None](), asyncio.Event()

    async def work() -> None:
        lives.append(asyncio.current_task())
        if len(lives) == 3:
            done.set()
            return
        if end == "raise":
            raise ValueError("no")
        await forever()

    tasks.keep_running("a", work, pause_s=0.01)
    async with asyncio.timeout(WAIT_SECONDS):
        while not done.is_set():
            await asyncio.sleep(0.001)
            for task in tasks.find("a") if end == "cancel" else ():
                if task in lives:  # else it has not run yet
                    task.cancel()
    await asyncio.sleep(0.03)
    assert len(lives) == 3
    assert len(caplog.messages) == 2
    assert not tasks.names


async def test_nothing_is_started_again_after_the_close() -> None:
    tasks, starts = BackgroundTasks("o"), list[int]()

    async def work() -> None:
        starts.append(1)
        raise ValueError("no")

    tasks.keep_running("a", work, pause_s=0.3)
    await asyncio.sleep(0.001)
    await tasks.close()
    await asyncio.sleep(0.4)
    assert starts == [1]


def test_the_end_of_the_loop_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """An owner that was not closed: its process ends for another reason, which is logged."""
    tasks = BackgroundTasks("o")

    async def main() -> None:
        tasks.start("a", forever())
        tasks.keep_running("b", forever)
        await asyncio.sleep(0.001)

    asyncio.run(main())
    assert not caplog.records


async def test_until() -> None:
    tasks = BackgroundTasks("o")
    assert await tasks.until(asyncio.sleep(0, "result")) == "result"
    with pytest.raises(ValueError, match="its own"):
        await tasks.until(fails(ValueError("its own")))
    tasks.start("a", fails(KeyError("a task")))
    work = asyncio.ensure_future(forever())
    with pytest.raises(KeyError, match="a task"):
        await asyncio.wait_for(tasks.until(work), WAIT_SECONDS)
    assert work.cancelled()
