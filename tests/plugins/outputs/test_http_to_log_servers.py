"""The output ``http`` with the configs of docs/http.md, to servers as strict as Loki, ClickHouse and VictoriaLogs.

Every event is there, once, or a dead letter.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ingestd.config.errors import ConfigErrors
from ingestd.event.tally import Tally
from ingestd.event.timestamp import from_epoch_ns
from ingestd.plugins.outputs import http as module
from tests.dead_letters.memory import MemoryDeadLetters
from tests.plugins.outputs.log_servers import ClickHouse, LogServer, Loki, RefusedError, Request, VictoriaLogs
from tests.plugins.outputs.outputs import RECEIVED_NS, batch, build
from tests.waiting import eventually

PAGE = Path(__file__).parents[3] / "docs" / "http.md"
PORTS = {"Loki": 3100, "ClickHouse": 8123, "VictoriaLogs": 9428}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.001)
    monkeypatch.setattr(module, "_LONGEST_RETRY_S", 0.001)


class Gate:
    """Lets requests pass to a server. ``faults``: 503 refuses one, 0 takes it and gives no answer."""

    def __init__(self, server: LogServer) -> None:
        self._server = server
        self.faults: list[int] = []
        self.requests = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.requests += 1
        fault = self.faults.pop(0) if self.faults else 200
        if fault == 503:
            return web.Response(status=503)
        body = await request.read()  # which is not compressed any more
        try:
            status = self._server.take(
                Request(request.method, request.path, request.query_string, request.headers, body)
            )
        except RefusedError as error:
            return web.Response(status=error.status, text=str(error))
        if not fault:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=status)


@asynccontextmanager
async def serving(server: LogServer) -> AsyncIterator[tuple[Gate, int]]:
    """A server behind a gate, and its port."""
    gate, application = Gate(server), web.Application()
    application.router.add_route("*", "/{path:.*}", gate.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield gate, runner.addresses[0][1]
    finally:
        await runner.cleanup()


def documented(name: str, port: int) -> str:
    """Return the output of the page's config for a server, at another port."""
    section = PAGE.read_text().split(f"### {name}\n")[1]
    found = re.search(r"```conf\noutput \{\n(.*?)\n\}\n```", section, re.DOTALL)
    assert found is not None
    assert f"127.0.0.1:{PORTS[name]}/" in found[1]
    return found[1].replace(f"127.0.0.1:{PORTS[name]}/", f"127.0.0.1:{port}/")


async def send(config: str, *batches: list[dict[str, Any]]) -> tuple[int, int, list[Any]]:
    """Deliver batches in one call; returns how many events are delivered and dead, and the dead letters."""
    letters = MemoryDeadLetters()
    output = build(config, letters=letters)
    await output.open()
    payloads = [output.prepare(batch(*events)).payload for events in batches]
    tallies: list[Tally] = await output.deliver(payloads)
    await output.close()
    return sum(tally.delivered for tally in tallies), sum(tally.dead for tally in tallies), letters.letters


def events(count: int) -> Iterator[dict[str, Any]]:
    """Yield events of a Django site."""
    for number in range(count):
        time = {"@timestamp": from_epoch_ns(RECEIVED_NS + number * 1_000_000)}
        level = ("INFO", "ERROR")[number % 2]
        yield {**time, "message": f'"{number}"\n서울', "level": level, "host": f"web{number % 3}", "status_code": 200}


FAULTS = [503, 0, 503, 0]


async def test_loki() -> None:
    sent = [*events(300)]
    sent[7] |= {"request_id": "a1", "nested": {"a": [1.5, None]}}
    del sent[8]["host"]
    async with serving(loki := Loki()) as (gate, port):
        gate.faults = [*FAULTS]
        assert await send(documented("Loki", port), sent[:100], sent[100:]) == (300, 0, [])
    assert gate.requests < 10
    assert sorted(json.loads(line)["message"] for _, _, line, _ in loki.entries) == sorted(e["message"] for e in sent)
    streams = {
        json.dumps({"host": f"web{n % 3}", "job": "django", "level": ("INFO", "ERROR")[n % 2]}) for n in range(6)
    }
    assert {labels for labels, *_ in loki.entries} == {*streams, '{"job": "django", "level": "INFO"}'}
    [(_, time, line, metadata)] = [entry for entry in loki.entries if "a1" in entry[2]]
    assert (time, metadata) == (str(RECEIVED_NS + 7_000_000), '{"request_id": "a1"}')
    assert json.loads(line) == {"@version": "1", **sent[7]}


