"""Downloads: a real process writes them out of a real store."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from ingestd.stores.base import StoreError
from ingestd.stores.local import LocalWriter, store_root
from ingestd.web.api.export import MAX_DOWNLOADS, Exports
from ingestd.web.processes.export_process import with_space
from ingestd.web.protocol import QueryProcessConfig
from tests import processes
from tests.waiting import WAIT_SECONDS, eventually
from tests.web.processes.store import INDEX

Client = TestClient[web.Request, web.Application]
ROWS: list[dict[str, Any]] = [
    {"@timestamp": "2026-11-22T10:00:00.000Z", "level": "INFO", "message": "=1+2", "n": -5, "who": "서울"},
    {"@timestamp": "2026-11-22T10:00:01.000Z", "level": "ERROR", "message": 'a "b"\n,c', "host": {"name": "web-1"}},
]


def fill(data_dir: Path, documents: Sequence[Any]) -> None:
    with closing(LocalWriter(store_root(data_dir), "w0")) as writer:
        writer.append(INDEX, [json.dumps(row).encode() for row in documents], [str(n) for n in range(len(documents))])


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    """Downloads of the store in ``tmp_path``."""
    exports = Exports(QueryProcessConfig(str(tmp_path), 256 << 20, WAIT_SECONDS))
    app = web.Application()
    app.add_routes([exports.route()])
    app.on_shutdown.append(exports.stop)
    async with TestClient(TestServer(app)) as client:
        yield client
    await eventually(lambda: not list((tmp_path / "query-tmp").glob("*")), "temporary files to be deleted")


def writers() -> list[int]:
    return [pid for pid in processes.children(os.getpid()) if "export_process" in processes.command_line(pid)]


async def download(client: Client, **params: str) -> bytes:
    async with client.get("/api/export", params=params) as answer:
        body = await answer.read()
        assert answer.status == 200, body
        assert answer.headers["Content-Disposition"] == f'attachment; filename="events.{params["format"]}"'
        return body


class TestFormats:
    async def test_all(self, tmp_path: Path, client: Client) -> None:
        fill(tmp_path, ROWS)
        ndjson, excel, parquet = await asyncio.gather(
            *(download(client, format=name) for name in ("ndjson", "csv", "parquet"))
        )
        assert [json.loads(line) for line in ndjson.splitlines()] == ROWS[::-1]
        assert excel.startswith(b"\xef\xbb\xbf")
        assert list(csv.reader(io.StringIO(excel.decode("utf-8-sig"), newline=""))) == [
            ["'@timestamp", "level", "message", "host.name", "n", "who"],
            ["2026-11-22T10:00:01.000Z", "ERROR", 'a "b"\n,c', "web-1", "", ""],
            ["2026-11-22T10:00:00.000Z", "INFO", "'=1+2", "", "-5", "서울"],
        ]
        (tmp_path / "t.parquet").write_bytes(parquet)
        with duckdb.connect() as connection:
            rows = connection.execute(f"SELECT message, n, who FROM '{tmp_path}/t.parquet'").fetchall()
        assert rows == [('a "b"\n,c', None, None), ("=1+2", -5, "서울")]

    async def test_a_query_a_range_and_fields(self, tmp_path: Path, client: Client) -> None:
        fill(tmp_path, ROWS)
        until = "2026-11-22T10:00:01Z"
        found = await download(client, format="ndjson", q="level:INFO OR level:ERROR", until=until, field="who")
        assert found.decode() == '{"who":"서울"}\n'
        assert await download(client, format="ndjson", q="nothing") == b""

    @pytest.mark.parametrize(
        ("params", "text"),
        [
            ({"format": "xlsx"}, "format must be one of ndjson, csv, parquet"),
            ({"format": "csv", "q": "(a"}, "this bracket is not closed"),
            ({"format": "csv", "since": "soon"}, "since must be a time"),
            ({"format": "csv", "field": "[a"}, "field:"),
        ],
        ids=["format", "query", "time", "field"],
    )
    async def test_mistakes_are_named(self, client: Client, params: dict[str, str], text: str) -> None:
        async with client.get("/api/export", params=params) as answer:
            assert answer.status == 400
            assert text in (await answer.json())["error"]["message"]


def test_a_full_disk_ends_it_before_the_intake_suffers() -> None:
    free = iter([2 << 30, 1 << 20])
    documents = with_space([b"x"] * 1500, lambda: next(free))
    with pytest.raises(StoreError, match="less than 1 GiB of the disk is free"):
        list(documents)


class TestEnds:
    """A download of which the client has taken the start: the pipes between are full."""

    @pytest.fixture
    def long(self, tmp_path: Path) -> None:
        fill(tmp_path, [{"@timestamp": ROWS[0]["@timestamp"], "message": "x" * 50_000, "n": n} for n in range(400)])

    @staticmethod
    @asynccontextmanager
    async def started(client: Client) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Ask for a download and take its first bytes; the kernel takes few of the others."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (str(client.host), client.port))
        reader, writer = await asyncio.open_connection(sock=connection, limit=4096)
        try:
            writer.write(b"GET /api/export?format=ndjson HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
            yield reader, writer
        finally:
            writer.transport.abort()

    @pytest.mark.usefixtures("long")
    async def test_one_that_fails_is_cut_off(self, client: Client) -> None:
        async with self.started(client) as (reader, _):
            os.kill(writers()[0], signal.SIGKILL)
            received = b""
            with suppress(ConnectionResetError):
                while data := await reader.read(1 << 20):
                    received += data
            assert 0 < len(received) < 20_000_000
            assert not received.endswith(b"0\r\n\r\n")  # which is the end of a whole body

    @pytest.mark.usefixtures("long")
    async def test_a_client_that_leaves_ends_its_process(self, client: Client) -> None:
        async with self.started(client) as (_, first), self.started(client):
            third = asyncio.create_task(download(client, format="ndjson", q="n:1"))
            assert len(writers()) == MAX_DOWNLOADS == 2
            first.transport.abort()
            assert json.loads(await third)["n"] == 1
        await eventually(lambda: not writers(), "the processes to end")
