"""A node of a cluster over aiohttp: responses are raw bytes, errors are sentences.

The node of `elastic_transport` for aiohttp supports no proxy and no connect timeout, follows redirects (with the
credentials), and its errors are the texts of aiohttp's exceptions, which may contain secrets. Importing this module
takes 0.1 s: only `transport` does.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from ingestd.stores.elastic.connection.body import BodyParts
from ingestd.stores.elastic.connection.errors import ElasticResponseError, ElasticUnavailable, response_error
from ingestd.stores.elastic.connection.options import ElasticOptions, Host

CONNECT_TIMEOUT_S = 10.0  # an unreachable node must not delay a batch for the whole timeout of a request


class Answer(NamedTuple):
    """The unread answer to a request; names of ``headers`` may have letters of any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    node: Node

    def error(self, parsed: Any) -> ElasticResponseError:
        """Return the exception for an error response; ``parsed``: its body, text if that is not JSON."""
        return response_error(self.node.host.url, self.status, parsed, authorized="authorization" in self.node.headers)


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


class Node:
    """A node with its own pool of connections, opened at the first request.

    Args:
        host: Its address.
        options: How it is reached.
        context: For ``https``.
    """

    def __init__(self, host: Host, options: ElasticOptions, context: ssl.SSLContext | None) -> None:
        self.host, self._options = host, options
        self._context = context if host.scheme == "https" else None
        headers = {"accept-encoding": "identity", "user-agent": "ingestd"}
        headers |= {name.lower(): value for name, value in options.custom_headers.items()}
        self.headers: Mapping[str, str] = headers | (
            {"authorization": host.authorization} if host.authorization else {}
        )
        """Sent with every request, unless it has others of the same names; the names are in lower case."""
        self._session: aiohttp.ClientSession | None = None

    def at(self, name: str, port: int) -> Node:
        """Return a node at another address, with the scheme, the credentials and the limits of this one."""
        return Node(replace(self.host, name=name, port=port), self._options, self._context)

    async def is_healthy(self, path: str, *, absolute: bool) -> bool:
        """Return whether a HEAD request for a path succeeds; ``absolute``: the path has no prefix of this node."""
        try:
            answer = await self._send("HEAD", self._root(absolute=absolute) + f"/{path.lstrip('/')}", None, {}, None)
        except ElasticUnavailable:
            return False
        return 200 <= answer.status < 300

    async def send(
        self,
        method: str,
        target: str,
        body: bytes | BodyParts | None,
        headers: Mapping[str, str],
        timeout_s: float | None = None,
    ) -> Answer:
        """Send a request and read the whole response.

        Args:
            method: ``GET``, ``PUT`` ...
            target: Path and query.
            body: As it is sent.
            headers: With names in lower case.
            timeout_s: From sending to the last byte of the answer; None: that of the options.

        Raises:
            ElasticUnavailable: No answer.
        """
        return await self._send(method, self._root() + target, body, headers, timeout_s)

    def _root(self, *, absolute: bool = False) -> str:
        return self.host.url.removesuffix(self.host.path) if absolute else self.host.url

    async def _send(
        self,
        method: str,
        url: str,
        body: bytes | BodyParts | None,
        headers: Mapping[str, str],
        timeout_s: float | None,
    ) -> Answer:
        seconds = timeout_s or self._options.timeout
        session = self._session or self._open()
        try:
            async with session.request(
                method,
                url,
                data=_Body(body if isinstance(body, BodyParts) else BodyParts([body])) if body else None,
                headers={**self.headers, **headers},
                timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_TIMEOUT_S),
                proxy=self._options.proxy,
                allow_redirects=False,  # it would send the credentials elsewhere
            ) as response:
                return Answer(response.status, response.headers, await response.read(), self)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _unavailable(error, self.host.url, seconds) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0, limit_per_host=self._options.pool_max_per_route, ssl=self._context or True
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


def _unavailable(error: Exception, url: str, seconds: float) -> ElasticUnavailable:
    """Return our exception for one of aiohttp's, without any text that might contain a secret."""
    last_resort = ("network", "the request to {url} failed: {why}")
    kind, sentence = next((entry for types, *entry in _ERRORS if isinstance(error, types)), last_resort)
    return ElasticUnavailable(sentence.format(url=url, why=_why(error), seconds=seconds), kind)


def _why(error: Exception) -> str:
    """Return the system's or OpenSSL's words for the cause of an exception; its name if there are none."""
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    words = getattr(inner, "verify_message", None) or getattr(inner, "reason", None)
    if isinstance(words, str) and words:
        return words.replace("_", " ").lower()
    number = getattr(inner, "errno", None)
    return os.strerror(number).lower() if number and number > 0 else type(error).__name__
