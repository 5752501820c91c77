"""``POST api/problems/ID/...``: marks of problems."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from ingestd.analytics.problem_marks import load_marks, mark_problem
from ingestd.stores.local import LocalStore, LocalWriter, store_root
from ingestd.web.api.problems import Run, problem_routes
from ingestd.web.processes.query_calls import QueryCalls
from ingestd.web.protocol import Arguments, QueryProcessConfig, QueryResponse

RECORDS = [
    b'{"@timestamp":"2026-11-22T10:00:00.000Z","problem":"aaa","problem_title":"E in a"}',
    b'{"@timestamp":"2026-11-22T10:00:01.000Z","problem":"b/b","problem_title":"E in b"}',
]


def asker(data_dir: Path) -> Run:
    """Return a function that asks the built-in store of a data folder, which has two problems."""
    root = store_root(data_dir)
    if data_dir.is_dir() and not root.exists():
        writer = LocalWriter(root, "w0")
        writer.append("logstash-2026.11.22", RECORDS, ["0", "1"])
        writer.close()
    calls = QueryCalls(lambda: LocalStore(root), QueryProcessConfig(str(data_dir), memory=1 << 28, timeout_s=60))

    async def run(call: str, arguments: Arguments) -> QueryResponse:
        return calls.run(call, arguments)

    return run


async def _post(data_dir: Path, path: str, body: bytes) -> tuple[int, str]:
    app = web.Application()
    app.add_routes(problem_routes(data_dir, asker(data_dir), lambda _: ("page", "192.0.2.1"), "/logs"))
    async with TestClient(TestServer(app)) as client, client.post(f"/logs/api/problems/{path}", data=body) as answer:
        return answer.status, await answer.text()


def post(data_dir: Path, path: str, body: bytes = b"") -> tuple[int, str]:
    return asyncio.run(_post(data_dir, path, body))


def test_marks_are_kept_with_who_made_them(tmp_path: Path) -> None:
    assert post(tmp_path, "aaa/resolve", '{"note": "고침"}'.encode())[0] == 200
    assert post(tmp_path, "b%2Fb/mute")[0] == 200
    marks = {name: (mark.state, mark.note, mark.by) for name, mark in load_marks(tmp_path).items()}
    assert marks == {"aaa": ("resolved", "고침", "192.0.2.1"), "b/b": ("muted", "", "192.0.2.1")}
    assert post(tmp_path, "aaa/reopen")[0] == 200
    assert load_marks(tmp_path)["aaa"].state == "open"


REFUSED = [  # id, path, body, status, part of the answer
    ("not_json", "aaa/resolve", b"{", 400, "the body is not valid"),
    ("not_utf8", "aaa/resolve", b'{"note": "\xff"}', 400, "the body is not valid: it is not UTF-8"),
    ("other_key", "aaa/resolve", b'{"by": "me"}', 400, "the body is not valid"),
    ("long_note", "aaa/mute", b'{"note": "%s"}' % (b"x" * 501), 400, "at most 500 characters"),
    ("action", "aaa/delete", b"", 404, ""),
    ("unknown", "nosuch/resolve", b"", 404, "there is no problem 'nosuch'"),
]


@pytest.mark.parametrize(
    ("path", "body", "status", "text"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused(tmp_path: Path, path: str, body: bytes, status: int, text: str) -> None:
    found, answer = post(tmp_path, path, body)
    assert found == status
    assert text in answer
    assert load_marks(tmp_path) == {}


def test_a_problem_whose_events_were_deleted_can_be_reopened(tmp_path: Path) -> None:
    mark_problem(tmp_path, "old", "mute", at="2026-01-01T00:00:00.000Z", by="kim", note="")
    assert post(tmp_path, "old/reopen")[0] == 200
    assert load_marks(tmp_path)["old"].state == "open"


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / ".problems.json.lock").mkdir()
    status, answer = post(tmp_path, "aaa/resolve")
    assert status == 503
    assert "the data folder cannot be written" in answer
