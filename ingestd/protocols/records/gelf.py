"""GELF, the Graylog Extended Log Format, over UDP: chunks and compression. Sans-IO: time is a parameter.

Source: https://go2docs.graylog.org/current/getting_in_log_data/gelf.html. A message is JSON, as it is or compressed
with gzip or zlib, in one datagram or in up to 128 chunks that have to arrive within five seconds.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ingestd.protocols.framing.gzip_members import GzipError, inflated

MAX_CHUNKS = 128
_CHUNK, _HEADER_BYTES = b"\x1e\x0f", 12
_GZIP = b"\x1f\x8b"
_ZLIB_METHOD = 8


class GelfError(ValueError):
    """A datagram or message that cannot be used; the text says why."""


class IncompleteMessage(NamedTuple):
    """A message that will not be completed. ``data``: the chunks that came, in order; ``reason``: a sentence."""

    data: bytes
    reason: str
    sender: str


@dataclass(slots=True)
class _Pending:
    count: int
    since: float
    chunks: dict[int, bytes] = field(default_factory=dict)
    size: int = 0

    def data(self) -> bytes:
        return b"".join(self.chunks[number] for number in sorted(self.chunks))


class ChunkAssembler:
    """Puts messages together from their chunks.

    Args:
        timeout_s: Seconds after its first chunk in which a message has to be complete.
        max_bytes: Maximum bytes of incomplete messages, which are given up beyond that, the oldest first.
        max_messages: Maximum number of incomplete messages.
    """

    def __init__(self, timeout_s: float = 5.0, max_bytes: int = 16 << 20, max_messages: int = 10_000) -> None:
        self._timeout, self._max_bytes, self._max_messages = timeout_s, max_bytes, max_messages
        self._pending: dict[tuple[str, bytes], _Pending] = {}  # by sender and message id, the oldest first
        self._bytes = 0

    def __len__(self) -> int:
        """Return how many messages are incomplete."""
        return len(self._pending)

    def add(self, datagram: bytes, sender: str, now: float) -> bytes | None:
        """Return the message that a datagram is or completes; None: it is a chunk of one that is incomplete.

        Args:
            datagram: Its bytes.
            sender: The address that it came from: ids of messages are unique for a sender.
            now: Seconds on a clock that never goes back.

        Raises:
            GelfError: It is a chunk that cannot be right.
        """
        if not datagram.startswith(_CHUNK):
            return datagram
        if len(datagram) < _HEADER_BYTES:
            raise GelfError(f"a chunk of {len(datagram)} bytes is shorter than its header")
        number, count = datagram[10], datagram[11]
        if not number < count <= MAX_CHUNKS:
            raise GelfError(f"chunk {number} of {count} is not possible: a message has 1 to {MAX_CHUNKS} chunks")
        key = sender, datagram[2:10]
        pending = self._pending.setdefault(key, _Pending(count, now))
        if pending.count != count:
            raise GelfError(f"a chunk says that its message has {count} chunks, an earlier one {pending.count}")
        if number not in pending.chunks:
            chunk = datagram[_HEADER_BYTES:]
            pending.chunks[number] = chunk
            pending.size += len(chunk)
            self._bytes += len(chunk)
        if len(pending.chunks) < count:
            return None
        self._remove(key)
        return pending.data()

    def expired(self, now: float) -> Iterator[IncompleteMessage]:
        """Give up, and yield, the messages that have waited too long, and those beyond the limits."""
        while self._pending:
            key, pending = next(iter(self._pending.items()))
            late = now - pending.since >= self._timeout
            if not late and self._bytes <= self._max_bytes and len(self._pending) <= self._max_messages:
                return
            why = f"within {self._timeout:g} s" if late else "before too many others were incomplete"
            yield self._give_up(key, pending, why)

    def give_up_all(self) -> Iterator[IncompleteMessage]:
        """Give up, and yield, all incomplete messages: no more chunks will be read."""
        for key, pending in list(self._pending.items()):
            yield self._give_up(key, pending, "before the input was stopped")

    def _give_up(self, key: tuple[str, bytes], pending: _Pending, why: str) -> IncompleteMessage:
        self._remove(key)
        reason = f"only {len(pending.chunks)} of the {pending.count} chunks of a GELF message came {why}"
        return IncompleteMessage(pending.data(), reason, key[0])

    def _remove(self, key: tuple[str, bytes]) -> None:
        self._bytes -= self._pending.pop(key).size


def uncompressed(message: bytes, max_bytes: int) -> bytes:
    """Return the JSON text of a message.

    Raises:
        GelfError: The compressed data is damaged, or the text has more than ``max_bytes`` bytes.
    """
    if message.startswith(_GZIP):
        try:
            return inflated(message, max_bytes)
        except GzipError as error:
            raise GelfError(str(error)) from None
    if _is_zlib(message):
        return _inflated_zlib(message, max_bytes)
    if len(message) > max_bytes:
        raise GelfError(f"the text has more than {max_bytes} bytes")
    return message


def _is_zlib(data: bytes) -> bool:
    """Return whether data starts with a header of zlib: RFC 1950, section 2.2."""
    return len(data) > 1 and data[0] & 15 == _ZLIB_METHOD and int.from_bytes(data[:2], "big") % 31 == 0


def _inflated_zlib(data: bytes, max_bytes: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise GelfError(f"the data is not zlib: {error}") from None
    if len(text) > max_bytes:
        raise GelfError(f"the text has more than {max_bytes} bytes")
    if not inflater.eof:
        raise GelfError("the end of the compressed data is missing")
    return text