async def test_what_loki_refuses() -> None:
    sent = [*events(64)]
    sent[20]["message"] = "x" * 300_000
    async with serving(loki := Loki(oldest_ns=RECEIVED_NS + 3_000_000)) as (_, port):
        delivered, dead, letters = await send(documented("Loki", port), sent)
    assert (delivered, dead) == (60, 4)
    assert sorted(letter["reason"].rpartition(": ")[2] for letter in letters) == [
        *["entry has timestamp too old"] * 3,
        "max entry size exceeded",
    ]
    assert len(loki.entries) == 60


async def test_lines_and_labels_of_loki() -> None:
    async with serving(loki := Loki()) as (_, port):
        url = f'http {{ url => "http://127.0.0.1:{port}/loki/api/v1/push" http_method => post format => loki'
        config = f'{url} message => "%{{n}}" labels => {{ "a_b" => "%{{x}}" }} }}'
        assert await send(config, [{"n": 1}, {"n": 2}]) == (2, 0, [])
    assert [(labels, line, metadata) for labels, _, line, metadata in loki.entries] == [
        ('{"job": "ingestd"}', "1", "{}"),
        ('{"job": "ingestd"}', "2", "{}"),
    ]


async def test_clickhouse() -> None:
    sent = [*events(300)]
    del sent[8]["status_code"]
    sent[9]["status_code"] = "abc"
    async with serving(server := ClickHouse("secret")) as (gate, port):
        gate.faults = [*FAULTS]
        config = documented("ClickHouse", port).replace("${CLICKHOUSE_PASSWORD:change me}", "secret")
        delivered, dead, letters = await send(config, sent[:100], sent[100:])
    assert (delivered, dead) == (299, 1)
    assert "status_code" in letters[0]["reason"]
    expected = [{"status_code": None} | event for event in sent if event.get("status_code") != "abc"]
    assert sorted(server.rows, key=lambda row: str(row["@timestamp"])) == expected


async def test_a_table_of_clickhouse_that_comes_later() -> None:
    server = ClickHouse("change me", exists=False)
    async with serving(server) as (_, port):
        config = documented("ClickHouse", port).replace("${CLICKHOUSE_PASSWORD:change me}", "change me")
        letters = MemoryDeadLetters()
        output = build(config, letters=letters)
        await output.open()
        payload = output.prepare(batch(*events(5))).payload

        delivery = asyncio.create_task(output.deliver([payload]))
        await eventually(lambda: "UNKNOWN_TABLE" in output.retry_reason(), "a reason")
        server.exists = True
        await delivery
        await output.close()
    assert (len(server.rows), letters.letters) == (5, [])


async def test_victorialogs() -> None:
    sent = [*events(300)]
    sent[3]["http"] = {"path": "/a", "sizes": [1, 2]}
    sent[4]["logger_name"] = "django.request"
    async with serving(server := VictoriaLogs()) as (gate, port):
        gate.faults = [503, 503]
        assert await send(documented("VictoriaLogs", port), sent[:100], sent[100:]) == (300, 0, [])
    found = sorted(server.entries, key=lambda entry: str(entry["_time"]))
    assert [entry["_msg"] for entry in found] == [event["message"] for event in sent]
    assert (found[3]["http.path"], found[3]["http.sizes"]) == ("/a", "[1, 2]")
    assert found[4]["_stream"] == {"host": "web1", "logger_name": "django.request"}
    assert found[5]["_stream"] == {"host": "web2"}


async def test_victorialogs_has_twice_what_is_sent_again() -> None:
    async with serving(server := VictoriaLogs()) as (gate, port):
        gate.faults = [0]
        assert await send(documented("VictoriaLogs", port), [*events(5)]) == (5, 0, [])
    first, again = server.entries[:5], server.entries[5:]
    assert first == again


REFUSED = [
    ("label", 'format => loki labels => { "a-b" => "x" }', "is not a valid label of Loki"),
    ("format", 'labels => { "a" => "x" }', "needs format => loki"),
]


@pytest.mark.parametrize(("options", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_options_that_cannot_work(tmp_path: Path, options: str, reason: str) -> None:
    with pytest.raises(ConfigErrors, match=reason):
        build(f'http {{ url => "http://x" http_method => post {options} }}', tmp_path)
