"""The output ``tcp``: what a server has got when a batch counts as delivered, and what is sent again."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ingestd.config.errors import ConfigErrors
from tests.plugins.inputs.authority import Authority
from tests.plugins.outputs.outputs import batch, build, deliver
from tests.waiting import eventually

HOST = "127.0.0.1"


class Server:
    """Reads connections one after the other, and closes each after as many bytes as ``limits`` says."""

    def __init__(self) -> None:
        self.received: list[bytearray] = []
        self.limits: list[int] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = bytearray()
        self.received.append(data)
        self.writers.append(writer)
        limit = self.limits.pop(0) if self.limits else 1 << 40
        while len(data) < limit:
            await self.reads.wait()
            if not (piece := await reader.read(min(1 << 16, limit - len(data)))):
                break
            data += piece
        writer.transport.abort()

    def numbers(self, connection: int) -> list[int]:
        """Return the values of ``n`` in the whole lines of a connection."""
        data = bytes(self.received[connection]) if connection < len(self.received) else b""
        return [json.loads(line)["n"] for line in data.split(b"\n")[:-1]]


@asynccontextmanager
async def listening(context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Server, int]]:
    """A server, and its port. Its kernel takes little that it has not read, on every machine."""
    server = Server()
    listener = await asyncio.start_server(server.serve, HOST, 0, ssl=context)
    listener.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
    try:
        yield server, listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for writer in server.writers:
            writer.transport.abort()


def output(port: int, more: str = "") -> Any:
    return build(f'tcp {{ host => "{HOST}" port => {port} codec => json_lines reconnect_interval => 0.01 {more} }}')


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def server_context(authority: Authority, *, mutual: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.server)
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.folder / "ca.crt")
    return context


async def test_lines_arrive_over_one_connection() -> None:
    async with listening() as (server, port):
        sender = output(port)
        await sender.open()
        await deliver(sender, batch({"n": 1}, {"n": 2}), batch({"n": 3}))
        await deliver(sender, batch({"n": 4}))
        await sender.close()
        await eventually(lambda: server.numbers(0) == [1, 2, 3, 4])
        assert len(server.received) == 1


async def test_the_default_codec_is_logstashs() -> None:
    async with listening() as (server, port):
        sender = build(f'tcp {{ host => "{HOST}" port => {port} }}')
        await deliver(sender, batch({"n": 1}, {"n": 2}))
        await eventually(lambda: bool(server.received) and server.received[0].count(b"}{") == 1)
        await sender.close()


async def test_a_connection_that_was_closed_meanwhile_is_not_written_to() -> None:
    async with listening() as (server, port):
        sender = output(port)
        await deliver(sender, batch({"n": 1}))
        await eventually(lambda: server.numbers(0) == [1])
        server.writers[0].transport.close()
        await asyncio.sleep(0)
        await deliver(sender, batch({"n": 2}))
        await eventually(lambda: len(server.received) == 2 and server.numbers(1) == [2])
        assert server.numbers(0) == [1]
        await sender.close()


async def test_after_a_cut_the_whole_batch_is_sent_again() -> None:
    events = [{"n": number, "text": "x" * 1000} for number in range(20_000)]
    async with listening() as (server, port):
        server.limits = [100_000, 3_000_000]
        sender = output(port)
        await deliver(sender, batch(*events))
        await eventually(lambda: len(server.received) == 3 and server.numbers(2) == [*range(20_000)])
        assert len(server.received[0]) == 100_000
        await sender.close()


async def test_a_batch_is_not_delivered_before_the_server_has_it() -> None:
    """More than all buffers of both kernels may hold."""
    events = [{"n": number, "text": "x" * 10_000} for number in range(6000)]
    async with listening() as (server, port):
        server.reads.clear()
        sender = output(port)
        delivery = asyncio.create_task(deliver(sender, batch(*events)))
        await eventually(lambda: bool(server.received))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not delivery.done()
        server.reads.set()
        await delivery
        await eventually(lambda: server.numbers(0) == [*range(6000)])
        await sender.close()


async def test_a_server_that_comes_later() -> None:
    with socket.socket() as place:
        place.bind((HOST, 0))  # and does not listen
        sender = output(place.getsockname()[1])
        delivery = asyncio.create_task(deliver(sender, batch({"n": 1})))
        await eventually(lambda: "refused" in sender.retry_reason().lower(), "a reason")
        place.listen()
        await delivery
        assert sender.retry_reason() == ""
        connection, _ = await asyncio.to_thread(place.accept)
        with connection:
            assert json.loads(connection.recv(1000))["n"] == 1
        await sender.close()


async def test_tls(authority: Authority) -> None:
    certificate, key = authority.files("client")
    more = f"""
        ssl_enabled => true ssl_certificate_authorities => "{authority.folder}/ca.crt"
        ssl_certificate => "{certificate}" ssl_key => "{key}"
    """
    events = [{"n": number, "text": "x" * 1000} for number in range(1000)]
    async with listening(server_context(authority, mutual=True)) as (server, port):
        server.limits = [300_000]
        sender = output(port, more)
        await deliver(sender, batch(*events))
        await deliver(sender, batch({"n": 1000}))
        await eventually(lambda: len(server.received) == 2 and server.numbers(1) == [*range(1001)])
        await sender.close()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ('ssl_certificate_authorities => "{folder}/stranger.crt"', "is not trusted"),
        ('ssl_certificate_authorities => "{folder}/ca.crt"', ""),  # the alert, or only the end: as the server is
    ],
    ids=["stranger", "no certificate of ours"],
)
async def test_nothing_counts_as_delivered_before_both_trust_each_other(
    authority: Authority, options: str, reason: str
) -> None:
    """With TLS 1.3 the client's side of the handshake ends before the server has seen the client's certificate."""
    async with listening(server_context(authority, mutual=True)) as (server, port):
        sender = output(port, "ssl_enabled => true " + options.format(folder=authority.folder))
        delivery = asyncio.create_task(deliver(sender, batch({"n": 1})))
        await eventually(lambda: bool(sender.retry_reason()) and reason in sender.retry_reason(), "a reason")
        assert not delivery.done()
        delivery.cancel()
        await asyncio.wait([delivery])
        assert server.received == []


REFUSED = [
    ("mode", 'port => 1 mode => "server"', "is not offered"),
    ("host", 'port => 1 host => "logs..example.org"', "is not the name or address"),
    ("port", "port => 70000", "is not a port"),
    ("file", 'port => 1 ssl_enabled => true ssl_certificate_authorities => "/nothing.pem"', "cannot be read"),
    ("key", 'port => 1 ssl_enabled => true ssl_certificate => "/nothing.pem"', "needs the option ssl_key"),
]


@pytest.mark.parametrize(("options", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_options_that_cannot_work(tmp_path: Path, options: str, reason: str) -> None:
    place = "" if "host =>" in options else f'host => "{HOST}"'
    with pytest.raises(ConfigErrors, match=reason):
        build(f"tcp {{ {place} {options} }}", tmp_path)
