"""The HTTP server over real sockets."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from ingestd import metrics
from ingestd.units import Address
from ingestd.web.health import Health
from ingestd.web.server import HttpServer, check_address

LOOPBACK = Address("127.0.0.1", 0)


class Daemon:
    """Has a state that tests change."""

    state = Health()

    async def health(self) -> Health:
        return self.state


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
async def url(daemon: Daemon) -> AsyncIterator[str]:
    server = HttpServer(LOOPBACK, daemon.health)
    await server.start()
    yield f"http://{server.bound}"
    await server.stop()
    assert server.bound is None


async def get(url: str) -> tuple[int, str, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


async def get_json(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.json()


async def test_metrics(url: str) -> None:
    metrics.EVENTS_RECEIVED.add(3, "http-test", "tcp")
    status, text, headers = await get(f"{url}/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'ingestd_received_events_total{input="tcp",pipeline="http-test"} 3.0' in text


async def test_metrics_are_measured_when_asked_for() -> None:
    async def health() -> Health:
        metrics.QUEUE_EVENTS.set(42, "measured")
        return Health()

    server = HttpServer(LOOPBACK, health)
    await server.start()
    _, text, _ = await get(f"http://{server.bound}/metrics")
    await server.stop()
    assert 'ingestd_queue_events{pipeline="measured"} 42.0' in text


STATES = [  # id, state, status of /health/live, of /health/ready, of /health
    ("well", Health(), 200, 200, 200),
    ("not_ready", Health(not_ready=("starting",)), 200, 503, 503),
    ("not_live", Health(not_live=("stuck",)), 503, 503, 503),
]


@pytest.mark.parametrize(("state", "live", "ready", "both"), [s[1:] for s in STATES], ids=[s[0] for s in STATES])
async def test_health(url: str, daemon: Daemon, state: Health, live: int, ready: int, both: int) -> None:
    daemon.state = state
    assert await get_json(f"{url}/health/live") == (live, state.document())
    assert await get_json(f"{url}/health/ready") == (ready, state.document())
    assert await get_json(f"{url}/health") == (both, state.document())


async def test_first_page(url: str) -> None:
    status, text, headers = await get(url)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert text.startswith("<!doctype html>")
    assert "script-src 'self'" in headers["Content-Security-Policy"]


async def test_headers_come_with_errors_too_and_name_no_version(url: str) -> None:
    status, _, headers = await get(f"{url}/nothing")
    assert (status, headers["X-Content-Type-Options"], headers["Server"]) == (404, "nosniff", "ingestd")


@pytest.fixture
def taken() -> Iterator[Address]:
    """An address at which another process listens."""
    with socket.create_server(LOOPBACK) as other:
        yield Address(*other.getsockname())


def test_a_taken_address_is_noticed_before_the_start(taken: Address) -> None:
    with pytest.raises(OSError, match=r"in use; choose another with --http HOST:PORT, or --http off"):
        check_address(taken)
    check_address(LOOPBACK)


async def test_a_taken_address_is_logged_once_and_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestd.web.server._FIRST_PAUSE", 0.001)
    attempts = list[float]()
    sleep = asyncio.sleep
    with socket.create_server(LOOPBACK) as other:
        server = HttpServer(Address(*other.getsockname()), Daemon().health)
        with caplog.at_level(logging.WARNING, logger="ingestd"):
            await server.start()
        assert server.bound is None

        async def count(seconds: float) -> None:
            attempts.append(seconds)
            if len(attempts) == 4:
                other.close()
            await sleep(0)

        monkeypatch.setattr(asyncio, "sleep", count)
        await server.listen_later()
    assert attempts == [0.001, 0.002, 0.004, 0.008]
    [record] = caplog.records
    assert record.getMessage() == "the dashboard, /metrics and /health cannot be served; trying again until they can"
    assert "choose another with --http" in str(record.__dict__)
    assert (await get(f"http://{server.bound}/health"))[0] == 200
    await server.stop()


async def test_a_defect_is_logged_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    async def health() -> Health:
        raise RuntimeError("a defect")

    server = HttpServer(LOOPBACK, health)
    await server.start()
    status, document = await get_json(f"http://{server.bound}/health")
    await server.stop()
    message = "the request failed because of an internal error; the daemon's log has the reason"
    assert (status, document) == (500, {"error": {"message": message}})
    assert "RuntimeError: a defect" in caplog.text
