"""Outputs to servers of the network in a real daemon: one for all tests, with an outage of each server."""

from __future__ import annotations

import json
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chaos.tools import workers
from tests.e2e.daemon import Daemon, free_port
from tests.e2e.http_server import HttpServer
from tests.plugins.outputs.datagrams import receiving
from tests.processes import send_signal
from tests.random_cases import LONG
from tests.waiting import wait_until

HOST = "127.0.0.1"


class Gate:
    """Holds up a server once it has got some events, until it is opened."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._arrived, self._room = 0, 1 << 60

    def close_after(self, events: int) -> None:
        """Let so many events pass from now on."""
        with self._changed:
            self._arrived, self._room = 0, events

    def open(self) -> None:
        """Let all events pass, and those who wait."""
        with self._changed:
            self._room = 1 << 60
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether the server is held up."""
        with self._changed:
            return self._arrived >= self._room

    def count(self, events: int) -> None:
        """Count events that have arrived; returns as soon as the server may go on."""
        with self._changed:
            self._arrived += events
            self._changed.wait_for(lambda: self._arrived < self._room)


class LineServer:
    """Keeps the lines of all connections; ``stop`` closes them and refuses new ones.

    ``receive_buffer_bytes``: how much its kernel takes in that it has not read; 0: as much as it likes.
    """

    def __init__(self, receive_buffer_bytes: int = 0) -> None:
        self.port = free_port()
        self.gate = Gate()
        self._receive_buffer_bytes = receive_buffer_bytes
        self.lines: list[bytes] = []
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()

    def start(self) -> None:
        """Take connections."""
        self._listener = socket.create_server((HOST, self.port))
        if self._receive_buffer_bytes:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer_bytes)
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._read, args=[connection], daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                for line in stream:
                    if line.endswith(b"\n"):
                        with self._lock:
                            self.lines.append(line)
                        self.gate.count(1)
            except OSError:
                return

    def stop(self) -> None:
        """Close everything."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    @contextmanager
    def running(self) -> Iterator[None]:
        """Take connections until the end of the block."""
        self.start()
        try:
            yield
        finally:
            self.stop()

    def numbers(self) -> list[int]:
        """Return the values of ``n``, in order of arrival."""
        with self._lock:
            return [json.loads(line)["n"] for line in self.lines]


class Collector:
    """Takes lines in requests, whose keys it knows: what is sent again is kept once. Refuses lines that are ``bad``."""

    def __init__(self) -> None:
        self.port = free_port()
        self.bodies: dict[str, bytes] = {}
        self.statuses: list[int] = []
        self.lines: list[bytes] = []
        self.lock = threading.Lock()
        self.gate = Gate()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    raise ConnectionError("it broke in the middle of a request")
                status = collector.take(self.headers["Idempotency-Key"], body)
                collector.gate.count(body.count(b"\n"))
                if not status:
                    raise ConnectionError("no answer")
                text = b"this is bad"
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self.handler = Handler

    def take(self, key: str, body: bytes) -> int:
        """Return the status of the answer to a request, 0 for none; it is kept all the same."""
        with self.lock:
            if b'"bad"' in body:
                return 400
            if self.statuses and self.statuses[0] == 503:
                return self.statuses.pop(0)
            assert self.bodies.setdefault(key, body) == body
            self.lines += body.splitlines(keepends=True)
            return self.statuses.pop(0) if self.statuses else 200

    def numbers(self) -> list[int]:
        """Return the values of ``n``, sorted."""
        with self.lock:
            lines = b"".join(self.bodies.values()).splitlines()
        return sorted(json.loads(line)["n"] for line in lines)


class Site:
    """A daemon that sends each event to the outputs that its field ``to`` names."""

    def __init__(self, folder: Path) -> None:
        self.lines, self.collector = LineServer(), Collector()
        config = f"""
            input {{ tcp {{ host => "{HOST}" port => 0 codec => json_lines }} }}
            output {{
              if [to] == "tcp" {{
                tcp {{
                  id => lines host => "{HOST}" port => {self.lines.port} codec => json_lines reconnect_interval => 0.05
                }}
              }} else {{
                http {{
                  id => collector url => "http://{HOST}:{self.collector.port}/in" http_method => post
                  format => json_lines
                }}
              }}
            }}
        """
        self.daemon = Daemon(folder, config=config)

    def send(self, to: str, numbers: range) -> None:
        """Send events, each with its number."""
        self.daemon.send({"to": to, "n": number, "text": "x" * 500} for number in numbers)

    def delivered(self, output: str) -> float:
        """Return how many events an output has delivered."""
        return self.daemon.metric("ingestd_delivered_events_total", output=output)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = Site(tmp_path_factory.mktemp("outputs"))
    with place.daemon:
        yield place


def test_tcp(site: Site) -> None:
    """The server comes late, goes while nothing is on its way, and goes in the middle of a batch."""
    server = site.lines
    site.send("tcp", range(1000))
    wait_until(lambda: site.daemon.said("the server accepts no events; they wait until it does"), "the outage")
    server.start()
    wait_until(lambda: server.numbers() == [*range(1000)], "the first events, once and in order")
    wait_until(lambda: site.delivered("lines") == 1000, "the count")
    server.stop()
    site.send("tcp", range(1000, 2000))
    server.start()
    wait_until(lambda: server.numbers() == [*range(2000)], "the events of the outage, once and in order")
    site.send("tcp", range(2000, 30_000))
    wait_until(lambda: len(server.numbers()) > 3000, "a part of many")
    server.stop()
    server.start()
    wait_until(lambda: site.delivered("lines") == 30_000, "all")
    wait_until(lambda: {*server.numbers()} >= {*range(2000), 29_999}, "the last")
    server.stop()


def test_http(site: Site) -> None:
    """The server comes late, is unable, gives no answer although it has the events, and refuses some for good."""
    collector = site.collector
    site.send("http", range(1000))
    wait_until(
        lambda: site.daemon.said("the server accepts no requests; they are sent again until it does"), "the outage"
    )
    with HttpServer(collector.handler, collector.port):
        wait_until(lambda: site.delivered("collector") == 1000, "the first events")
        collector.statuses = [503, 0, 503, 0]
        site.send("http", range(1000, 3000))
        wait_until(lambda: site.delivered("collector") == 3000, "the events of the outage")
        bad = [{"to": "http", "n": number, "text": "bad"} for number in (3000, 3002)]
        site.daemon.send([bad[0], {"to": "http", "n": 3001}, bad[1]])
        wait_until(lambda: site.delivered("collector") == 3001, "the event between two that are refused")
        wait_until(lambda: len(site.daemon.dead_letters()) == 2, "the dead letters")
    assert collector.numbers() == [*range(3000), 3001]
    letters = site.daemon.dead_letters()
    assert sorted(json.loads(letter["refused"])["n"] for letter in letters) == [3000, 3002]
    assert all(letter["reason"].endswith(": this is bad") for letter in letters)


EVENTS = 12_000


def test_kills(tmp_path: Path) -> None:
    """The daemon is killed, and servers are cut and come again, amid the delivery: nothing is lost.

    What comes twice is the same event: it has the same bytes, its time of receipt included.
    """
    lines, syslog = (LineServer(receive_buffer_bytes=1 << 16) for _ in range(2))
    collector = Collector()
    gates = [server.gate for server in (lines, syslog, collector)]
    config = f"""
        input {{ tcp {{ host => "{HOST}" port => 0 codec => json_lines }} }}
        output {{
          tcp {{ host => "{HOST}" port => {lines.port} codec => json_lines reconnect_interval => 0.05 }}
          syslog {{
            host => "{HOST}" port => {syslog.port} protocol => tcp rfc => rfc5424 codec => json
            reconnect_interval => 0.05
          }}
          http {{
            url => "http://{HOST}:{collector.port}/in" http_method => post format => json_lines pool_max => 4
          }}
        }}
    """

    @contextmanager
    def servers(*most: int) -> Iterator[None]:
        """All servers, each held up after so many events; at the end they read what their kernels have."""
        for gate, events in zip(gates, most, strict=False):
            gate.close_after(events)
        with HttpServer(collector.handler, collector.port), lines.running(), syslog.running():
            try:
                if most:
                    wait_until(lambda: all(gate.closed for gate in gates), "all servers to be held up")
                yield
            finally:
                for gate in gates:
                    gate.open()

    def some() -> list[int]:
        return [random.randint(1, EVENTS // 8) for _ in gates]

    with Daemon(tmp_path, config=config) as daemon:
        daemon.send({"n": number, "text": "x" * 500} for number in range(EVENTS))
        daemon.wait_for_metric("ingestd_received_events_total", EVENTS)
        with servers(*some()):
            pass
        with servers(*some()):
            daemon.kill_with_children()
    with Daemon(tmp_path, config=config) as daemon:
        with servers(*some()):
            pass
        with servers(*some()):
            daemon.kill_with_children()
    with servers(), Daemon(tmp_path, config=config):
        for server in (lines, syslog, collector):
            wait_until(lambda: len({*server.lines}) >= EVENTS, "all events")  # noqa: B023
    for server in (lines, syslog, collector):
        assert sorted(json.loads(line[line.index(b"{") :])["n"] for line in {*server.lines}) == [*range(EVENTS)]


def test_kills_with_datagrams_and_a_file(tmp_path: Path) -> None:
    """Few at a time: what the receiver's kernel has no room for would be lost."""
    groups, size, path = 8 if LONG else 3, 100, tmp_path / "out.log"
    with receiving() as receiver:
        config = f"""
            input {{ tcp {{ host => "{HOST}" port => 0 codec => json_lines }} }}
            output {{
              udp {{ host => "{HOST}" port => {receiver.port} }}
              file {{ path => "{path}" }}
            }}
        """

        def numbers() -> list[int]:
            return [json.loads(datagram)["n"] for datagram in receiver.datagrams()]

        with Daemon(tmp_path, config=config) as daemon:
            for group in range(groups):
                before = workers(daemon)
                daemon.send({"n": number} for number in range(group * size, (group + 1) * size))
                time.sleep(random.uniform(0, 0.05))
                for pid in before:
                    send_signal(pid, signal.SIGKILL)
                wait_until(lambda: len({*numbers()}) == (group + 1) * size, "all events of the group")  # noqa: B023
                wait_until(lambda: len(lines_of(path)) == (group + 1) * size, "its lines")  # noqa: B023
                wait_until(lambda: workers(daemon) and not {*workers(daemon)} & {*before}, "a new worker")  # noqa: B023
        assert {*numbers()} == {*range(groups * size)}
        assert len(numbers()) <= 2 * groups * size  # of a kill, only what was under way comes again


def lines_of(path: Path) -> set[int]:
    """Return the values of ``n`` of the whole lines of a file."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return {json.loads(line)["n"] for line in lines if line.endswith(b"}")}
