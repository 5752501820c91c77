"""What a status count says when its task is killed or fails."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from ingestd import metrics, web
from ingestd.plugins.inputs._tcp_senders import ADVICE
from ingestd.protocols.framing.senders import Sender
from ingestd.tasks import BackgroundTasks
from ingestd.web.api.actions import ManualActions
from ingestd.web.api.status import BackgroundCount, Status, senders
from ingestd.web.dashboard_config import DashboardConfig
from ingestd.web.health import Health
from ingestd.web.protocol import QueryResponse
from tests.waiting import WAIT_SECONDS

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


async def test_a_count_after_a_pause_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has looked for a while: the old value is not shown if a new one comes soon."""
    monkeypatch.setattr("ingestd.web.api.status._FIRST_COUNT_SECONDS", WAIT_SECONDS)
    pool = Pool()
    pool.may_respond.set()
    count = BackgroundCount(pool, BackgroundTasks("status"), "audit", None)  # type: ignore[arg-type]
    assert (await count.get(), count.time is not None) == (1, True)
    pool.body = b'{"audit":2}'
    pool.may_respond.clear()
    count._next_count, count._looked = 0.0, float("-inf")
    shown = asyncio.create_task(count.get())
    done, _ = await asyncio.wait({shown}, timeout=0.3)
    assert not done, "0.1 s is for those who look all the time"
    pool.may_respond.set()
    assert await shown == 2


async def test_rates_are_not_measured_across_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of the pause are not shown as if they came now; workers that are being replaced are counted."""
    monkeypatch.setattr("ingestd.web.api.status._FIRST_SAMPLE_SECONDS", 0.01)

    async def health() -> Health:
        return Health(running=1, replacing=1, wanted=2)

    actions = ManualActions(None)
    status = Status(DashboardConfig(), health, Pool(), actions)  # type: ignore[arg-type]
    status._dead_letters.known = status._audit.known = True
    status._dead_letters._next_count = status._audit._next_count = float("inf")
    await status.document()
    metrics.EVENTS_RECEIVED.add(1000, "paused", "tcp")
    status._samples = deque((at - 3600, received, delivered) for at, received, delivered in status._samples)
    status._made = float("-inf")
    document = await status.document()
    assert document["rates"]["received_per_s"] == 0
    assert document["workers"] == {"running": 1, "replacing": 1, "wanted": 2}


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
