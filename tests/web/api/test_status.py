"""What a status count says when its task is killed or fails."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ingestd import metrics, web
from ingestd.plugins.inputs._tcp_senders import ADVICE
from ingestd.protocols.senders import Sender
from ingestd.tasks import BackgroundTasks
from ingestd.web.api.status import BackgroundCount, senders
from ingestd.web.processes.protocol import QueryResponse

ABORTED = "audit: the count was aborted by an internal error; the daemon's log has the reason"


class Pool:
    """Responds to the first call when it may, and to the others at once."""

    def __init__(self, body: bytes = b'{"audit":1}') -> None:
        self.body, self.called, self.may_respond = body, asyncio.Event(), asyncio.Event()

    async def run(self, call: str, arguments: dict[str, Any]) -> QueryResponse:
        self.called.set()
        await self.may_respond.wait()
        return QueryResponse(200, self.body)


async def count_again(count: BackgroundCount) -> Any:
    count._next_count = 0.0
    return await count.get()


async def test_a_killed_count(caplog: pytest.LogCaptureFixture) -> None:
    pool, tasks = Pool(), BackgroundTasks("status")
    count = BackgroundCount(pool, tasks, "audit", None)  # type: ignore[arg-type]
    shown = asyncio.create_task(count.get())
    await pool.called.wait()
    [task] = tasks.find("count of audit")
    task.cancel()
    assert await shown is None
    assert (count.problem, count.known) == (ABORTED, False)
    assert "a background task was cancelled" in caplog.text
    pool.may_respond.set()
    assert await count_again(count) == 1
    assert (count.problem, count.known) == ("", True)


@pytest.mark.parametrize("body", [b"no JSON", b"{}"])
async def test_a_count_that_fails(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool(body)
    pool.may_respond.set()
    count = BackgroundCount(pool, BackgroundTasks("status"), "audit", None)  # type: ignore[arg-type]
    assert await count.get() is None
    assert count.problem == ABORTED
    assert "a background task failed" in caplog.text
    pool.body = b'{"audit":2}'
    assert await count_again(count) == 2
    assert count.problem == ""


def test_senders() -> None:
    metrics.SENDERS_UNSUPPORTED.add(2, "main", "status", "tls")
    metrics.SENDERS_UNSUPPORTED.add(3, "main", "status", "pickle")
    rows = [row for row in senders() if row["input"] == "status"]
    assert [(row["kind"], row["connections"]) for row in rows] == [("pickle", 3), ("tls", 2)]
    assert "TCPLogstashHandler" in rows[0]["help"]


@pytest.mark.parametrize("language", ["english", "korean"])
@pytest.mark.parametrize("sender", ADVICE)
def test_the_page_has_a_text_for_every_sender(sender: Sender, language: str) -> None:
    texts = (Path(web.__file__).parent / "static" / f"{language}.js").read_text()
    assert f'"sender.{sender}":' in texts
    assert f'"sender.{sender}.help":' in texts
