"""The HTTP process: it ends with the supervisor, and restarts are asked for by its exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from ingestd.supervisor.processes.channel import Channel
from ingestd.units import Address
from ingestd.web.dashboard_config import NO_DASHBOARD
from ingestd.web.processes.http_process import _Workers, run_http_process
from tests.waiting import WAIT_SECONDS


async def test_an_answer_to_a_client_that_has_gone() -> None:
    """Its request is cancelled, and the answer comes before that is noticed: the process goes on."""
    ours, theirs = Channel.pair()
    with closing(ours), closing(theirs):
        workers = _Workers(theirs, None)
        asked = asyncio.create_task(workers.reload())
        await asyncio.sleep(0)
        [future] = workers._waiting.values()
        future.cancel()
        ours.send({"type": "reloaded", "number": 0, "error": "", "text": ""})
        workers.receive()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert not workers.failed


CASES: list[tuple[str, Callable[[Channel], None], int, bool]] = [  # id, what the supervisor does, exit code, logged
    ("stop", lambda channel: channel.send({"type": "stop"}), 0, False),
    ("gone", lambda channel: channel.close(), 0, False),
    ("defect", lambda channel: channel.send({"no": "type"}), 1, True),
]


@pytest.mark.parametrize(("act", "code", "logged"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_end(act: Callable[[Channel], None], code: int, logged: bool, caplog: pytest.LogCaptureFixture) -> None:
    ours, theirs = Channel.pair()
    with closing(ours), closing(theirs):
        ready = asyncio.Event()
        messages: list[dict[str, Any]] = []

        def receive() -> None:
            messages.extend(message for message, _ in ours.receive())
            ready.set()
            asyncio.get_running_loop().remove_reader(ours.fileno())

        asyncio.get_running_loop().add_reader(ours.fileno(), receive)
        address = Address("127.0.0.1", 0)
        process = asyncio.create_task(
            asyncio.to_thread(run_http_process, address, theirs, NO_DASHBOARD)  # in a loop of its own
        )
        async with asyncio.timeout(WAIT_SECONDS):
            await ready.wait()
            act(ours)
            assert await process == code
        assert [message for message in messages if message["type"] != "alive"] == [{"type": "ready"}]
        assert ("a message of the supervisor cannot be handled" in caplog.text) is logged
