"""One node as `elastic_transport` wants it, over aiohttp: answers as raw bytes, errors as sentences.

The library's own aiohttp node knows no proxy, and tells an error by the text of an exception, which
may hold what nobody should read. Importing this module costs 0.2 s: only `client.connect` does.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl

import aiohttp
from elastic_transport import (
    ApiResponseMeta,
    BaseAsyncNode,
    ConnectionError as NodeError,
    ConnectionTimeout,
    HttpHeaders,
    NodeApiResponse,
    NodeConfig,
    Serializer,
    TlsError,
)
from elastic_transport.client_utils import DEFAULT, DefaultType

CONNECT_TIMEOUT_S = 10.0  # a node that is gone must not hold a batch for the whole time-out of a request
PROXY = "_ingestd_proxy"


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
    ) -> NodeApiResponse:
        """Send one request and read the whole answer.

        Raises:
            NodeError: Its message is ``(kind, sentence)``, see `ElasticUnavailable`; so too its
                subclasses `ConnectionTimeout`'s and `TlsError`'s.
        """
        seconds = self.config.request_timeout if isinstance(request_timeout, DefaultType) else request_timeout
        session = self._session or self._open()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            async with session.request(
                method,
                self.base_url + target,
                data=body,
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
        return NodeApiResponse(meta, data)

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


def _told(error: Exception, url: str, seconds: float | None) -> NodeError | ConnectionTimeout | TlsError:
    """Turn an exception into ``(kind, sentence)``; nothing of its own text but the system's words."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            why = getattr(error.certificate_error, "verify_message", "") or "it is not trusted"
            hint = "set ssl_certificate_authorities to the authority that signed it"
            return TlsError(("tls", f"the certificate of {url} is refused: {why}; {hint}"))
        case aiohttp.ClientSSLError() | ssl.SSLError():
            reason = getattr(error, "reason", None) or getattr(getattr(error, "os_error", None), "reason", None)
            words = str(reason or "no TLS there").replace("_", " ").lower()
            return TlsError(("tls", f"no TLS connection to {url}: {words}"))
        case aiohttp.ClientProxyConnectionError():
            return NodeError(("proxy", f"the proxy for {url} cannot be reached: {_system(error)}"))
        case aiohttp.ClientHttpProxyError():
            return NodeError(("proxy", f"the proxy for {url} answers with status {error.status}"))
        case aiohttp.ClientConnectorDNSError():
            return NodeError(("dns", f"the name in {url} is unknown"))
        case aiohttp.ServerTimeoutError() | TimeoutError():
            connecting = isinstance(error, aiohttp.ConnectionTimeoutError)
            limit = CONNECT_TIMEOUT_S if connecting else seconds
            what = "connection" if connecting else "answer"
            return ConnectionTimeout(("timeout", f"no {what} from {url} within {limit:g} s"))
        case aiohttp.ClientConnectorError() if error.os_error.errno == errno.ECONNREFUSED:
            return NodeError(("refused", f"nobody listens at {url}"))
        case aiohttp.ClientConnectorError():
            return NodeError(("network", f"{url} cannot be reached: {_system(error)}"))
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | ConnectionError():
            return NodeError(("closed", f"{url} closed the connection before its answer was complete"))
        case aiohttp.ClientResponseError():
            return NodeError(("network", f"what answers at {url} does not speak HTTP as it should"))
    return NodeError(("network", f"the request to {url} failed: {_system(error)}"))


def _system(error: Exception) -> str:
    number = getattr(getattr(error, "os_error", error), "errno", None)
    return os.strerror(number).lower() if number and number > 0 else type(error).__name__
