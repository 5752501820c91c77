"""Sends requests until each is taken or refused. Importing this module takes 0.2 s: only ``open`` does."""

from __future__ import annotations

import asyncio
import base64
import gzip
import os
import ssl
from typing import TYPE_CHECKING, NamedTuple

import aiohttp

from ingestd.dead_letters.base import DeadLetters
from ingestd.logs import Outage, get_logger
from ingestd.plugins.outputs._http_request import HttpRequest
from ingestd.plugins.outputs._retry import PAUSE_SECONDS, Retry

if TYPE_CHECKING:
    from ingestd.plugins.outputs.http import Options

log = get_logger(__name__)

_SENT_WRONGLY = frozenset({401, 403, 407})
"""Statuses that say something about the config, not about the events."""
_SPLIT = frozenset({400, 413, 422})
"""Statuses that part of a request may be the reason of."""
_LINE_ENDS = frozenset("\r\n\0")
_SHOWN = 1000  # bytes of an answer in a dead letter
_PIECE = 1 << 16


class _Answer(NamedTuple):
    status: int
    text: str
    retry_after: float
    """Seconds that the server asks to wait."""


class HttpSender:
    """Sends requests over a pool of connections, which are opened when they are needed."""

    def __init__(
        self, opts: Options, tls: ssl.SSLContext | None, plugin_id: str, dead_letters: DeadLetters, retry: Retry
    ) -> None:
        self._opts, self._plugin_id, self._dead_letters, self._retry = opts, plugin_id, dead_letters, retry
        self._failing: set[int] = set()  # requests that are tried again
        self.outage = Outage(
            log.error,
            "the server accepts no requests; they are sent again until it does",
            log.info,
            "the server accepts requests again",
        )
        timeout = aiohttp.ClientTimeout(
            total=opts.request_timeout, sock_connect=opts.connect_timeout, sock_read=opts.socket_timeout
        )
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=opts.pool_max, ssl=tls or True, force_close=not opts.keepalive),
            cookie_jar=None if opts.cookies else aiohttp.DummyCookieJar(),
            timeout=timeout,
            headers={"User-Agent": "ingestd"} | _authorization(opts.user, opts.password),
        )

    async def send(self, request: HttpRequest) -> int:
        """Return how many events of a request became dead letters, once the others are delivered."""
        key = id(request)
        try:
            for attempt in self._retry.attempts():
                answer = await self._attempt(request)
                if isinstance(answer, _Answer):
                    if 200 <= answer.status < 300 or answer.status in self._opts.ignorable_codes:
                        return self._resolved(key)
                    problem, tries = f"the server answers {answer.status}: {answer.text}", 0
                    pause = self._pause(answer)
                    if pause is None:
                        self._resolved(key)
                        return await self._refused(request, answer.status, problem)
                elif isinstance(answer, ValueError):
                    return self._dead_letter(request, f"no request can be made of the event: {answer}")
                else:
                    problem, tries, pause = _why(answer), self._opts.automatic_retries, 0.0
                if not self._opts.retry_failed and attempt >= tries:
                    return self._dead_letter(request, problem)
                self._failing.add(key)
                self.outage.failed(output=self._plugin_id, error=problem)
                await self._retry.wait(attempt, pause)
        finally:
            self._failing.discard(key)
        raise AssertionError("requests are retried without limit")

    async def _attempt(self, request: HttpRequest) -> _Answer | Exception:
        """Send a request once; returns the answer, or why there is none."""
        body = request.body()
        headers = {**request.headers, "Idempotency-Key": request.key}
        if _LINE_ENDS & set("".join(headers.values())):
            return ValueError("a header would have a line end")
        if self._opts.http_compression:
            body = await asyncio.to_thread(gzip.compress, body, 1)
            headers["Content-Encoding"] = "gzip"
        try:
            async with self._session.request(
                self._opts.http_method.upper(),
                request.url,
                data=body,
                headers=headers,
                proxy=self._opts.proxy or None,
                allow_redirects=False,  # it would make a GET of a POST, and send the credentials elsewhere
            ) as response:
                start = b""
                async for piece in response.content.iter_chunked(_PIECE):  # all of it, so that the connection is kept
                    start += piece[: _SHOWN - len(start)]
                after = response.headers.get("Retry-After", "")
                text = start.decode("utf-8", "replace").strip()
                return _Answer(response.status, text, float(after) if after.isdecimal() else 0)
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError, ssl.SSLError) as error:
            return error
        except ValueError as error:  # of a URL or header that has fields of the event
            return ValueError("its URL is not possible" if isinstance(error, aiohttp.InvalidURL) else str(error))
        except (aiohttp.ClientError, OSError) as error:
            return error

    def _pause(self, answer: _Answer) -> float | None:
        """Return the minimum delay before the next attempt in seconds; None: the events are refused."""
        if answer.status in self._opts.retryable_codes:
            return min(answer.retry_after, PAUSE_SECONDS)
        return PAUSE_SECONDS if answer.status in _SENT_WRONGLY or 300 <= answer.status < 400 else None

    def _resolved(self, key: int) -> int:
        self._failing.discard(key)
        if not self._failing:
            self.outage.recovered(output=self._plugin_id)
        return 0

    async def _refused(self, request: HttpRequest, status: int, reason: str) -> int:
        """Find the events that are refused alone, if the others may be good."""
        if status not in _SPLIT or len(request.ids) == 1:
            return self._dead_letter(request, reason)
        return sum([await self.send(half) for half in request.halves()])

    def _dead_letter(self, request: HttpRequest, reason: str) -> int:
        for document, event_id in zip(request.documents, request.ids, strict=True):
            self._dead_letters.add(
                stage="output", reason=reason, raw=document, plugin=self._plugin_id, event_id=event_id
            )
        return len(request.ids)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


def _authorization(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"} if user else {}


def _why(error: Exception) -> str:
    """Return what is wrong, in words, without the URL, which may have a password."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "the server's certificate is not trusted; set ssl_certificate_authorities to its authority"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host name cannot be resolved"
    number = getattr(error, "errno", None)
    if number and number > 0 and not isinstance(error, ssl.SSLError | aiohttp.ClientSSLError):
        return os.strerror(number)
    return f"no answer: {type(error).__name__}"
