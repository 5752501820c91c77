"""Saved views: what is kept of them, and what is refused. Sessions and CSRF tokens are the middleware's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from ingestd.web.api.views import MAX_NAME, MAX_STATE, MAX_VIEWS, View, ViewError, Views, save, view_routes

Client = TestClient[web.Request, web.Application]


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    app = web.Application()
    app.add_routes(view_routes(tmp_path))
    async with TestClient(TestServer(app)) as client:
        yield client


async def views(client: Client) -> Any:
    return await (await client.get("/api/views")).json()


async def test_save_replace_delete(client: Client, tmp_path: Path) -> None:
    assert await views(client) == {"views": []}
    for name, state in [(" 장애 ", "level=ERROR"), ("b", "range=7d"), ("장애", "level=WARNING")]:
        assert (await client.post("/api/views", json={"name": name, "state": state})).status == 200
    assert (tmp_path / "views.json").exists()
    expected = [{"name": "장애", "state": "level=WARNING"}, {"name": "b", "state": "range=7d"}]
    assert await views(client) == {"views": expected}
    answer = await client.post("/api/views/delete", json={"name": "장애"})
    assert await answer.json() == {"views": expected[1:]}
    assert (await client.post("/api/views/delete", json={"name": "nobody"})).status == 200
    assert await views(client) == {"views": expected[1:]}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "the body is not valid"),
        (b'{"name": "a", "more": 1}', "the body is not valid"),
        (b'{"name": " "}', "1 to 80 characters"),
        (b'{"name": "a\\nb"}', "control characters"),
        (b'{"name": "%b"}' % (b"a" * (MAX_NAME + 1)), "1 to 80 characters"),
        (b'{"name": "a", "state": "%b"}' % (b"a" * (MAX_STATE + 1)), "at most 8,000 are allowed"),
    ],
    ids=["json", "unknown", "empty", "control", "long_name", "long_state"],
)
async def test_what_is_refused(client: Client, body: bytes, text: str) -> None:
    answer = await client.post("/api/views", data=body)
    assert answer.status == 400
    assert text in (await answer.json())["error"]["message"]
    assert await views(client) == {"views": []}


def test_there_is_a_limit() -> None:
    content = Views([View(str(number)) for number in range(MAX_VIEWS)])
    save(content, View("0", "again"))
    with pytest.raises(ViewError, match="no more can be saved"):
        save(content, View("new"))
