"""Authentication: passwords, tokens, sessions, CSRF, host names and prefixes, over real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ingestd.action_log import ActionLog
from ingestd.analytics.problem_marks import load_marks, mark_problem
from ingestd.units import Address
from ingestd.web.auth.access import Access, AccessError
from ingestd.web.dashboard_config import DashboardConfig
from ingestd.web.health import Health, ReloadResult
from ingestd.web.server import HttpServer
from tests.e2e.daemon import Daemon, environment
from tests.processes import command_line, everything
from tests.waiting import WAIT_SECONDS, wait_until

PASSWORD, TOKEN = "correct horse", "battery-staple"
LOCKED = Access(password=PASSWORD, token=TOKEN)
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


class Client:
    """A browser or program: keeps cookies, follows no redirects."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))  # unsafe: at an IP address

    async def ask(self, method: str, path: str, **arguments: Any) -> Answer:
        async with self._session.request(method, self.url + path, allow_redirects=False, **arguments) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.text())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async def sign_in(self, password: str = PASSWORD, **form: str) -> Answer:
        return await self.ask("POST", "/login", data={"password": password, **form})

    async def close(self) -> None:
        await self._session.close()


class Reloads:
    """Counts the calls of ``/reload``."""

    count = 0

    async def reload(self) -> ReloadResult:
        self.count += 1
        return ReloadResult("", "applied")


async def health() -> Health:
    return Health()


Serve = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def reloads() -> Reloads:
    return Reloads()


@pytest.fixture
def serve(tmp_path: Path, reloads: Reloads) -> Serve:
    @asynccontextmanager
    async def start(access: Access, prefix: str = "") -> AsyncIterator[Client]:
        config = DashboardConfig(access=access, prefix=prefix, data_dir=tmp_path)
        server = HttpServer(Address("127.0.0.1", 0), health, config, reload=reloads.reload)
        await server.start()
        client = Client(f"http://{server.bound}{prefix}")
        try:
            yield client
        finally:
            await client.close()
            await server.stop()

    return start


TABLE = [  # method, path, status for: a stranger, one who signed in, a program with the token; where nobody signs in
    ("GET", "/", 303, 200, 200, 200),
    ("GET", "/?q=x", 303, 200, 200, 200),
    ("GET", "/static/world.json", 200, 200, 200, 200),
    ("GET", "/login", 200, 303, 303, 303),
    ("GET", "/api/session", 200, 200, 200, 200),
    ("GET", "/api/indices", 401, 200, 200, 200),
    ("GET", "/api/status", 401, 200, 200, 200),
    ("GET", "/api/search?q=%22", 401, 400, 400, 400),
    ("GET", "/api/nothing", 401, 404, 404, 404),
    ("GET", "/nothing", 401, 404, 404, 404),
    ("GET", "/metrics", 401, 200, 200, 200),
    ("GET", "/health", 401, 200, 200, 200),
    ("GET", "/health/live", 200, 200, 200, 200),
    ("GET", "/health/ready", 200, 200, 200, 200),
    ("HEAD", "/api/indices", 401, 200, 200, 200),
    ("OPTIONS", "/api/indices", 401, 403, 405, 403),
    ("POST", "/reload", 401, 403, 200, 200),
    ("POST", "/logout", 401, 403, 204, 403),
    ("POST", "/api/indices/x/delete", 401, 403, 409, 403),
]


async def test_who_may_what(serve: Serve) -> None:
    found = []
    async with serve(LOCKED) as guest, serve(Access()) as anybody:
        member = Client(guest.url)
        assert (await member.sign_in()).status == 303
        for method, path, *_ in TABLE:
            stranger, known = await guest.ask(method, path), await member.ask(method, path)
            program = await guest.ask(method, path, headers=BEARER)
            statuses = [answer.status for answer in (stranger, known, program, await anybody.ask(method, path))]
            found.append((method, path, *statuses))
        await member.close()
    assert found == TABLE


DETOURS = [  # as they stand in the request: no client's tidying up
    "/static/../api/indices",
    "/static/..%2fapi/indices",
    "/static%2f..%2fapi/indices",
    "/static/%2e%2e/api/indices",
    "//api/indices",
    "/./api/indices",
    "/api/indices/",
    "/%61pi/indices",
    "/login/../api/indices",
    "/health/live/../../api/indices",
    "/health/live;/api/indices",
    "http://127.0.0.1/api/indices",
    "http://127.0.0.1/static/../api/indices",
]


@pytest.mark.parametrize("target", DETOURS)
async def test_no_detour_leads_in(serve: Serve, target: str) -> None:
    async with serve(LOCKED) as client:
        host, port = client.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
    assert answer.split(" ")[1] in {"400", "401", "404"}
    assert "indices" not in answer.partition("\r\n\r\n")[2]


