"""A node of `elastic_transport` over aiohttp: responses are raw bytes, errors are sentences.

The library's own node for aiohttp supports no proxy and no connect timeout, follows redirects (with the credentials),
and its errors are the texts of aiohttp's exceptions, which may contain secrets. Importing this module takes
0.2 s: only `transport` does.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import NamedTuple

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from elastic_transport import (
    ApiResponseMeta,
    BaseAsyncNode,
    ConnectionTimeout,
    HttpHeaders,
    NodeConfig,
    TlsError,
    TransportError,
)
from elastic_transport import ConnectionError as NodeError
from elastic_transport.client_utils import DEFAULT, DefaultType

from ingestd.stores.elastic.connection.body import BodyParts
from ingestd.stores.elastic.connection.errors import ElasticUnavailable

CONNECT_TIMEOUT_S = 10.0  # an unreachable node must not delay a batch for the whole timeout of a request


class NodeResponse(NamedTuple):
    """What `elastic_transport` expects of a node."""

    meta: ApiResponseMeta
    body: bytes


class _Body(aiohttp.BytesPayload):
    """The body of a request, written in its parts: the transport keeps what the kernel does not take, without a copy.

    aiohttp itself warns of large ones, and cuts those of files into pieces of 64 KB, a copy and a system call each.
    """

    def __init__(self, body: BodyParts) -> None:
        super(aiohttp.BytesPayload, self).__init__(body)
        self._parts, self._size = body, body.size

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        writer.send_headers()  # else they are joined with the first part
        await self.write(writer)

    async def write(self, writer: AbstractStreamWriter) -> None:  # called by aiohttp before 3.12
        for part in self._parts:
            await writer.write(part)


class AiohttpNode(BaseAsyncNode):
    """A node with its own pool of connections, opened at the first request. ``proxy``: URL of an HTTP proxy."""

    proxy: str | None = None

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self._session: aiohttp.ClientSession | None = None

    async def perform_request(  # type: ignore[override]  # as the library's own async nodes do
        self,
        method: str,
        target: str,
        body: bytes | BodyParts | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: float | DefaultType | None = DEFAULT,
    ) -> NodeResponse:
        """Send a request and read the whole response.

        Raises:
            NodeError, TlsError, ConnectionTimeout: The message is an `ElasticUnavailable`.
        """
        return await self._request(method, self.base_url + target, body, headers, request_timeout)

    async def is_healthy(self, path: str, *, absolute: bool) -> bool:
        """Return whether a HEAD request for a path succeeds; ``absolute``: the path has no prefix of this node."""
        root = self.base_url.removesuffix(self.config.path_prefix) if absolute else self.base_url
        try:
            answer = await self._request("HEAD", f"{root}/{path.lstrip('/')}")
        except TransportError:
            return False
        return 200 <= answer.meta.status < 300

    async def _request(
        self,
        method: str,
        url: str,
        body: bytes | BodyParts | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: float | DefaultType | None = DEFAULT,
    ) -> NodeResponse:
        seconds = self.config.request_timeout if isinstance(request_timeout, DefaultType) else request_timeout
        session = self._session or self._open()
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            async with session.request(
                method,
                url,
                data=_Body(body if isinstance(body, BodyParts) else BodyParts([body])) if body else None,
                headers={**self.headers, **(headers or {})},
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_TIMEOUT_S),
                proxy=self.proxy,
                allow_redirects=False,  # it would send the credentials elsewhere
            ) as response:
                data = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _node_error(error, self.base_url, seconds) from None
        answer_headers = HttpHeaders(response.headers)
        meta = ApiResponseMeta(response.status, "1.1", answer_headers, loop.time() - start, self.config)
        return NodeResponse(meta, data)

    async def close(self) -> None:  # type: ignore[override]
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0, limit_per_host=self.config.connections_per_node, ssl=self.config.ssl_context or True
        )
        # Cookies of a load balancer are of no use.
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=("User-Agent", "Content-Type")
        )
        return self._session


# Exception, kind and sentence of the `ElasticUnavailable`. The first match counts, so subclasses come first.
_ERRORS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, str], ...] = (
    (
        aiohttp.ClientConnectorCertificateError,
        "tls",
        "the certificate of {url} is not trusted: {why}; set ssl_certificate_authorities to its authority",
    ),
    ((aiohttp.ClientSSLError, ssl.SSLError), "tls", "no TLS connection to {url}: {why}"),
    (aiohttp.ClientProxyConnectionError, "proxy", "the proxy for {url} cannot be reached: {why}"),
    (aiohttp.ClientHttpProxyError, "proxy", "the proxy rejects the request to {url}"),
    (aiohttp.ClientConnectorDNSError, "dns", "the host name in {url} cannot be resolved"),
    (aiohttp.ConnectionTimeoutError, "timeout", f"no connection to {{url}} within {CONNECT_TIMEOUT_S:g} s"),
    ((aiohttp.ServerTimeoutError, TimeoutError), "timeout", "no answer from {url} within {seconds:g} s"),
    (aiohttp.ClientConnectorError, "refused", "{url} cannot be reached: {why}"),
    (
        (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, ConnectionError),
        "closed",
        "{url} closed the connection before its answer was complete",
    ),
    (aiohttp.ClientResponseError, "network", "the response from {url} is not valid HTTP"),
)


def _node_error(error: Exception, url: str, seconds: float | None) -> TransportError:
    """Return the transport's exception for one of aiohttp's, without any text that might contain a secret."""
    last_resort = ("network", "the request to {url} failed: {why}")
    kind, sentence = next((entry for types, *entry in _ERRORS if isinstance(error, types)), last_resort)
    cause = ElasticUnavailable(sentence.format(url=url, why=_why(error), seconds=seconds or 0), kind)
    classes: dict[str, type[TransportError]] = {"tls": TlsError, "timeout": ConnectionTimeout}
    return classes.get(kind, NodeError)(cause)


def _why(error: Exception) -> str:
    """Return the system's or OpenSSL's words for the cause of an exception; its name if there are none."""
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    words = getattr(inner, "verify_message", None) or getattr(inner, "reason", None)
    if isinstance(words, str) and words:
        return words.replace("_", " ").lower()
    number = getattr(inner, "errno", None)
    return os.strerror(number).lower() if number and number > 0 else type(error).__name__
