"""Inflate gzip, and find where its members end in a stream. See RFC 1952, section 2.2. Sans-IO."""

from __future__ import annotations

import zlib
from itertools import pairwise

from ingestd.protocols.framing.lines import torn_bytes

_MAGIC = b"\x1f\x8b\x08"
_PIECE_BYTES, _TEXT_BYTES = 1 << 14, 1 << 18
"""How much is inflated at a time, and to how much."""


class GzipError(ValueError):
    """It is not gzip, its end is missing, or the text is too long."""


class TooLongError(GzipError):
    """The text is too long."""


def member_texts(data: bytes, max_bytes: int) -> list[bytes]:
    """Return the text of each member. Zero bytes at the end are padding, as for gzip(1).

    Takes time in proportion to ``data`` and the text, however many members there are.

    Raises:
        TooLongError: The texts have more than ``max_bytes`` bytes together.
        GzipError: The data is damaged.
    """
    texts: list[bytes] = []
    at = size = 0
    while at < len(data) and not _is_padding(data, at):
        inflater, parts = zlib.decompressobj(16 + zlib.MAX_WBITS), list[bytes]()
        while not inflater.eof:
            piece = data[at : at + _PIECE_BYTES]
            if not piece:
                raise GzipError("the data is not gzip: its end is missing")
            at += len(piece)
            try:
                parts.append(inflater.decompress(piece, max_bytes + 1 - size))
            except zlib.error as error:
                raise GzipError(f"the data is not gzip: {error}") from None
            size += len(parts[-1])
            if size > max_bytes:
                raise TooLongError(f"the text has more than {max_bytes} bytes")
        at -= len(inflater.unused_data)
        texts.append(b"".join(parts))
    return texts


def _is_padding(data: bytes, at: int) -> bool:
    return data[at] == 0 and data.count(0, at) == len(data) - at


def inflated(data: bytes, max_bytes: int) -> bytes:
    """Return the text of all members.

    Takes time in proportion to ``data`` and the text, however many members there are.

    Raises:
        TooLongError: The text has more than ``max_bytes`` bytes; a small message cannot fill the memory.
        GzipError: The data is damaged, or zeros alone.
    """
    texts = member_texts(data, max_bytes)
    if data and not texts:
        raise GzipError("the data is not gzip: there are only zeros")
    return b"".join(texts)


class MemberGrouping:
    """Groups the bytes of a stream to members of gzip; see ``grouping.Grouping``.

    What is not a member is a message of its own, up to where the next member seems to start, so that nothing is lost,
    and one that is damaged does not cost those after it.

    Args:
        max_bytes: Of a message, compressed.
        max_text_bytes: Of the text of a message; more makes a member a damaged one.
    """

    flush_seconds = 0.0
    delimiter = b""

    def __init__(self, max_bytes: int, max_text_bytes: int) -> None:
        self._max_bytes, self._max_text_bytes = max_bytes, max_text_bytes
        self._found: list[int] = []  # what ``ends`` returned last
        self._start()

    def _start(self) -> None:
        """Expect the start of a member."""
        self._inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._fed = self._text_bytes = 0

    def of_stream(self) -> MemberGrouping:
        """Return what groups one stream: it remembers what it has inflated of a member that is not whole."""
        return MemberGrouping(self._max_bytes, self._max_text_bytes)

    def ends(self, data: bytes | bytearray, size: int | None = None) -> list[int]:
        """Return where messages end in the first ``size`` bytes of ``data``.

        If there are none, the next call is about the same bytes and those that follow. Small members are one message.
        """
        size = len(data) if size is None else size
        found: list[int] = []
        start = at = text_bytes = 0  # of a message of several members; of the next one; of the text of the message
        while at < size:
            end, damaged = self._end(data, at, size)
            if end < 0:
                break
            text_bytes += self._text_bytes
            if at > start and (damaged or end - start > self._max_bytes or text_bytes > _TEXT_BYTES):
                found.append(at)
                start, text_bytes = at, self._text_bytes
            if damaged:
                found.append(end)
                start, text_bytes = end, 0
            at = end
            self._start()
        if at > start:
            found.append(at)
        if found:
            self._start()
        self._found = found
        return found

    def _end(self, data: bytes | bytearray, at: int, size: int) -> tuple[int, bool]:
        """Return where the member at ``at`` ends, -1: not before ``size``; and whether it is damaged."""
        while at + self._fed < size:
            start = at + self._fed
            piece = bytes(data[start : min(start + _PIECE_BYTES, size)])
            self._fed += len(piece)
            try:
                if not self._feed(piece):
                    return self._start_of_next(data, at, size), True
            except zlib.error:
                return self._start_of_next(data, at, size), True
            if self._inflater.eof:
                return at + self._fed - len(self._inflater.unused_data), False
        return (size, True) if size - at > self._max_bytes else (-1, False)

    def _feed(self, piece: bytes) -> bool:
        """Inflate a piece; return whether the text is not too long."""
        size = _TEXT_BYTES
        while size == _TEXT_BYTES and self._text_bytes <= self._max_text_bytes:  # there may be more
            size = len(self._inflater.decompress(piece, _TEXT_BYTES))
            self._text_bytes += size
            piece = self._inflater.unconsumed_tail
        return self._text_bytes <= self._max_text_bytes

    def _start_of_next(self, data: bytes | bytearray, at: int, size: int) -> int:
        """Return where the next member after that at ``at`` seems to start, or may do."""
        if (found := data.find(_MAGIC, at + 1, size)) >= 0:
            return found
        return max(size - torn_bytes(data, size, _MAGIC), at + 1)

    def whole(self, data: bytearray, size: int) -> int:
        """Return how many of the first ``size`` bytes are whole messages."""
        ends = self.ends(data, size)
        return ends[-1] if ends else 0

    def split(self, data: bytes) -> list[bytes]:
        """Return the messages in ``data``, and the rest."""
        ends = self._found
        if not ends or ends[-1] != len(data):  # not what was looked at just now
            ends = self.of_stream().ends(data)
        cuts = [0, *ends, len(data)]
        return [data[start:end] for start, end in pairwise(cuts) if start < end]

    def flushable(self, data: bytearray, size: int) -> int:
        """Return 0: a part of a member is of no use."""
        return 0
