"""One connection for Elasticsearch 8 and 9 and OpenSearch 2 and 3.

The official client refuses OpenSearch, and its versions refuse each other's servers by media type. The
transport under it does neither, and has what matters: several nodes in turn, dead ones set aside for a
while. Everything is sent as plain ``application/json`` or ``application/x-ndjson``, which all of them take.
Retrying is the caller's business: only the caller knows whether a repeat is harmless.
"""

from __future__ import annotations

import asyncio
import logging
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode

import orjson

from ingestd.protocols import bulk
from ingestd.stores.elastic.errors import ElasticRefused, ElasticUnavailable
from ingestd.stores.elastic.options import ElasticOptions

if TYPE_CHECKING:
    from elastic_transport import AsyncTransport, HttpHeaders

JSON = "application/json"
NDJSON = "application/x-ndjson"
GZIP = 16 + zlib.MAX_WBITS  # zlib's way to ask for a gzip header
THREAD_BYTES = 1 << 16  # below this, packing is quicker than waking a thread for it

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class BulkAnswer:
    """An answer to ``_bulk`` for `bulk.read_answer`; ``retry_after`` in seconds if the server names it."""

    status: int
    body: bytes
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """What answers: ``flavour`` is ``elasticsearch`` or ``opensearch``; ``version`` (0, 0, 0) if it hides it."""

    flavour: str
    version: tuple[int, int, int] = (0, 0, 0)

    def __str__(self) -> str:
        return f"{self.flavour} {'.'.join(map(str, self.version)) if any(self.version) else 'of unknown version'}"


class ElasticClient:
    """A pool of connections to the nodes of one cluster; safe for concurrent use within one event loop.

    Raises:
        ValueError: An option is wrong (see `ElasticOptions`). Files are read at `connect`.
    """

    def __init__(self, options: ElasticOptions) -> None:
        self._options = options
        self._hosts = options.resolve()
        self._gzip_level = options.gzip_level()
        self._bulk_target = "/" + (options.bulk_path or "_bulk").strip("/")
        self._transport: AsyncTransport | None = None

    def __repr__(self) -> str:
        return f"ElasticClient({', '.join(host.url for host in self._hosts)})"

    async def __aenter__(self) -> Self:
        self.connect()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def connect(self) -> AsyncTransport:
        """Get ready to send: import the transport and read the certificates. Opens no connection yet.

        The first request does it as well; a caller that wants bad files told at start calls it before.

        Raises:
            ValueError: A certificate or key file is missing or wrong.
        """
        if self._transport is not None:
            return self._transport
        context = self._options.tls_context()
        # 0.2 s of imports: only for those who need them.
        from elastic_transport import AsyncTransport, NodeConfig  # noqa: PLC0415

        from ingestd.stores.elastic.node import PROXY, Node, RawSerializer  # noqa: PLC0415

        # It would say what our errors say already, and at level DEBUG whole documents.
        logging.getLogger("elastic_transport").setLevel(logging.ERROR)
        shared = {"accept-encoding": "identity", "user-agent": "ingestd"} | dict(self._options.custom_headers)
        configs = [
            NodeConfig(
                scheme=host.scheme,
                host=host.name,
                port=host.port,
                path_prefix=host.path,
                headers=shared | ({"authorization": host.authorization} if host.authorization else {}),
                connections_per_node=self._options.pool_max_per_route,
                request_timeout=self._options.timeout,
                ssl_context=context if host.scheme == "https" else None,
                _extras={PROXY: self._options.proxy},
            )
            for host in self._hosts
        ]
        raw = RawSerializer()
        self._transport = AsyncTransport(
            configs,
            node_class=Node,
            serializers=dict.fromkeys((JSON, NDJSON, "text/plain", "text/html"), raw),
            default_mimetype=JSON,
            max_retries=0,
            meta_header=False,
        )
        return self._transport

    async def bulk(self, body: bytes, *, pipeline: str | None = None) -> BulkAnswer:
        """Send a ``_bulk`` body, packed if the options say so, and return the short answer unread.

        Args:
            body: Action lines and documents, ending in a line end.
            pipeline: Ingest pipeline of the server for these documents.

        Raises:
            ElasticUnavailable: No answer; the documents may be stored all the same.
        """
        headers = {"content-type": NDJSON, "accept": JSON}
        if self._gzip_level:
            headers["content-encoding"] = "gzip"
            if len(body) < THREAD_BYTES:
                body = zlib.compress(body, self._gzip_level, GZIP)
            else:
                body = await asyncio.to_thread(zlib.compress, body, self._gzip_level, GZIP)
        params = {"filter_path": bulk.FILTER_PATH} | ({"pipeline": pipeline} if pipeline else {})
        # POST, not PUT: below us an idempotent method would be sent twice when a kept connection breaks.
        status, data, answer_headers = await self._send("POST", self._bulk_target, params, body, headers)
        return BulkAnswer(status, data, _seconds(answer_headers.get("retry-after")))

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> tuple[int, Any]:
        """Send any request; return its status and the parsed answer.

        Args:
            method: ``GET``, ``PUT`` ...
            path: Begins with ``/``; parts from elsewhere must be quoted by `quote_part`.
            params: Query parameters.
            json: Body, to be dumped; ``body`` is one that is dumped already.
            timeout_s: Seconds, instead of the option's.

        Returns:
            Any status, 4xx and 5xx too: `refused` makes an exception of one. An answer that is not
            JSON is returned as text, an empty one as None.

        Raises:
            ElasticUnavailable: No answer.
        """
        if json is not None:
            body = orjson.dumps(json)
        headers = {"accept": JSON} | ({} if body is None else {"content-type": JSON})
        status, data, _ = await self._send(method, path, dict(params or {}), body, headers, timeout_s)
        return status, _parsed(data)

    async def fetch(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, json: Any = None
    ) -> bytes:
        """As `call`, but return the answer unread, for those who must not change a byte of it.

        Raises:
            ElasticUnavailable: No answer.
            ElasticRefused: A status that is not 2xx.
        """
        headers = {"accept": JSON} | ({} if json is None else {"content-type": JSON})
        body = None if json is None else orjson.dumps(json)
        status, data, _ = await self._send(method, path, dict(params or {}), body, headers)
        if not 200 <= status < 300:
            raise self.refused(status, _parsed(data))
        return data

    async def call(self, method: str, path: str, *, params: Mapping[str, str] | None = None, json: Any = None) -> Any:
        """As `request`, but return the parsed answer alone.

        Raises:
            ElasticUnavailable: No answer.
            ElasticRefused: A status that is not 2xx.
        """
        status, answer = await self.request(method, path, params=params, json=json)
        if not 200 <= status < 300:
            raise self.refused(status, answer)
        return answer

    async def ping(self) -> None:
        """Return if the cluster answers and lets us in.

        Raises:
            ElasticUnavailable: No answer.
            ElasticRefused: It does not.
        """
        await self.call("GET", "/_cluster/health", params={"filter_path": "status"})

    async def server(self) -> Server:
        """Find out what answers, and its version.

        ``GET /`` is refused by stripped distributions and to accounts without rights to monitor: then
        headers and the list of nodes tell.

        Raises:
            ElasticUnavailable: No answer.
            ElasticRefused: The credentials are wrong, or what answers is neither of the two.
        """
        status, data, headers = await self._send("GET", "/", {}, None, {"accept": JSON})
        if status == 401:
            raise self.refused(status, _parsed(data))
        answer = _parsed(data)
        flavour = _flavour(answer, headers)
        if not flavour:
            raise ElasticRefused(f"{self._hosts[0].url} is neither Elasticsearch nor OpenSearch", status)
        version = answer.get("version", {}).get("number") if isinstance(answer, dict) and status == 200 else None
        if not version:
            params = {"filter_path": "nodes.*.version"}
            status, answer = await self.request("GET", "/_nodes/_local", params=params)
            if status == 200 and isinstance(answer, dict) and answer.get("nodes"):
                version = next(iter(answer["nodes"].values())).get("version")
        return Server(flavour, _version(str(version or headers.get("x-opensearch-version", ""))))

    async def close(self) -> None:
        """Close all connections. A later request opens new ones."""
        if self._transport is not None:
            transport, self._transport = self._transport, None
            await transport.close()

    def refused(self, status: int, answer: Any) -> ElasticRefused:
        """Return the exception that tells a status and its parsed answer, with what to do if we know."""
        where = self._hosts[0].url
        if status == 401:
            how = "user and password or api_key" if self._hosts[0].authorization else "a user or an api_key, none given"
            return ElasticRefused(f"{where} does not know us (401): check {how}", status)
        data = orjson.dumps(_rooted(answer)) if isinstance(answer, dict) else str(answer or "").encode()
        reason = bulk.whole_reason(status, data)
        hint = "; the account lacks the right" if status == 403 else ""
        return ElasticRefused(f"{where} refuses: {reason}{hint}", status)

    async def _send(
        self,
        method: str,
        path: str,
        params: dict[str, str],
        body: bytes | None,
        headers: dict[str, str],
        timeout_s: float | None = None,
    ) -> tuple[int, bytes, HttpHeaders]:
        transport = self.connect()
        from elastic_transport import TransportError  # noqa: PLC0415  # connect() has imported it

        query = urlencode(dict(self._options.parameters) | params, safe="*,:", quote_via=quote)
        target = f"{path}?{query}" if query else path
        try:
            response = await transport.perform_request(
                method, target, body=body, headers=headers, request_timeout=timeout_s or self._options.timeout
            )
        except TransportError as error:
            kind, sentence = _told(error.message)
            raise ElasticUnavailable(sentence, kind) from None
        return response.meta.status, response.body or b"", response.meta.headers