async def test_metrics_may_be_open(serve: Serve) -> None:
    async with serve(Access(password=PASSWORD, open_metrics=True)) as client:
        statuses = [(await client.get(path)).status for path in ("/metrics", "/health", "/api/status")]
    assert statuses == [200, 200, 401]


async def test_signing_in_and_out(serve: Serve) -> None:
    async with serve(LOCKED) as client:
        refused = await client.get("/?q=%EC%84%9C")
        assert (refused.status, refused.headers["Location"]) == (303, "login?next=%3Fq%3D%25EC%2584%259C")
        form = await client.get("/" + refused.headers["Location"], Accept_Language="ko")
        assert "비밀번호" in form.text
        assert 'value="?q=%EC%84%9C"' in form.text
        entered = await client.sign_in(next="?q=%EC%84%9C")
        assert (entered.status, entered.headers["Location"]) == (303, "./?q=%EC%84%9C")
        session = (await client.get("/api/session")).json()
        assert (session["user"], session["password_required"]) == (True, True)
        left = await client.ask("POST", "/logout", headers={"X-CSRF-Token": session["csrf"]})
        assert left.status == 204
        assert (await client.get("/api/session")).json() == {"user": False, "csrf": None, "password_required": True}
        assert (await client.get("/api/indices")).status == 401


async def test_a_signed_out_cookie_opens_nothing(serve: Serve) -> None:
    async with serve(LOCKED) as client:
        cookie = (await client.sign_in()).headers["Set-Cookie"].partition(";")[0]
        other = Client(client.url)
        assert (await other.get("/api/indices", Cookie=cookie)).status == 200
        csrf = (await client.get("/api/session")).json()["csrf"]
        await client.ask("POST", "/logout", headers={"X-CSRF-Token": csrf})
        assert (await other.get("/api/indices", Cookie=cookie)).status == 401
        await other.close()


async def test_a_token_alone_opens_the_form_too(serve: Serve) -> None:
    async with serve(Access(token=TOKEN)) as client:
        assert (await client.sign_in(TOKEN)).status == 303
        assert (await client.get("/api/indices")).status == 200


ALWAYS = {"httponly", "samesite=lax", "max-age=43200"}
HTTPS = {"X-Forwarded-Proto": "https"}
COOKIES: list[tuple[str, bool, str, dict[str, str], set[str]]] = [  # id, trust_proxy, prefix, headers, attributes
    ("plain", False, "", {}, {*ALWAYS, "path=/"}),
    ("prefix", False, "/logs", {}, {*ALWAYS, "path=/logs/"}),
    ("https", True, "", HTTPS, {*ALWAYS, "path=/", "secure"}),
    ("not_believed", False, "", HTTPS, {*ALWAYS, "path=/"}),
]


@pytest.mark.parametrize(
    ("trust", "prefix", "headers", "attributes"), [c[1:] for c in COOKIES], ids=[c[0] for c in COOKIES]
)
async def test_cookie(serve: Serve, trust: bool, prefix: str, headers: dict[str, str], attributes: set[str]) -> None:
    async with serve(Access(password=PASSWORD, trust_proxy=trust), prefix) as client:
        entered = await client.ask("POST", "/login", data={"password": PASSWORD}, headers=headers)
    [value, *rest] = entered.headers["Set-Cookie"].split("; ")
    assert value.startswith("ingestd_session=")
    assert {attribute.lower() for attribute in rest if not attribute.startswith("expires")} == attributes


async def test_wrong_passwords_are_slowed_down(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "ingestd")
    async with serve(LOCKED) as client:
        tries = [await client.sign_in(f"wrong {number}") for number in range(6)]
        right = await client.sign_in()
        other = await client.get("/metrics", **BEARER)
    assert [answer.status for answer in tries] == [403] * 5 + [429]
    assert "The password is wrong." in tries[0].text
    assert 0 < int(tries[-1].headers["Retry-After"]) <= 12
    assert (right.status, other.status) == (303, 200), "what is right is let in, whoever else has this address"
    assert len(caplog.records) == 5
    assert "wrong 0" not in caplog.text


async def test_clients_of_a_trusted_proxy_are_distinguished(serve: Serve, tmp_path: Path) -> None:
    """Where passwords are tried, in the action log, and in what they decide."""
    mark_problem(tmp_path, "p", "resolve", at="2026-01-01T00:00:00.000Z", by="kim", note="")
    async with serve(Access(password=PASSWORD, trust_proxy=True)) as client:

        async def enter(password: str, sender: str) -> int:
            headers = {"X-Forwarded-For": sender}
            return (await client.ask("POST", "/login", data={"password": password}, headers=headers)).status

        for number in range(5):
            assert await enter("wrong one", f"10.9.9.{number}, 10.0.0.7") == 403  # what the sender says itself
        assert [await enter("wrong one", sender) for sender in ("10.0.0.7", "10.0.0.8")] == [429, 403]
        assert [await enter(PASSWORD, sender) for sender in ("10.0.0.7", "10.0.0.8")] == [303, 303]
        headers = {"X-CSRF-Token": (await client.get("/api/session")).json()["csrf"], "X-Forwarded-For": "10.0.0.8"}
        assert (await client.ask("POST", "/api/problems/p/mute", headers=headers)).status == 200
    assert [action.address for action in ActionLog(tmp_path).read(10)] == ["10.0.0.8"]
    assert load_marks(tmp_path)["p"].by == "10.0.0.8"


