"""The output ``http``: what requests are, and what becomes of events by the answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ingestd.config.errors import ConfigErrors
from ingestd.event.tally import Tally
from ingestd.plugins.outputs import http as module
from tests.dead_letters.memory import MemoryDeadLetters
from tests.plugins.outputs.outputs import batch, build, deliver
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.001)
    monkeypatch.setattr(module, "_LONGEST_RETRY_S", 0.001)


@dataclass
class Seen:
    """A request."""

    method: str
    path: str
    headers: Any
    body: bytes


@dataclass
class Server:
    """Keeps requests; ``statuses`` are the first answers, 0 breaks the connection; ``bad`` bodies get 400."""

    url: str = ""
    requests: list[Seen] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    bad: bytes = b"never"

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append(Seen(request.method, request.path_qs, request.headers, body))
        status = self.statuses.pop(0) if self.statuses else 400 if self.bad in body else 204
        if not status:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=status or 500, text=None if status == 204 else "the answer's text")


@asynccontextmanager
async def listening() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


async def send(server: Server, options: str, *events: dict[str, Any]) -> tuple[list[Tally], MemoryDeadLetters]:
    """Deliver events as a batch; returns what became of them."""
    letters = MemoryDeadLetters()
    url = "" if "url =>" in options else f'url => "{server.url}/in"'
    sender = build(f"http {{ http_method => post {url} {options} }}", letters=letters)
    await sender.open()
    tallies = await sender.deliver([sender.prepare(batch(*events)).payload])
    assert sender.retry_reason() == ""
    await sender.close()
    return tallies, letters


EVENTS = [{"n": 1, "host": "a b"}, {"n": 2, "host": "c&d"}]
FORMATS = [  # id, options, bodies, media type
    ("mapping", 'mapping => { "x" => "%{host}!" }', [b'{"x":"a b!"}', b'{"x":"c&d!"}'], "application/json"),
    (
        "mapping_batch",
        'format => json_batch mapping => { "x" => "%{n}" }',
        [b'[{"x":"1"},{"x":"2"}]'],
        "application/json",
    ),
    (
        "mapping_lines",
        'format => json_lines mapping => { "x" => "%{n}" }',
        [b'{"x":"1"}\n{"x":"2"}\n'],
        "application/x-ndjson",
    ),
    (
        "form",
        'format => form mapping => { "x" => "%{host}" }',
        [b"x=a+b", b"x=c%26d"],
        "application/x-www-form-urlencoded",
    ),
    ("message", 'format => message message => "<%{n}>"', [b"<1>", b"<2>"], "text/plain"),
    ("type", 'format => message message => "%{n}" content_type => "text/x"', [b"1", b"2"], "text/x"),
]


@pytest.mark.parametrize(("options", "bodies", "kind"), [row[1:] for row in FORMATS], ids=[row[0] for row in FORMATS])
async def test_formats(options: str, bodies: list[bytes], kind: str) -> None:
    async with listening() as server:
        tallies, _ = await send(server, options + " pool_max => 1", *EVENTS)
        assert tallies == [Tally(delivered=2)]
        assert [seen.body for seen in server.requests] == bodies
        assert {seen.headers["Content-Type"] for seen in server.requests} == {kind}


@pytest.mark.parametrize("how", ["json", "json_batch", "json_lines", "form"])
async def test_whole_events(how: str) -> None:
    async with listening() as server:
        await send(server, f"format => {how}", {"n": 1, "host": "x"})
        [seen] = server.requests
        if how == "form":
            assert seen.body.endswith(b"&n=1&host=x") or b"n=1" in seen.body.split(b"&")
        else:
            found = json.loads(seen.body)
            event = found[0] if how == "json_batch" else found
            assert (event["n"], event["host"]) == (1, "x")


async def test_url_and_headers_of_each_event() -> None:
    events = [{"n": n, "app": app} for n, app in enumerate(["a", "b", "a"])]
    async with listening() as server:
        options = f'url => "{server.url}/%{{app}}?q=x y" format => json_lines headers => {{ "X-App" => "%{{app}}" }}'
        await send(server, options + ' user => "kim" password => "p" http_compression => true', *events)
        found = {seen.path: seen.body for seen in server.requests}  # aiohttp has decompressed them
        assert {path: body.count(b"\n") for path, body in found.items()} == {"/a?q=x+y": 2, "/b?q=x+y": 1}
        assert {seen.headers["Content-Encoding"] for seen in server.requests} == {"gzip"}
        assert {seen.headers["X-App"] for seen in server.requests} == {"a", "b"}
        assert {seen.headers["Authorization"] for seen in server.requests} == {"Basic a2ltOnA="}


@pytest.mark.parametrize("status", [429, 500, 503, 0])
async def test_what_fails_is_sent_again_under_the_same_key(status: int) -> None:
    async with listening() as server:
        server.statuses = [status] * 3
        tallies, letters = await send(server, "format => json_batch", *EVENTS)
        assert tallies == [Tally(delivered=2)]
        assert letters.letters == []
        assert len(server.requests) == 4
        assert len({(seen.headers["Idempotency-Key"], seen.body) for seen in server.requests}) == 1


async def test_a_refused_event_is_a_dead_letter_and_the_others_of_its_request_are_not() -> None:
    async with listening() as server:
        server.bad = b'"bad"'
        events = [{"n": n, "text": "bad" if n in {3, 4, 90} else "good"} for n in range(100)]
        tallies, letters = await send(server, "format => json_lines", *events)
        assert tallies == [Tally(delivered=97, dead=3)]
        assert [json.loads(letter["raw"])["n"] for letter in letters.letters] == [3, 4, 90]
        assert {letter["reason"] for letter in letters.letters} == {"the server answers 400: the answer's text"}
        good = [seen.body for seen in server.requests if server.bad not in seen.body]
        assert sum(body.count(b"\n") for body in good) == 97


OUTCOMES = [  # id, options, statuses, dead letters of two events
    ("refused", "", [404, 404], 2),
    ("ignorable", "ignorable_codes => [404]", [404, 404], 0),
    ("retryable", "retryable_codes => [404]", [404, 404], 0),
    ("not again", "retry_failed => false", [503, 204], 1),
    ("a cut", "retry_failed => false automatic_retries => 1", [0, 204, 204], 0),
    ("cuts", "retry_failed => false automatic_retries => 1", [0, 0, 204], 1),
]


@pytest.mark.parametrize(
    ("options", "statuses", "dead"), [row[1:] for row in OUTCOMES], ids=[row[0] for row in OUTCOMES]
)
async def test_outcomes(options: str, statuses: list[int], dead: int) -> None:
    async with listening() as server:
        server.statuses = list(statuses)
        tallies, letters = await send(server, "pool_max => 1 " + options, *EVENTS)
        assert tallies == [Tally(delivered=2 - dead, dead=dead)]
        assert len(letters.letters) == dead


async def test_an_event_that_no_request_can_be_made_of() -> None:
    async with listening() as server:
        options = 'headers => { "X" => "%{text}" }'
        tallies, letters = await send(server, options, {"text": "a\nb"}, {"text": "c"})
        assert tallies == [Tally(delivered=1, dead=1)]
        assert "no request can be made" in letters.letters[0]["reason"]


async def test_events_that_are_refused_at_the_same_time_are_all_counted() -> None:
    async with listening() as server:
        server.bad = b"n"
        tallies, letters = await send(server, "pool_max => 10", *[{"n": number} for number in range(10)])
        assert tallies == [Tally(dead=10)]
        assert len(letters.letters) == 10


async def test_a_url_that_is_not_possible_does_not_stop_the_others() -> None:
    async with listening() as server:
        tallies, letters = await send(server, 'url => "%{to}"', {"to": "http://kim:secret@"}, {"to": f"{server.url}/x"})
        assert tallies == [Tally(delivered=1, dead=1)]
        assert "secret" not in letters.letters[0]["reason"]


@pytest.mark.parametrize("status", [401, 403, 302])
async def test_a_wrong_config_loses_nothing(status: int) -> None:
    async with listening() as server:
        server.statuses = [status]
        sender = build(f'http {{ http_method => put url => "{server.url}" }}')
        await sender.open()
        delivery = asyncio.create_task(deliver(sender, batch({"n": 1})))
        await eventually(lambda: str(status) in sender.retry_reason(), "a reason")
        assert not delivery.done()
        delivery.cancel()
        await asyncio.wait([delivery])
        await sender.close()


REFUSED = [
    ("url", 'url => "ftp://x"', "is not a URL"),
    ("host", 'url => "http://logs..example.org/x"', "is not the name or address"),
    ("brackets", 'url => "http://[::1/x"', "url is not a URL"),
    ("proxy", 'url => "http://x" proxy => "proxy.example.org:3128"', "proxy is not a URL"),
    ("proxy_host", 'url => "http://x" proxy => "http://a..b:3128"', "is not the name or address"),
    ("message", 'url => "http://x" format => message', "need each other"),
    ("pool", 'url => "http://x" pool_max => 0', "1 or more"),
    ("field", 'url => "%{x}" ssl_certificate_authorities => "/nothing.pem"', "cannot be read"),
    ("file", 'url => "https://x" ssl_certificate_authorities => "/nothing.pem"', "cannot be read"),
]


@pytest.mark.parametrize(("options", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_options_that_cannot_work(tmp_path: Path, options: str, reason: str) -> None:
    with pytest.raises(ConfigErrors, match=reason):
        build(f"http {{ http_method => post {options} }}", tmp_path)
