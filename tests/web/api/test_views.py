"""Saved views: what is kept of them, and what is refused. Sessions and CSRF tokens are the middleware's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from ingestd.web.api.views import BUILT_IN, MAX_NAME, MAX_STATE, MAX_VIEWS, View, ViewError, Views, save, view_routes

Client = TestClient[web.Request, web.Application]


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    app = web.Application()
    app.add_routes(view_routes(tmp_path))
    async with TestClient(TestServer(app)) as client:
        yield client


async def views(client: Client) -> Any:
    """Return the saved views, which come after those that are built in."""
    return saved(await (await client.get("/api/views")).json())


def saved(answer: Any) -> Any:
    found = answer["views"]
    assert found[: len(BUILT_IN)] == [
        {"name": view.name, "state": view.state, "built_in": view.built_in} for view in BUILT_IN
    ]
    return found[len(BUILT_IN) :]


async def test_save_replace_delete(client: Client, tmp_path: Path) -> None:
    assert await views(client) == []
    for name, state in [(" 장애 ", "level=ERROR"), ("b", "range=7d"), ("장애", "level=WARNING")]:
        assert (await client.post("/api/views", json={"name": name, "state": state})).status == 200
    assert (tmp_path / "views.json").exists()
    expected = [{"name": "장애", "state": "level=WARNING"}, {"name": "b", "state": "range=7d"}]
    assert await views(client) == expected
    answer = await client.post("/api/views/delete", json={"name": "장애"})
    assert saved(await answer.json()) == expected[1:]
    assert (await client.post("/api/views/delete", json={"name": "nobody"})).status == 200
    assert await views(client) == expected[1:]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "the body is not valid"),
        (b'{"name": "a", "more": 1}', "the body is not valid"),
        (b'{"name": "a", "built_in": "words"}', "the body is not valid"),
        (b'{"name": " "}', "1 to 80 characters"),
        (b'{"name": "a\\nb"}', "control characters"),
        (b'{"name": "%b"}' % (b"a" * (MAX_NAME + 1)), "1 to 80 characters"),
        (b'{"name": "a", "state": "%b"}' % (b"a" * (MAX_STATE + 1)), "at most 8,000 are allowed"),
    ],
    ids=["json", "unknown", "built_in", "empty", "control", "long_name", "long_state"],
)
async def test_what_is_refused(client: Client, body: bytes, text: str) -> None:
    answer = await client.post("/api/views", data=body)
    assert answer.status == 400
    assert text in (await answer.json())["error"]["message"]
    assert await views(client) == []


@pytest.mark.parametrize("name", [view.name for view in BUILT_IN])
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("", "is built in, and cannot be replaced; choose another name"),
        ("/delete", "is built in, and cannot be deleted"),
    ],
    ids=["save", "delete"],
)
async def test_those_that_are_built_in_stay(client: Client, tmp_path: Path, name: str, path: str, text: str) -> None:
    answer = await client.post(f"/api/views{path}", json={"name": name})
    assert answer.status == 400
    assert (await answer.json())["error"]["message"] == f"the view {name!r} {text}"
    assert await views(client) == []
    assert not (tmp_path / "views.json").exists()


async def test_one_of_such_a_name_that_was_saved_before_can_be_deleted(client: Client, tmp_path: Path) -> None:
    name = BUILT_IN[0].name
    (tmp_path / "views.json").write_text(json.dumps({"views": [{"name": name, "state": ""}]}))
    answer = await client.post("/api/views/delete", json={"name": name})
    assert saved(await answer.json()) == []


def test_there_is_a_limit() -> None:
    content = Views([View(str(number)) for number in range(MAX_VIEWS)])
    save(content, View("0", "again"))
    with pytest.raises(ViewError, match="no more can be saved"):
        save(content, View("new"))
