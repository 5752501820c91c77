"""One client for Elasticsearch 6 to 9 and OpenSearch 2 and 3; importing it does not import the official client.

`ElasticClient.api` is the official client, for queries and backups. What a daemon does all the time goes without, as
each process would keep its 12 MB: `request`, and `bulk` and `search`, which pass the answer unparsed, as they must be
fast or must not change a byte.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode

from ingestd.protocols.http import bulk
from ingestd.stores.elastic.connection import sniffing
from ingestd.stores.elastic.connection.body import BodyParts
from ingestd.stores.elastic.connection.errors import ElasticResponseError, parse_body
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.elastic.connection.server import Server, flavour_of, parse_version

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

    from ingestd.stores.elastic.connection.transport import Transport

THREAD_BYTES = 1 << 16  # below this, compressing is faster than waking a thread


@dataclass(frozen=True, slots=True)
class BulkAnswer:
    """A response to ``_bulk`` for `bulk.parse_response`; ``retry_after`` in seconds if the server names it."""

    status: int
    body: bytes
    retry_after: float | None = None


def import_transport() -> None:
    """Import what requests need, which takes 0.1 s and 8 MB: once, before processes are forked."""
    from ingestd.stores.elastic.connection import transport  # noqa: F401, PLC0415


LONG_SECONDS = 6 * 3600.0


class ElasticClient:
    """A pool of connections to the nodes of one cluster; safe for concurrent use within one event loop.

    Raises:
        ValueError: An option is invalid (see `ElasticOptions`). Files are read at `connect`.
    """

    def __init__(self, options: ElasticOptions) -> None:
        self._options = options
        self._hosts = options.resolve()
        self._gzip_level = options.gzip_level()
        self._bulk_path = "/" + (options.bulk_path or "_bulk").strip("/")
        self._open_transport: Transport | None = None
        self._official: AsyncElasticsearch | None = None
        self._server: Server | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"ElasticClient({', '.join(host.url for host in self._hosts)})"

    async def __aenter__(self) -> Self:
        self.connect()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def connect(self) -> None:
        """Prepare for requests, as the first one would, to find invalid files at the start; opens no connection.

        Raises:
            ValueError: A certificate or key file is missing or invalid.
        """
        _ = self._transport

    @property
    def _transport(self) -> Transport:
        """The pool of connections: the first access imports it and reads the certificates. Safe in any thread."""
        with self._lock:
            if self._open_transport is None:
                from ingestd.stores.elastic.connection.transport import Transport  # noqa: PLC0415  # 0.1 s

                self._open_transport = Transport(self._options)
            return self._open_transport

    @property
    def api(self) -> AsyncElasticsearch:
        """The official client: the first access imports it. Safe in any thread.

        Raises:
            ValueError: As `connect`.
        """
        transport = self._transport
        with self._lock:
            if self._official is None:
                from ingestd.stores.elastic.connection.official import official_client  # noqa: PLC0415  # 0.2 s

                self._official = official_client(transport)
            return self._official

    @property
    def slow_api(self) -> AsyncElasticsearch:
        """The same for requests that may take hours, up to ``LONG_SECONDS``."""
        return self.api.options(request_timeout=LONG_SECONDS)

    async def request(
        self, method: str, path: str, params: Mapping[str, str | bool] | None = None, *, body: Any = None
    ) -> Any:
        """Send a request and return the parsed answer.

        Args:
            method: ``GET``, ``PUT`` ...
            path: With `quote_part` for names in it.
            params: Query parameters.
            body: Dumped as JSON; None: there is none.

        Raises:
            ElasticUnavailable: No answer.
            ElasticResponseError: A status that is not 2xx, or not JSON.
        """
        headers = {} if body is None else {"content-type": "application/json"}
        _, parsed = await self._transport.request(method, _target(path, params), headers=headers, body=body)
        return parsed

    async def bulk(
        self, body: bytes | BodyParts, *, pipeline: str | None = None, document_type: str = ""
    ) -> BulkAnswer:
        """Send a ``_bulk`` body, compressed if the options say so, and return the short response unparsed.

        Args:
            body: Action lines and documents, ending in a line end.
            pipeline: Ingest pipeline of the server for these documents.
            document_type: Mapping type of these documents, for a server that has types (`Server.has_types`).

        Raises:
            ElasticUnavailable: No answer; the documents may have been stored nevertheless.
        """
        headers = {"content-type": "application/x-ndjson"}
        if self._gzip_level:
            headers["content-encoding"] = "gzip"
            body = await _compressed(BodyParts([body]) if isinstance(body, bytes) else body, self._gzip_level)
        params = {"filter_path": bulk.FILTER_PATH} | ({"pipeline": pipeline} if pipeline else {})
        # POST, not the client's PUT: aiohttp sends an idempotent method twice when a kept connection breaks.
        target = _target(_path_with_type(self._bulk_path, document_type) if document_type else self._bulk_path, params)
        answer = await self._transport.send("POST", target, body=body, headers=headers)
        return BulkAnswer(answer.status, answer.body, _seconds(answer.headers.get("retry-after")))

    async def search(self, path: str, body: Any, params: Mapping[str, str | bool] | None = None) -> bytes:
        """Return the unparsed response to a search, so that no byte of a document changes.

        Args:
            path: ``/INDICES/_search`` with `quote_part`, or ``/_search/scroll``.
            body: The search, to be dumped as JSON.
            params: Query parameters.

        Raises:
            ElasticUnavailable: No answer.
            ElasticResponseError: A status that is not 2xx.
        """
        headers = {"content-type": "application/json"}
        answer = await self._transport.send("POST", _target(path, params), body=body, headers=headers)
        if not 200 <= answer.status < 300:
            raise answer.error(parse_body(answer.body))
        return answer.body

    async def server(self, *, refresh: bool = False) -> Server:
        """Return the kind of server and its version, which is asked for once.

        Stripped distributions, and accounts without the privilege ``monitor``, get no answer to ``GET /``: then the
        headers and the list of nodes are used, and if these do not help, a new Elasticsearch is assumed.

        Args:
            refresh: Ask again: the server may have been upgraded.

        Raises:
            ElasticUnavailable: No answer.
            ElasticResponseError: The credentials are wrong, or the server is neither of the two.
        """
        if self._server is None or refresh:
            self._server = await self._ask_server()
        return self._server

    async def _ask_server(self) -> Server:
        answer = await self._transport.send("GET", "/", headers={})
        status, headers, parsed = answer.status, answer.headers, parse_body(answer.body)
        if status == 401:
            raise answer.error(parsed)
        flavour = flavour_of(parsed, headers)
        if not flavour and status == 403:
            return Server("elasticsearch")
        if not flavour:
            raise ElasticResponseError(f"{self._hosts[0].url} is neither Elasticsearch nor OpenSearch", status)
        version = parsed.get("version", {}).get("number") if isinstance(parsed, dict) and status == 200 else None
        version = version or await self._node_version()
        return Server(flavour, parse_version(str(version or headers.get("x-opensearch-version", ""))))

    async def _node_version(self) -> str | None:
        """Return the version of the node in the list of nodes; None if it has none."""
        try:
            answer = await self.request("GET", "/_nodes/_local", {"filter_path": "nodes.*.version"})
        except ElasticResponseError:
            return None
        nodes = answer.get("nodes") if isinstance(answer, dict) else None
        version: str | None = next(iter(nodes.values())).get("version") if nodes else None
        return version

    async def find_nodes(self, path: str = sniffing.PATH) -> None:
        """Use the nodes too that the cluster names.

        Raises:
            ElasticUnavailable: No answer.
            ElasticResponseError: The cluster names none.
        """
        self._transport.add_nodes(sniffing.node_addresses(await self.request("GET", path)))

    async def check_failed_nodes(self) -> None:
        """Use failed nodes again that answer the health check."""
        await self._transport.check_failed_nodes()

    async def close(self) -> None:
        """Close all connections. A later request opens new ones."""
        with self._lock:
            transport, self._open_transport, self._official = self._open_transport, None, None
        if transport is not None:
            await transport.close()


def quote_part(text: str) -> str:
    """Return ``text`` for use as one part of a path: an index name, an id."""
    return quote(text, safe="*,")


def _path_with_type(bulk_path: str, document_type: str) -> str:
    """Return the path of bulk requests that gives a mapping type to action lines without one.

    It must name an index as well, which is never used, as each of our action lines names its own.
    """
    head, _, last = bulk_path.rpartition("/")
    return f"{head}/ingestd/{quote_part(document_type)}/{last}"


def _target(path: str, params: Mapping[str, str | bool] | None) -> str:
    if not params:
        return path
    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in params.items()}
    return f"{path}?{urlencode(texts, safe='*,:', quote_via=quote)}"


async def _compressed(body: BodyParts, level: int) -> BodyParts:
    return body.compressed(level) if body.size < THREAD_BYTES else await asyncio.to_thread(body.compressed, level)


def _seconds(text: str | None) -> float | None:
    """Read ``Retry-After`` (RFC 9110, 10.2.3); these servers do not use its form with a date."""
    return float(text) if text and text.isascii() and text.isdigit() else None