async def test_wrong_tokens_are_slowed_down(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "ingestd")
    async with serve(LOCKED) as client:
        for number in range(19):
            assert (await client.get("/metrics", Authorization=f"Bearer wrong-{number}")).status == 401
        slowed = await client.get("/metrics", Authorization="Bearer wrong")
        assert (slowed.status, 0 < int(slowed.headers["Retry-After"]) <= 12) == (429, True)
        assert (await client.get("/metrics", **BEARER)).status == 200, "Prometheus and a script may share an address"
        assert (await client.get("/metrics")).status == 401, "without a token it is not about tokens"
        assert len(caplog.records) == 20
        assert "wrong-" not in caplog.text
        assert (await client.sign_in()).status == 303


async def test_changes_need_the_token_of_the_session(serve: Serve, reloads: Reloads) -> None:
    async with serve(LOCKED) as client:
        await client.sign_in()
        csrf = (await client.get("/api/session")).json()["csrf"]
        for given, status in (("", 403), (csrf[:-1], 403), ("비밀", 403), (csrf, 200)):
            answer = await client.ask("POST", "/reload", headers={"X-CSRF-Token": given} if given else {})
            assert answer.status == status
    assert reloads.count == 1


FROM = [  # id, path, method, Fetch Metadata, status
    ("own_page", "/api/indices", "GET", "same-origin", 200),
    ("typed_in", "/api/indices", "GET", "none", 200),
    ("other_site", "/api/indices", "GET", "cross-site", 403),
    ("other_port", "/api/indices", "GET", "same-site", 403),
    ("link_to_the_page", "/", "GET", "cross-site", 200),
    ("order", "/reload", "POST", "cross-site", 403),
    ("login", "/login", "POST", "cross-site", 403),
]


@pytest.mark.parametrize(
    ("path", "method", "site", "status"), [case[1:] for case in FROM], ids=[case[0] for case in FROM]
)
async def test_other_sites(serve: Serve, path: str, method: str, site: str, status: int) -> None:
    async with serve(Access()) as client:
        assert (await client.ask(method, path, headers={"Sec-Fetch-Site": site})).status == status


async def test_no_browser_loads_the_config_of_an_open_daemon(serve: Serve, reloads: Reloads) -> None:
    async with serve(Access()) as client:
        assert (await client.ask("POST", "/reload", headers={"Origin": "http://127.0.0.1"})).status == 403
        assert (await client.ask("POST", "/reload")).status == 200
    assert reloads.count == 1


HOSTS = [  # Host, allowed names, status without a password, with one
    ("127.0.0.1:9600", "", 200, 401),
    ("127.0.0.1", "", 200, 401),
    ("[::1]:9600", "", 200, 401),
    ("localhost:9600", "", 200, 401),
    ("LOCALHOST", "", 200, 401),
    ("evil.example:9600", "", 403, 401),
    ("127.0.0.1.evil.example", "", 403, 401),
    ("localhost.evil.example", "", 403, 401),
    ("logs.example.com", "logs.example.com", 200, 401),
    ("logs.example.com:443", "logs.example.com", 200, 401),
]


@pytest.mark.parametrize(("host", "allowed", "status", "locked"), HOSTS)
async def test_names_that_point_here(serve: Serve, host: str, allowed: str, status: int, locked: int) -> None:
    hosts = frozenset({allowed} - {""})
    async with serve(Access(hosts=hosts)) as client, serve(Access(password=PASSWORD, hosts=hosts)) as other:
        assert (await client.get("/api/indices", Host=host)).status == status
        assert (await other.get("/api/indices", Host=host)).status == locked
        assert (await client.get("/health/live", Host=host)).status == 200


