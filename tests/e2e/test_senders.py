"""Clients that send no lines, the real ones, beside a stock client: each is recognised, and nothing is lost."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import pickle
import signal
import socket
import ssl
import struct
from collections.abc import Callable
from logging.handlers import SocketHandler, SysLogHandler
from pathlib import Path
from typing import Any

import pytest

from ingestd import metrics
from tests.e2e.chaos.tools import workers
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.test_tcp import Server, numbers, serving
from tests.processes import send_signal
from tests.protocols.framing.test_senders import V2_IPV4, V2_IPV6
from tests.waiting import WAIT_SECONDS, eventually, wait_until


def warnings(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the fields of the warnings about senders."""
    records = (record for record in caplog.records if record.name.endswith("_client_warnings"))
    return [record.__dict__["fields"] for record in records]


def counted(kind: str) -> float:
    return metrics.SENDERS_UNSUPPORTED.value("main", "tcp_0", kind)


async def beside_a_stock_client(server: Server, client: Callable[[], None]) -> list[dict[str, Any]]:
    """Run a client in a thread while another one sends JSON lines; return the documents that are not the latter's."""
    writer = await server.connect()
    working = asyncio.create_task(asyncio.to_thread(client))
    for number in range(500):
        writer.write(b'{"n":%d}\n' % number)
        await asyncio.sleep(0)
    await working
    writer.close()
    await eventually(lambda: len([document for document in server.memory.documents if "n" in document]) == 500)
    await eventually(lambda: len(server.closed) == server.accepted > 1)  # a stop would cut off what is still to be read
    await server.stop()
    assert numbers([document for document in server.memory.documents if "n" in document]) == list(range(500))
    return [document for document in server.memory.documents if "n" not in document]


def log_with(handler: logging.Handler, *texts: str) -> None:
    """Log warnings through a handler of the standard library, then close it."""
    logger = logging.Logger("shop")  # noqa: LOG001 -- of this test alone
    logger.addHandler(handler)
    for text in texts:
        logger.warning(text)
    handler.close()


async def test_socket_handler(caplog: pytest.LogCaptureFixture) -> None:
    before = counted("pickle")
    texts = [f"서울 {number} " + "x" * number for number in range(300)]
    async with serving() as server:
        client = lambda: log_with(SocketHandler(*server.address), *texts)  # noqa: E731
        assert await beside_a_stock_client(server, client) == []
    kept = [pickle.loads(letter["raw"])["msg"] for letter in server.letters.letters]
    assert kept == texts
    assert "never loaded" in server.letters.letters[0]["reason"]
    [warning] = warnings(caplog)
    assert (warning["kind"], warning["client"], counted("pickle") - before) == ("pickle", "127.0.0.1", 1)
    assert "use logstash.TCPLogstashHandler" in warning["help"]


async def test_pickles_byte_by_byte_and_one_that_is_cut_off() -> None:
    frame = SocketHandler("a", 1).makePickle(logging.makeLogRecord({"msg": "a"}))
    async with serving() as server:
        writer = await server.connect()
        for value in frame + frame:
            writer.write(bytes([value]))
            await asyncio.sleep(0)
        writer.write(frame[:100])
        await eventually(lambda: len(server.letters.letters) == 2)
        writer.close()
        await eventually(lambda: server.closed == ["rejected"])
    assert [letter["raw"] for letter in server.letters.letters] == [frame[4:], frame[4:], frame[4:100]]
    offsets = [letter["offset"] + len(letter["raw"]) for letter in server.letters.letters]
    assert offsets == [len(frame), 2 * len(frame), 2 * len(frame) + 100]
    assert server.memory.documents == []


async def test_pickle_that_is_too_long() -> None:
    async with serving(max_line_bytes=1000) as server:
        writer = await server.connect()
        data = pickle.dumps({"msg": "x" * 50_000})
        writer.write(struct.pack(">L", len(data)) + data)
        await eventually(lambda: server.closed == ["rejected"])
        writer.close()
    [letter] = server.letters.letters
    assert data.startswith(letter["raw"])
    assert server.memory.documents == []


@pytest.mark.parametrize("codec", ["json_lines", "line"])
async def test_syslog_handler(codec: str, caplog: pytest.LogCaptureFixture) -> None:
    def client() -> None:
        log_with(SysLogHandler(server.address, socktype=socket.SOCK_STREAM), "서울", "a\nb", "")

    async with serving(f"codec => {codec}") as server:
        found = await beside_a_stock_client(server, client) if codec == "json_lines" else await only(server, client)
    assert [document["message"] for document in found] == ["<12>서울", "<12>a", "b", "<12>"]
    assert [warning["kind"] for warning in warnings(caplog)] == (["syslog_nul"] if codec == "json_lines" else [])


async def only(server: Server, client: Callable[[], None]) -> list[dict[str, Any]]:
    """Run a client alone; return the documents."""
    await asyncio.to_thread(client)
    await eventually(lambda: server.closed != [])
    await server.stop()
    return server.memory.documents


