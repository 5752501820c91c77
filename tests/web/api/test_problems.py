"""``POST api/problems/ID/...``: marks of problems."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from ingestd.analytics.problem_marks import load_marks
from ingestd.web.api.problems import problem_routes


async def _post(data_dir: Path, path: str, body: bytes) -> tuple[int, str]:
    app = web.Application()
    app.add_routes(problem_routes(data_dir, "/logs"))
    async with TestClient(TestServer(app)) as client, client.post(f"/logs/api/problems/{path}", data=body) as answer:
        return answer.status, await answer.text()


def post(data_dir: Path, path: str, body: bytes = b"") -> tuple[int, str]:
    return asyncio.run(_post(data_dir, path, body))


def test_marks_are_kept_with_who_made_them(tmp_path: Path) -> None:
    assert post(tmp_path, "aaa/resolve", '{"note": "고침"}'.encode())[0] == 200
    assert post(tmp_path, "b%2Fb/mute")[0] == 200
    marks = {name: (mark.state, mark.note, mark.by) for name, mark in load_marks(tmp_path).items()}
    assert marks == {"aaa": ("resolved", "고침", "127.0.0.1"), "b/b": ("muted", "", "127.0.0.1")}
    assert post(tmp_path, "aaa/reopen")[0] == 200
    assert load_marks(tmp_path)["aaa"].state == "open"


REFUSED = [  # id, path, body, status, part of the answer
    ("not_json", "aaa/resolve", b"{", 400, "the body is not valid"),
    ("not_utf8", "aaa/resolve", b'{"note": "\xff"}', 400, "the body is not valid: it is not UTF-8"),
    ("other_key", "aaa/resolve", b'{"by": "me"}', 400, "the body is not valid"),
    ("long_note", "aaa/mute", b'{"note": "%s"}' % (b"x" * 501), 400, "at most 500 characters"),
    ("action", "aaa/delete", b"", 404, ""),
]


@pytest.mark.parametrize(
    ("path", "body", "status", "text"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused(tmp_path: Path, path: str, body: bytes, status: int, text: str) -> None:
    found, answer = post(tmp_path, path, body)
    assert found == status
    assert text in answer
    assert load_marks(tmp_path) == {}


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    status, answer = post(tmp_path / "file", "aaa/resolve")
    assert status == 503
    assert "the data folder cannot be written" in answer