PAGE = "script-src 'self'; style-src 'self'"
STRICT = "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize(
    ("path", "policy", "cache"),
    [
        ("/", PAGE, "no-cache"),
        ("/static/world.json", STRICT, "no-cache"),
        ("/login", STRICT, "no-store"),  # leads to the page
        ("/api/indices", STRICT, "no-store"),
        ("/metrics", STRICT, "no-store"),
        ("/nothing", STRICT, "no-store"),
    ],
)
async def test_headers(serve: Serve, path: str, policy: str, cache: str) -> None:
    async with serve(Access()) as client:
        headers = (await client.get(path)).headers
    assert policy in headers["Content-Security-Policy"]
    assert "'unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == cache
    names = ("X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy", "Server")
    assert [headers[name] for name in names] == ["nosniff", "DENY", "no-referrer", "same-origin", "ingestd"]
    assert "Access-Control-Allow-Origin" not in headers


async def test_login_page_has_the_policy_of_pages(serve: Serve) -> None:
    async with serve(LOCKED) as client:
        answer = await client.get("/login")
    assert PAGE in answer.headers["Content-Security-Policy"]
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]


async def test_prefix(serve: Serve) -> None:
    async with serve(LOCKED, "/logs") as client:
        root = client.url.removesuffix("/logs")
        assert (await client.get("")).headers["Location"] == "/logs/"
        assert (await client.get("/")).headers["Location"] == "login"  # so the browser goes to /logs/login
        assert (await client.sign_in()).status == 303
        statuses = [(await client.get(path)).status for path in ("/", "/api/indices", "/metrics", "/static/world.json")]
        outside = Client(root)
        found = [(await outside.get(path, **BEARER)).status for path in ("/api/indices", "/metrics", "/health/live")]
        top = await outside.get("/")
        await outside.close()
    assert (top.status, top.headers["Location"]) == (307, "/logs/")
    assert (statuses, found) == ([200] * 4, [404] * 3)


async def test_without_a_password_the_network_is_refused() -> None:
    server = HttpServer(Address("0.0.0.0", 0), health, DashboardConfig())
    with pytest.raises(AccessError, match="has no password"):
        await server.start()


def test_the_daemon_refuses_to_start_open_to_the_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ingestd", "run", "--port", "0", "--http", "0.0.0.0:0"]
    done = subprocess.run(
        command, env=environment(tmp_path), capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: 0.0.0.0:0 can be reached from outside, and the dashboard has no password: ")
    assert len(done.stderr.splitlines()) == 1


async def test_a_daemon_with_a_password_tells_it_nobody(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    with Daemon(tmp_path, "--http", "0.0.0.0:0", http_password_file=str(file), http_token=TOKEN) as daemon:
        client = Client(daemon.url.replace("0.0.0.0", "127.0.0.1"))
        assert (await client.get("/api/status")).status == 401
        assert (await client.get("/health/ready")).status == 200
        assert (await client.sign_in()).status == 303
        shown = [(await client.get(path)).text for path in ("/", "/api/status", "/api/session", "/metrics")]
        await client.close()
        seen_by_all = [command_line(pid) for pid in everything()]
        shown += [daemon.log_file.read_text(), *seen_by_all]
    assert any("query_process" in line for line in seen_by_all)
    shown += [settings_shown(tmp_path), settings_shown(tmp_path, "--json")]
    for text in shown:
        assert PASSWORD not in text
        assert TOKEN not in text


async def test_a_new_password_takes_hold_at_a_reload(tmp_path: Path) -> None:
    """It ends the sessions; any other reload leaves them, and so does a crash, which brings none back."""
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    with Daemon(tmp_path, http_password_file=str(file)) as daemon:
        client = Client(daemon.url)
        assert (await client.sign_in()).status == 303
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("every process runs the new config")
        assert (await client.get("/api/status")).status == 200
        file.write_text("tiny")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("the new config was rejected; the old one stays in force")
        file.write_text("another password")
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(daemon.said("every process runs the new config")) == 2, "the second reload")
        assert (await client.get("/api/status")).status == 401
        statuses = [(await client.sign_in(password)).status for password in (PASSWORD, "another password")]
        assert len(daemon.said("serving metrics and health")) == 1
        guest = Client(daemon.url)
        cookie = (await guest.sign_in("another password")).headers["Set-Cookie"].partition(";")[0]
        csrf = (await guest.get("/api/session")).json()["csrf"]
        assert (await guest.ask("POST", "/logout", headers={"X-CSRF-Token": csrf})).status == 204
        await asyncio.to_thread(daemon.kill_with_children)
        daemon.start()
        await asyncio.to_thread(daemon.wait_until_ready)
        guest.url = client.url = daemon.url
        statuses += [(await client.get("/api/status")).status, (await guest.get("/api/status", Cookie=cookie)).status]
        await client.close()
        await guest.close()
    assert statuses == [403, 303, 200, 401]


def settings_shown(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "ingestd", "config", "settings", *arguments]
    environ = environment(folder) | {"INGESTD_HTTP_PASSWORD": PASSWORD, "INGESTD_HTTP_TOKEN": TOKEN}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=WAIT_SECONDS, check=True)
    assert "http_password" in done.stdout
    return done.stdout
