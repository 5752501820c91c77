"""Several nodes: how one that failed is found well again, and how many connections are used at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ingestd.stores.elastic.connection.errors import ElasticUnavailable
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.elastic.connection.transport import Transport
from tests.waiting import eventually


class Node:
    """An HTTP server: answers with ``statuses`` by path, 200 by default, or hangs up while it is ``down``."""

    def __init__(self) -> None:
        self.down, self.seen, self.statuses = False, Counter[str](), dict[str, int]()
        self.busy = self.most_busy = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.decode().split(" ", 2)
                self.seen[f"{method} {path}"] += 1
                if self.down and method != "HEAD":
                    break
                self.busy += 1
                self.most_busy = max(self.busy, self.most_busy)
                await self.gate.wait()
                self.busy -= 1
                status, body = self.statuses.get(path, 200), b"" if method == "HEAD" else b"{}"
                writer.write(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n" % status)
                writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def nodes(count: int) -> AsyncIterator[tuple[list[Node], tuple[str, ...]]]:
    """Run nodes; yields them and their URLs."""
    found = [Node() for _ in range(count)]
    servers = [await asyncio.start_server(node.serve, "127.0.0.1", 0) for node in found]
    try:
        yield found, tuple(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/es" for server in servers)
    finally:
        for server in servers:
            server.close()


async def ask(transport: Transport, times: int) -> None:
    for _ in range(times):
        await transport.send("GET", "/x", headers={})


@pytest.mark.parametrize(("absolute", "path"), [(False, "/es/ready"), (True, "/ready")])
async def test_a_node_that_failed_is_used_again_once_it_is_healthy(absolute: bool, path: str) -> None:
    async with nodes(2) as ((bad, good), urls):
        options = ElasticOptions(hosts=urls, healthcheck_path="/ready", absolute_healthcheck_path=absolute)
        transport = Transport(options)
        bad.down, bad.statuses[path] = True, 503
        with pytest.raises(ElasticUnavailable):
            await ask(transport, 2)
        failed, bad.down = bad.seen["GET /es/x"], False
        await transport.check_failed_nodes()
        await ask(transport, 6)
        assert (bad.seen["GET /es/x"], bad.seen[f"HEAD {path}"]) == (failed, 1), "it is not healthy yet"
        bad.statuses[path] = 200
        await transport.check_failed_nodes()
        await ask(transport, 6)
        assert bad.seen["GET /es/x"] == failed + 3
        await transport.check_failed_nodes()
        assert bad.seen[f"HEAD {path}"] == 2
        assert not any(request.startswith("HEAD") for request in good.seen)
        await transport.close()


async def test_connections_to_all_nodes_together_are_bounded() -> None:
    async with nodes(2) as (found, urls):
        transport = Transport(ElasticOptions(hosts=urls, pool_max=3, pool_max_per_route=2))
        for node in found:
            node.gate.clear()
        tasks = [asyncio.create_task(ask(transport, 1)) for _ in range(10)]
        await eventually(lambda: sum(node.busy for node in found) == 3)
        for node in found:
            node.gate.set()
        await asyncio.gather(*tasks)
        assert sum(node.most_busy for node in found) <= 4  # the last ones that were let go
        assert all(node.most_busy <= 2 for node in found)
        await transport.close()


async def test_more_than_a_hundred_connections_to_a_node() -> None:
    async with nodes(1) as ([node], urls):
        transport = Transport(ElasticOptions(hosts=urls, pool_max_per_route=120))
        node.gate.clear()
        tasks = [asyncio.create_task(ask(transport, 1)) for _ in range(130)]
        await eventually(lambda: node.busy == 120)
        node.gate.set()
        await asyncio.gather(*tasks)
        assert node.most_busy == 120
        await transport.close()
