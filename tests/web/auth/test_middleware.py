"""What the middleware lets pass; tests/e2e/test_access.py has the same over sockets."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from ingestd.web.auth import middleware
from ingestd.web.auth.access import Access
from ingestd.web.auth.middleware import Authentication

PASSWORD, TOKEN = "correct horse", "battery-staple"
PROXIED = Access(password=PASSWORD, token=TOKEN, trust_proxy=True)


class Site:
    """The middleware before a handler that answers 200; ``reached`` are the paths that got there."""

    def __init__(self, access: Access = PROXIED) -> None:
        self._check = Authentication(access, clock=lambda: 0.0).middleware()
        self.reached: list[str] = []

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.reached.append(request.path)
        return web.Response()

    async def get(self, path: str, *headers: tuple[str, str]) -> int:
        return (await self._check(make_mocked_request("GET", path, CIMultiDict(headers)), self._handle)).status


def bearer(token: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"


@pytest.fixture(autouse=True)
def without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "_PAUSE_SECONDS", 0.0)


async def test_a_rejection_stands_even_if_responses_are_false(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are mappings, and empty; only newer versions of aiohttp make them true."""
    monkeypatch.setattr(web.StreamResponse, "__bool__", lambda _: False, raising=False)
    site = Site()
    assert await site.get("/api/status") == 401
    assert not site.reached
    assert await site.get("/api/status", bearer(TOKEN)) == 200


@pytest.mark.parametrize(
    "path", ["/", "/login", "/api/session", "/static/page.js", "/api/status", "/metrics", "/health"]
)
async def test_no_path_lets_tokens_be_tried_without_a_limit(path: str) -> None:
    """Each answers a right token in another way than a wrong one."""
    site = Site()
    assert 429 not in [await site.get(path, bearer(f"wrong {number}")) for number in range(19)]
    assert [await site.get(path, bearer("wrong")) for _ in range(2)] == [429, 429]
    assert await site.get(path, bearer(TOKEN)) == 200


@pytest.mark.parametrize("path", ["/login", "/api/session", "/static/page.js"])
async def test_pages_for_everybody_need_no_token(path: str) -> None:
    assert await Site().get(path) == 200


CLIENTS = [  # id, X-Forwarded-For with the number of the request; all come from one client
    ("part_of_its_own", ["10.9.9.{}, 10.0.0.7"]),
    ("header_of_its_own", ["10.9.9.{}", "10.0.0.7"]),
    ("with_port", ["10.0.0.7:400{}"]),
    ("ipv6_with_port", ["[2001:db8::7]:400{}"]),
    ("same_network", ["2001:db8::{}"]),
    ("no_address", ["unknown{}"]),
    ("too_long", ["10.0.0.7" + "." * 100 + "{}"]),
]


@pytest.mark.parametrize("headers", [c[1] for c in CLIENTS], ids=[c[0] for c in CLIENTS])
async def test_a_client_is_known_by_what_the_proxy_adds(headers: list[str]) -> None:
    site = Site()
    found = [
        await site.get(
            "/api/status", bearer("wrong"), *[("X-Forwarded-For", header.format(number)) for header in headers]
        )
        for number in range(21)
    ]
    assert (set(found[:19]), found[20]) == ({401}, 429)
    assert await site.get("/api/status", bearer("wrong"), ("X-Forwarded-For", "10.0.0.8")) == 401