def quote_part(text: str) -> str:
    """Return ``text`` for use as one part of a path: an index name, an id."""
    return quote(text, safe="*,")


def _told(message: Any) -> tuple[str, str]:
    if isinstance(message, tuple) and len(message) == 2:
        return message
    return "network", "what answers does not look like Elasticsearch"  # a type of content nobody expects


def _parsed(data: bytes) -> Any:
    if not data:
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return data.decode("utf-8", "replace")


def _rooted(answer: dict[str, Any]) -> dict[str, Any]:
    """Put what broke a search in the place of "all shards failed"."""
    error = answer.get("error")
    if not isinstance(error, dict) or not str(error.get("type", "")).startswith("search_phase"):
        return answer
    cause = next(iter(error.get("root_cause") or ()), None) or error.get("caused_by") or error
    return answer | {"error": cause}


def _flavour(answer: Any, headers: HttpHeaders) -> str:
    if "x-opensearch-version" in headers:
        return "opensearch"
    if headers.get("x-elastic-product") == "Elasticsearch":
        return "elasticsearch"
    if isinstance(answer, dict) and isinstance(answer.get("version"), dict):
        # OpenSearch can be told to pass for Elasticsearch 7.10; its tagline stays.
        own = (answer["version"].get("distribution"), str(answer.get("tagline")))
        return "opensearch" if own[0] == "opensearch" or "OpenSearch" in own[1] else "elasticsearch"
    return ""


def _version(text: str) -> tuple[int, int, int]:
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)


def _seconds(text: str | None) -> float | None:
    """Read ``Retry-After`` (RFC 9110, 10.2.3); its form with a date is not used by these servers."""
    return float(text) if text and text.isascii() and text.isdigit() else None
