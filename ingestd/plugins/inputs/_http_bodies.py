"""Read the body of a request from its connection, within bounds of memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from ingestd.protocols.http.content_encodings import BodyTooLargeError, DamagedBodyError, UnknownEncodingError, decoded
from ingestd.protocols.http.http1 import Head, RequestError, chunk_size

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_PIECE_BYTES = 1 << 16
_MAX_LINE_BYTES = 4096
_MAX_TRAILERS = 100


class BusyError(Exception):
    """There is no room for the body now."""


class UnreadableBodyError(Exception):
    """A body came as a whole, and cannot be read; the connection continues."""

    def __init__(self, status: int, message: str, body: bytes) -> None:
        super().__init__(message)
        self.status, self.body = status, body


class BodyRoom:
    """Bytes that the bodies of all requests may have in memory.

    Args:
        max_bytes: Of them together. A request that would exceed it is refused at once: those that wait for each other's
            room might wait forever.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max, self._taken = max_bytes, 0

    @contextmanager
    def share(self) -> Iterator[BodyShare]:
        """Return what one request takes, and free it at the end."""
        share = BodyShare(self)
        try:
            yield share
        finally:
            self._taken -= share.size

    def check(self, size: int) -> None:
        """Raise BusyError if there is not enough room now."""
        if self._taken + size > self._max:
            raise BusyError

    def take(self, size: int) -> None:
        """Take room; less than 0 frees it. Raises BusyError if there is not enough."""
        self.check(size)
        self._taken += size


class BodyShare:
    """What a request has taken of the room."""

    def __init__(self, room: BodyRoom) -> None:
        self._room, self.size = room, 0

    def check(self, size: int) -> None:
        """Raise BusyError if there is not enough for more now."""
        self._room.check(size)

    def grow(self, size: int) -> None:
        """Take more, or less if ``size`` is below 0. Raises BusyError if there is not enough."""
        self._room.take(size)
        self.size += size


async def read_body(reader: asyncio.StreamReader, head: Head, max_bytes: int, share: BodyShare) -> bytes:
    """Return the body of a request, decompressed.

    Args:
        reader: After the head.
        head: Of the request.
        max_bytes: Longest body, as it comes and decompressed.
        share: For both.

    Raises:
        RequestError: It is too large, or not in chunks; the connection has to be closed.
        UnreadableBodyError: It cannot be decompressed.
        BusyError: There is no room for it now; the same.
        IncompleteReadError: The client has gone.
    """
    if head.size is not None:
        _check_size(head.size, max_bytes)
        share.check(head.size)
        body = bytes(await _read_sized(reader, head.size, share))
    else:
        body = await _read_chunks(reader, max_bytes, share)
    return await _decoded(body, head.get("content-encoding"), max_bytes, share)


async def _read_chunks(reader: asyncio.StreamReader, max_bytes: int, share: BodyShare) -> bytes:
    body = bytearray()
    while size := chunk_size(await _read_line(reader)):
        _check_size(len(body) + size, max_bytes)
        share.check(size)
        body += await _read_sized(reader, size, share)
        if await reader.readexactly(2) != b"\r\n":
            raise RequestError(400, "the body is not in chunks, as its headers say")
    for _ in range(_MAX_TRAILERS):
        if await _read_line(reader) == b"\r\n":
            return bytes(body)
    raise RequestError(400, f"the body has more than {_MAX_TRAILERS} trailers")


async def _read_sized(reader: asyncio.StreamReader, size: int, share: BodyShare) -> bytearray:
    """Read ``size`` bytes. Only what has come takes room: a client that announces much and sends nothing has none."""
    body = bytearray()
    while len(body) < size:
        piece = await reader.readexactly(min(size - len(body), _PIECE_BYTES))
        share.grow(len(piece))
        body += piece
    return body


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    try:
        line = await reader.readuntil(b"\r\n")
    except asyncio.LimitOverrunError:
        line = b""
    if not 0 < len(line) <= _MAX_LINE_BYTES:
        raise RequestError(400, "the body is not in chunks, as its headers say")
    return line


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise RequestError(413, f"the body is too large: at most {max_bytes} bytes are allowed (max_content_length)")


async def _decoded(body: bytes, encoding: str, max_bytes: int, share: BodyShare) -> bytes:
    if not encoding or not body:
        return body
    try:
        if len(body) > _PIECE_BYTES:
            text = await asyncio.to_thread(decoded, body, encoding, max_bytes)
        else:
            text = decoded(body, encoding, max_bytes)
    except UnknownEncodingError as error:
        raise UnreadableBodyError(415, str(error), body) from None
    except DamagedBodyError as error:
        raise UnreadableBodyError(400, str(error), body) from None
    except BodyTooLargeError as error:
        raise RequestError(413, f"{error} (max_content_length)") from None
    share.grow(len(text) - len(body))
    return text
