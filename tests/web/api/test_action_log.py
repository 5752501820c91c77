"""What requests leave in the action log."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from ingestd.action_log import ActionLog
from ingestd.analytics.problem_marks import mark_problem
from ingestd.web.api.action_log import ActionRecorder
from ingestd.web.api.problems import problem_routes
from tests.web.api.test_problems import asker


def who(_: web.Request) -> tuple[str, str]:
    return "page", "192.0.2.1"


async def _post(data_dir: Path, body: bytes) -> int:
    app = web.Application(middlewares=[ActionRecorder(data_dir, "", who).middleware()])
    mark_problem(data_dir, "a\nb", "resolve", at="2026-01-01T00:00:00.000Z", by="kim", note="")
    app.add_routes(problem_routes(data_dir, asker(data_dir), who))
    async with TestClient(TestServer(app)) as client, client.post("/api/problems/a%0Ab/mute", data=body) as answer:
        return answer.status


BODIES = [
    (b'{"note": "a bot"}', 200, "note=a bot"),
    (b'{"note": "\xff"}', 400, "not UTF-8"),
    (b"\xff", 400, "not valid"),
]


@pytest.mark.filterwarnings("ignore:It is recommended to use web.RequestKey")  # aiohttp 3.14, we support 3.10
@pytest.mark.parametrize(("body", "status", "text"), BODIES, ids=["valid", "not_utf8", "not_json"])
def test_each_request_is_there_with_its_outcome(body: bytes, status: int, text: str, tmp_path: Path) -> None:
    assert asyncio.run(_post(tmp_path, body)) == status
    (found,) = ActionLog(tmp_path).read(10)
    assert (found.action, found.target, found.by, found.address) == ("problems.mute", "a\nb", "page", "192.0.2.1")
    assert found.outcome == ("done" if status == 200 else "failed")
    assert text in found.text
