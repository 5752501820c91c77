"""The base of inputs that are HTTP servers: it reads requests, and an input answers them.

A request is refused before its body is read: 401 without the right secret, 429 while the journal is full or too many
requests wait. What an input puts is on the disk before it answers that it was accepted.
"""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from ingestd import metrics
from ingestd.event.chunk import Stream
from ingestd.event.event_id import KEYED
from ingestd.event.fields import Event
from ingestd.logs import get_logger
from ingestd.plugins.inputs._connection import Connection
from ingestd.plugins.inputs._http_access import HttpAccess
from ingestd.plugins.inputs._http_bodies import CONTINUE, BodyRoom, BusyError, UnreadableBodyError, read_body
from ingestd.plugins.inputs._server import ServerInput, ServerOptions
from ingestd.plugins.inputs._streams import put_runs
from ingestd.plugins.registry import BuildContext, option
from ingestd.protocols.framing.lines import EXCERPT_BYTES, LineSplitter
from ingestd.protocols.http.http1 import END_OF_HEAD, MAX_HEAD_BYTES, Head, RequestError, answer, parse_head

log = get_logger(__name__)

_RETRY_SECONDS = 2
"""After which a client that was refused for lack of room should try again."""

_MAX_SKIPPED_BYTES = 1 << 16
"""Of the body of a request that is refused: it is read and dropped, so that the connection can continue."""


_MIN_ROOM_BYTES = 64 << 20
"""For the bodies of all requests of a worker."""

_LONG_BYTES = 1 << 20
"""A body of more is read in a thread, so that other connections need not wait; it may take seconds."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServerOptions(ServerOptions):
    """Options of all inputs that are an ``HttpServerInput``."""

    user: str = option("", "Name for basic authentication; with `password`.")
    password: str = option("", "Password for basic authentication.")
    tokens: list[str] = option([], "Secrets that clients may send as `Authorization: Bearer TOKEN` or `ApiKey TOKEN`.")
    max_content_length: int = option(
        100 << 20,
        "Longest body in bytes, both as received and decompressed. The bodies of all requests of a worker together may "
        "have this size, or 64 MiB if that is more; further requests are answered with 429.",
    )
    max_pending_requests: int = option(
        200, "Maximum number of concurrent requests of a worker, from the end of their body on; others get a 429."
    )
    idle_timeout: float = option(300, "Seconds without data after which a connection is closed; 0: never.")


class Reply(NamedTuple):
    """What a request is answered with."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({"Content-Type": "text/plain"})


@dataclass(slots=True)
class Request:
    """A request with its body, and where what it brings is in its connection's stream: from ``offset`` to ``end``."""

    head: Head
    body: bytes
    connection: Connection
    offset: int
    end: int


class Frames(NamedTuple):
    """Bytes to put: lines, or one message, whatever it contains, if ``frames`` is 1."""

    data: bytes
    frames: int


Answer = Callable[[Request], Awaitable[Reply]]
Refuse = Callable[[int, str], Reply]


def plain_refusal(status: int, message: str) -> Reply:
    """Return the answer to a request that cannot be accepted: a sentence."""
    return Reply(status, f"{message}\n".encode())