def sends(server: Server, data: bytes) -> Callable[[], None]:
    def client() -> None:
        with socket.create_connection(server.address) as connection:
            connection.sendall(data)

    return client


SENDERS = [  # id, bytes, messages of the events, kinds that are warned of
    ("syslog", b"<13>1 - a\n<14>1 - b\n", ["<13>1 - a", "<14>1 - b"], ["syslog"]),
    ("octet_counting", b"9 <13>1 - a9 <13>1 - b", ["9 <13>1 - a9 <13>1 - b"], ["syslog_octet_counting"]),
    ("gelf", b'{"message":"a"}\0{"message":"b",\n"level":3}\0{"message":"c"}', ["a", "b", "c"], ["gelf"]),
    ("proxy_1", b'PROXY TCP4 192.0.2.9 198.51.100.1 40000 5959\r\n{"message":"a"}\n', ["a"], ["proxy"]),
    ("proxy_2", V2_IPV4 + b'{"message":"a"}\n{"message":"b"}\n', ["a", "b"], ["proxy"]),
    ("proxy_2_line_feeds", V2_IPV6.replace(b"\x07", b"\n") + b'{"message":"a"}\n', ["a"], ["proxy"]),
    ("proxy_and_nothing", V2_IPV4, [], ["proxy"]),
    ("proxy_and_syslog", V2_IPV4 + b"<13>a\0<13>b\0", ["<13>a", "<13>b"], ["proxy", "syslog_nul"]),
    ("proxy_and_beats", V2_IPV4 + b"2W\0\0\0\n2J\n", [], ["proxy", "beats"]),
    ("lumberjack", b"2W\0\0\0\n" + b"2J\0\0\0\x01\0\0\0\x02{}" * 10, [], ["beats"]),
    ("request_line", b"GET / HTTP/1.1\r\n", ["GET / HTTP/1.1"], []),
    ("nul", b"\0\0\n", ["\0\0"], []),
    ("cut_off", b"\x16\x03", ["\x16\x03"], []),
    ("blank", b"\r\n\r\n", [], []),
]


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize(("data", "messages", "kinds"), [row[1:] for row in SENDERS], ids=[row[0] for row in SENDERS])
async def test_senders(
    data: bytes, messages: list[str], kinds: list[str], step: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as server:
        writer = await server.connect()
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
            await asyncio.sleep(0.001)
        writer.close()
        await eventually(lambda: server.closed != [])
        await server.stop()
    assert [document["message"] for document in server.memory.documents] == messages
    assert [warning["kind"] for warning in warnings(caplog)] == kinds
    assert server.letters.letters == []


@pytest.mark.parametrize(("data", "messages", "kinds"), [row[1:] for row in SENDERS], ids=[row[0] for row in SENDERS])
async def test_a_stop_takes_in_what_has_no_verdict(
    data: bytes, messages: list[str], kinds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestd.plugins.inputs._tcp_connection._REST_SECONDS", 0.02)
    for size in range(1, len(data)):
        async with serving() as server:
            writer = await server.connect()
            writer.write(data[:size])
            await server.stop()
            writer.close()
        raw = b"".join(letter["raw"] for letter in server.letters.letters)
        assert raw == b""
        if not kinds and data[:size].strip():
            assert len(server.memory.documents) == 1


@pytest.mark.parametrize("body", [b"", b"x" * 3_000_000], ids=["small", "large"])
async def test_http_is_answered(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    def client() -> None:
        connection = http.client.HTTPConnection(server.address[0], server.address[1], timeout=WAIT_SECONDS)
        connection.request("POST", "/", body)
        response = connection.getresponse()
        assert response.status == 400
        assert b"JSON lines over TCP, not HTTP" in response.read()
        assert response.getheader("Connection") == "close"
        connection.close()

    async with serving() as server:
        assert await beside_a_stock_client(server, client) == []
        assert sorted(server.closed) == ["end", "rejected"]
    assert [warning["kind"] for warning in warnings(caplog)] == ["http"]
    assert server.letters.letters == []


async def test_tls_is_answered_with_an_alert(caplog: pytest.LogCaptureFixture) -> None:
    def client() -> None:
        context = ssl.create_default_context()
        with (
            socket.create_connection(server.address, timeout=WAIT_SECONDS) as connection,
            pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"),
        ):
            context.wrap_socket(connection, server_hostname="localhost")

    async with serving() as server:
        assert await beside_a_stock_client(server, client) == []
    [warning] = warnings(caplog)
    assert warning["kind"] == "tls"
    assert "TLS is not configured on this port" in warning["help"]


async def test_beats_are_closed_at_once() -> None:
    def client() -> None:
        with socket.create_connection(server.address, timeout=WAIT_SECONDS) as connection:
            connection.sendall(b"2W" + struct.pack(">I", 1))
            assert connection.recv(10) == b""

    async with serving() as server:
        assert await beside_a_stock_client(server, client) == []


async def test_a_client_that_never_reads_its_answer_is_closed() -> None:
    async with serving() as server:
        writer = await server.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await eventually(lambda: server.closed == ["rejected"])
        writer.close()


async def test_a_stop_does_not_wait_for_a_rejected_client() -> None:
    async with serving() as server:
        writer = await server.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\n")
        await server.stop("leave")
        assert server.closed == ["rejected"]
        writer.close()
    assert server.memory.documents == []


async def test_one_warning_for_each_address_and_kind(caplog: pytest.LogCaptureFixture) -> None:
    before = counted("syslog")
    async with serving() as server:
        for _ in range(5):
            await asyncio.to_thread(sends(server, b"<13>a\n"))
        await server.until(5)
    assert (len(warnings(caplog)), counted("syslog") - before) == (1, 5)


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.9 198.51.100.1 40000 5959\r\n", V2_IPV4], ids=["v1", "v2"])
async def test_proxy_protocol(header: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with serving("codec => line proxy_protocol => true") as server:
        await asyncio.to_thread(sends(server, header + b"a\n"))
        await asyncio.to_thread(sends(server, b"b\n"))
        proxied, plain = await server.until(2)
    found = {name: proxied[name] for name in ("message", "host", "port", "proxy_host")}
    assert found == {"message": "a", "host": "192.0.2.9", "port": 40000, "proxy_host": "127.0.0.1"}
    assert (plain["message"], plain["host"], "proxy_host" in plain) == ("b", "127.0.0.1", False)
    assert warnings(caplog) == []


async def test_the_next_reader_recognises_what_has_no_line_ends() -> None:
    """Read by two servers, one after the other, as by two workers."""
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    sock, _ = listener.accept()
    documents: list[dict[str, Any]] = []
    for text in (b'{"n":1}\0{"n":', b'2}\0{"n":3}\0'):
        client.sendall(text)
        async with serving() as server:
            reader = server.running.socket_input("tcp_0")
            assert reader is not None
            reader.serve(sock.dup(), server._stream_ids.new({}), 0, server.closed.append)
            await eventually(lambda: server.memory.documents != [])
            await server.stop("leave")
            documents += server.memory.documents
    for connection in (client, sock, listener):
        connection.close()
    assert numbers(documents) == [1, 2, 3]
    assert json.dumps(documents).count("tags") == 0


def test_the_daemon_says_who_sends_wrongly(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        log_with(SocketHandler("127.0.0.1", daemon.port), "a")
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=WAIT_SECONDS)
        connection.request("GET", "/metrics")
        assert connection.getresponse().status == 400
        connection.close()
        daemon.send([{"message": "b"}])
        daemon.wait_for_delivery(1)
        wait_until(lambda: len(daemon.dead_letters()) == 1, "the pickle to be a dead letter")
        for kind in ("pickle", "http"):
            assert daemon.metric("ingestd_unsupported_connections_total", kind=kind) == 1
        wait_until(lambda: len(json.loads(daemon.get("/api/status"))["senders"]) == 2, "the status to name both")
        assert pickle.loads(daemon.dead_letters()[0]["raw"])["msg"] == "a"
        kinds = {problem["kind"] for problem in daemon.problems() if "kind" in problem}
        assert kinds == {"pickle", "http"}


def test_the_client_of_a_proxy_stays_known(tmp_path: Path) -> None:
    """Whoever reads its connection on: after a reload, a crash and an upgrade."""
    config = """
    input { tcp { port => 0 host => "127.0.0.1" codec => line proxy_protocol => true } }
    output { store { } }
    """
    with Daemon(tmp_path, config=config, workers="2") as daemon, socket.socket() as client:
        client.connect(("127.0.0.1", daemon.port))

        def send(data: bytes, number: int) -> None:
            client.sendall(data)
            wait_until(lambda: len(stored(daemon)) == number, "the line")

        send(b"PROXY TCP4 192.0.2.9 198.51.100.1 40000 5959\r\nfirst\n", 1)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("every process runs the new config")
        send(b"reloaded\n", 2)
        for pid in workers(daemon):
            send_signal(pid)
        send(b"crashed\n", 3)
        daemon.process.send_signal(signal.SIGUSR2)
        daemon.wait_for("connections were taken over")
        send(b"upgraded\n", 4)
    clients = {event["message"]: (event["host"], event["port"], event["proxy_host"]) for event in stored(daemon)}
    assert clients == dict.fromkeys(("first", "reloaded", "crashed", "upgraded"), ("192.0.2.9", 40000, "127.0.0.1"))


def stored(daemon: Daemon) -> list[dict[str, Any]]:
    """Return all events in the store."""
    return [json.loads(line) for line in ingestd(daemon.data_dir, "search", "--json").splitlines()]
