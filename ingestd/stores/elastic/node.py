"""One node as `elastic_transport` wants it, over aiohttp: answers as raw bytes, errors as sentences.

The library's own aiohttp node knows no proxy, and tells an error by the text of an exception, which
may hold what nobody should read. Importing this module costs 0.2 s: only `client.connect` does.
"""

from __future__ import annotations

import asyncio
import io
import os
import ssl
from typing import NamedTuple

import aiohttp
from elastic_transport import (
    ApiResponseMeta,
    BaseAsyncNode,
    ConnectionTimeout,
    HttpHeaders,
    NodeConfig,
    Serializer,
    TlsError,
    TransportError,
)
from elastic_transport import ConnectionError as NodeError
from elastic_transport.client_utils import DEFAULT, DefaultType

WHOLE_BYTES = 1 << 20  # aiohttp warns of larger bodies in one piece, and takes a file's in pieces
CONNECT_TIMEOUT_S = 10.0  # a node that is gone must not hold a batch for the whole time-out of a request
PROXY = "_ingestd_proxy"


class Answer(NamedTuple):
    """What `elastic_transport` wants of a node's request."""

    meta: ApiResponseMeta
    body: bytes


class RawSerializer(Serializer):
    """Hands bytes through: bodies come ready, and most answers are never parsed."""

    mimetype = "application/json"

    def dumps(self, data: object) -> bytes:
        """Return ``data``, which is bytes."""
        if not isinstance(data, bytes):
            raise TypeError(f"a body is bytes, not {type(data).__name__}")
        return data

    def loads(self, data: bytes) -> bytes:
        """Return ``data``."""
        return data


class Node(BaseAsyncNode):
    """A node with its own pool of connections, opened at the first request."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self._session: aiohttp.ClientSession | None = None
        self._proxy: str | None = config._extras.get(PROXY)

    async def perform_request(  # type: ignore[override]  # as the library's own async nodes do
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: float | DefaultType | None = DEFAULT,
    ) -> Answer:
        """Send one request and read the whole answer.

        Raises:
            NodeError, TlsError, ConnectionTimeout: The message is ``(kind, sentence)`` of `ElasticUnavailable`.
        """
        seconds = self.config.request_timeout if isinstance(request_timeout, DefaultType) else request_timeout
        session = self._session or self._open()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            async with session.request(
                method,
                self.base_url + target,
                data=io.BytesIO(body) if body and len(body) > WHOLE_BYTES else body,
                headers={**self.headers, **(headers or {})},
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_TIMEOUT_S),
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                data = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _told(error, self.base_url, seconds) from None
        answer_headers = HttpHeaders(response.headers)
        meta = ApiResponseMeta(response.status, "1.1", answer_headers, loop.time() - begun, self.config)
        return Answer(meta, data)

    async def close(self) -> None:  # type: ignore[override]
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit_per_host=self.config.connections_per_node, ssl=self.config.ssl_context or True
        )
        # A redirect would carry the credentials to somebody else; cookies of a balancer are none of ours.
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=("User-Agent", "Content-Type")
        )
        return self._session


# The first that fits; subclasses stand before their bases.
_TOLD: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, str], ...] = (
    (
        aiohttp.ClientConnectorCertificateError,
        "tls",
        "the certificate of {url} is refused: {why}; name its authority in ssl_certificate_authorities",
    ),
    ((aiohttp.ClientSSLError, ssl.SSLError), "tls", "no TLS connection to {url}: {why}"),
    (aiohttp.ClientProxyConnectionError, "proxy", "the proxy for {url} cannot be reached: {why}"),
    (aiohttp.ClientHttpProxyError, "proxy", "the proxy for {url} refuses"),
    (aiohttp.ClientConnectorDNSError, "dns", "the name in {url} is unknown"),
    (aiohttp.ConnectionTimeoutError, "timeout", f"no connection to {{url}} within {CONNECT_TIMEOUT_S:g} s"),
    ((aiohttp.ServerTimeoutError, TimeoutError), "timeout", "no answer from {url} within {seconds:g} s"),
    (aiohttp.ClientConnectorError, "refused", "{url} cannot be reached: {why}"),
    (
        (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, ConnectionError),
        "closed",
        "{url} closed the connection before its answer was complete",
    ),
    (aiohttp.ClientResponseError, "network", "what answers at {url} does not speak HTTP as it should"),
)


def _told(error: Exception, url: str, seconds: float | None) -> TransportError:
    """Turn an exception into ``(kind, sentence)``; of its own text only what cannot hold a secret."""
    last_resort = ("network", "the request to {url} failed: {why}")
    kind, sentence = next((told for types, *told in _TOLD if isinstance(error, types)), last_resort)
    message = (kind, sentence.format(url=url, why=_why(error), seconds=seconds or 0))
    classes: dict[str, type[TransportError]] = {"tls": TlsError, "timeout": ConnectionTimeout}
    return classes.get(kind, NodeError)(message)


def _why(error: Exception) -> str:
    """Return the system's or OpenSSL's words for what is behind an exception, or else its name."""
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    words = getattr(inner, "verify_message", None) or getattr(inner, "reason", None)
    if isinstance(words, str) and words:
        return words.replace("_", " ").lower()
    number = getattr(inner, "errno", None)
    return os.strerror(number).lower() if number and number > 0 else type(error).__name__