class HttpServerInput(ServerInput):
    """Answers requests with ``answer``.

    Args:
        options: Where to listen, who may send, and limits.
        context: Of the plugin.
        answer: Called for each request.
        refuse: Makes the answer to one that cannot be accepted of a status and a sentence.

    Raises:
        ValueError: An option is not possible.
    """

    def __init__(
        self, options: HttpServerOptions, context: BuildContext, answer: Answer, refuse: Refuse = plain_refusal
    ) -> None:
        super().__init__(options, context, self._converse_http, read_bytes=2 * MAX_HEAD_BYTES)
        for name in ("max_content_length", "max_pending_requests"):
            if getattr(options, name) <= 0:
                raise ValueError(f"{name} must be positive")
        self._access = HttpAccess(options.user, options.password, options.tokens)
        self._room_bytes = max(options.max_content_length, _MIN_ROOM_BYTES)
        self._room = BodyRoom(self._room_bytes)
        self._answer, self._refuse = answer, refuse
        self._max_body, self._max_pending = options.max_content_length, options.max_pending_requests
        self._max_line_bytes = context.settings.max_line_bytes
        self._pending = 0

    async def _converse_http(self, connection: Connection) -> None:
        offset, close = 0, False
        while not close and await connection.more(paused=True):
            head = _NO_HEAD
            try:
                head = parse_head(await _read_head(connection.reader))
                reply, offset, close = await self._reply(head, connection, offset)
            except RequestError as error:
                reply, close = self._refuse(error.status, str(error)), True
            close = close or connection.stopping or not head.keep_alive
            metrics.HTTP_REQUESTS.add(1, *self._labels, str(reply.status))
            text = answer(
                reply.status, reply.body, reply.headers.items(), close=close, without_body=head.method == "HEAD"
            )
            await connection.send(text)

    async def _reply(self, head: Head, connection: Connection, offset: int) -> tuple[Reply, int, bool]:
        """Return the answer, where the stream continues, and whether the connection has to be closed."""
        if (refusal := self._refusal(head, connection)) is not None:
            return refusal, offset, not await _skip_body(head, connection)
        try:
            with self._room.share() as share:
                if head.expects_continue:
                    await connection.send(CONTINUE)
                request = Request(head, b"", connection, offset, offset)
                try:
                    request.body = await read_body(connection.reader, head, self._max_body, share)
                except UnreadableBodyError as error:
                    request.body = error.body
                    reply = await self.reject_body(request, self._refuse(error.status, str(error)), str(error))
                else:
                    reply = await self._answer_safely(request)
                return reply, request.end + 1, False
        except BusyError:
            return self.busy("too many requests are in memory"), offset, True

    async def _answer_safely(self, request: Request) -> Reply:
        if self._pending >= self._max_pending:
            return self.busy("too many requests wait")
        self._pending += 1  # from now on: a client that never sends its body must not keep others out
        try:
            return await self._answer(request)
        except Exception as error:  # a defect of ours
            log.exception("a request failed", client=request.connection.client[0], error=repr(error))
            return self._refuse(500, "the request failed because of an internal error; the daemon's log has the reason")
        finally:
            self._pending -= 1

    def _refusal(self, head: Head, connection: Connection) -> Reply | None:
        """Return the answer to a request whose body need not be read."""
        if not self._access.accepts(head.get("authorization")):
            text = "the input needs a user and a password, or a token"
            self._warnings.warn(connection.client[0], "a client is refused: its secret is missing or wrong")
            reply = self._refuse(401, text)
            return reply._replace(headers={**reply.headers, "WWW-Authenticate": self._access.challenge})
        if head.size == 0:
            return None
        if connection.sink.paused:
            return self.busy("the journal is full, or cannot be written")
        if self._pending >= self._max_pending:
            return self.busy("too many requests wait")
        return None

    def busy(self, reason: str) -> Reply:
        """Return the answer to a request that the client should repeat."""
        reply = self._refuse(429, f"{reason}; try again later")
        return reply._replace(headers={**reply.headers, "Retry-After": str(_RETRY_SECONDS)})

    def refuse(self, status: int, message: str) -> Reply:
        """Return the answer to a request that cannot be accepted."""
        return self._refuse(status, message)

    def reject(self, request: Request, data: bytes, reason: str) -> bool:
        """Make a dead letter of a part of what a request brings; False: not possible now, see ``Sink.reject``."""
        offset, request.offset = request.offset, request.offset + len(data) + 1
        request.end, connection = request.offset, request.connection
        raw = data[: max(EXCERPT_BYTES, self._max_line_bytes)]
        return connection.sink.reject(raw, reason, connection.stream, offset, request.end, size=len(data))

    async def reject_body(self, request: Request, answer: Reply, reason: str) -> Reply:
        """Make a dead letter of a body that cannot be read, as its client will drop it; return ``answer``."""
        if not self.reject(request, request.body, reason):
            return self.busy("a dead letter cannot be written")
        refusal = await self.store(request, [], {})
        return answer if refusal is None else refusal

    def stream_of(self, request: Request, fields: Event) -> tuple[Stream, int]:
        """Return the stream of what a request brings, and its offset.

        A client that sends the same ``Idempotency-Key`` with the same body to the same path of this input again gets
        the same ids for its events; without that, a place in the connection makes new ones.
        """
        if not (key := request.head.get("idempotency-key")):
            return Stream(request.connection.stream.id, fields), request.offset
        body = request.body
        seed = "\n".join([*self._labels, request.head.target, key, f"{len(body)} {zlib.crc32(body)}"])
        return Stream(KEYED + hashlib.blake2b(seed.encode(), digest_size=16).hexdigest(), fields), 0

    async def store(self, request: Request, parts: Sequence[Frames], fields: Event) -> Reply | None:
        """Put what a request brings, and wait until it is on the disk; None: it is, else what to answer.

        Lines that are longer than allowed become dead letters, a message that is too long is refused.
        """
        longest = max((len(data) for data, number in parts if number == 1), default=0)
        if longest > self._max_line_bytes:  # before any part is stored: the client will send all of them again
            text = f"the event is too long: {longest} of {self._max_line_bytes} bytes allowed"
            return self._refuse(413, f"{text} (max_line_bytes)")
        stream, offset = self.stream_of(request, fields)
        request.end = request.offset + sum(len(data) + 1 for data, _ in parts)
        for data, number in parts:
            if len(data) > self._max_line_bytes < max(map(len, data.split(b"\n"))):
                await self._put_long_lines(request.connection, data, stream, offset)
                offset += len(data) + 1
                continue
            if not request.connection.sink.put_all([(data, stream, offset, number)]):
                return self.busy("the journal is full, or cannot be written")
            offset += len(data) + 1
        try:
            await request.connection.sink.synced()
        except OSError as error:
            return self.busy(f"the journal cannot be synced to the disk: {error}")
        return None

    async def _put_long_lines(self, connection: Connection, data: bytes, stream: Stream, offset: int) -> None:
        splitter = LineSplitter(self._max_line_bytes)
        for runs in (splitter.feed(data), splitter.feed_eof()):
            await put_runs(connection.sink, runs, stream, self._max_line_bytes, offset)


_NO_HEAD = Head("GET", "/", "HTTP/1.1", (), 0)


async def parsed(parse: Callable[[bytes], T], body: bytes) -> T:
    """Return ``parse(body)``; a long body lets other tasks run meanwhile."""
    return await asyncio.to_thread(parse, body) if len(body) > _LONG_BYTES else parse(body)


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(END_OF_HEAD)
    except asyncio.LimitOverrunError:
        head = b""
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise RequestError(400, "this is not a valid HTTP request: its headers have no end") from None
        raise
    if not 0 < len(head) <= MAX_HEAD_BYTES:
        raise RequestError(431, f"the headers are too long: at most {MAX_HEAD_BYTES} bytes are allowed")
    return head.lstrip(b"\r\n")


async def _skip_body(head: Head, connection: Connection) -> bool:
    """Read the body of a request that is refused, if it is short; False: it was not read."""
    if head.size is None or head.size > _MAX_SKIPPED_BYTES or head.expects_continue:
        return False
    await connection.reader.readexactly(head.size)
    return True
