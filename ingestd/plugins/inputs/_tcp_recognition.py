"""Who sends on a connection of the input ``tcp``, and how that sender separates its records."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ingestd.event.chunk import Stream
from ingestd.protocols.framing.grouping import Grouping
from ingestd.protocols.framing.lines import LINE_FEED, whole_lines
from ingestd.protocols.framing.pickles import whole_pickles
from ingestd.protocols.framing.proxy_header import ProxyHeader, parse_proxy_header
from ingestd.protocols.framing.senders import Sender, recognise

if TYPE_CHECKING:
    from ingestd.plugins.inputs._tcp_reader import ConnectionReader


class Owner(NamedTuple):
    """What a connection calls."""

    closed: Callable[[ConnectionReader, str], None]
    """The connection has ended, and the reason: end, error, idle or shutdown."""
    recognised: Callable[[Sender], None]
    """Who sends, once for a new connection, and once more after the header of a proxy."""
    proxied: Callable[[ProxyHeader], Stream]
    """A proxy has put this header in front. Returns the stream that the connection is."""
    rejected: Callable[[ConnectionReader, socket.socket, Sender], None]
    """The connection cannot be read; its socket is the owner's now, to be closed."""


class Framing(NamedTuple):
    """How a sender separates its records."""

    whole: Callable[[bytearray, int], int]
    """Returns how many of the first n bytes of a buffer are whole records."""
    lines: Callable[[bytes], bytes]
    """Returns whole records as lines, byte for byte at the same offsets."""
    delimiter: bytes = LINE_FEED
    """The end of a record; empty: the records have a length instead."""
    fault: Callable[[bytearray, int], str] = lambda data, size: ""
    """Returns why the first of n bytes will never be a record, a sentence; empty: they may become one."""


def whole_to_nul(data: bytearray, size: int) -> int:
    """Return how many of the first ``size`` bytes are records that NUL ends."""
    return data.rfind(b"\0", 0, size) + 1


def _same(data: bytes) -> bytes:
    return data


def _lines_of_syslog(data: bytes) -> bytes:
    return data.replace(b"\0", b"\n")


def _lines_of_objects(data: bytes) -> bytes:
    """A line feed in JSON text stands between tokens, where a blank means the same."""
    return data.replace(b"\n", b" ").replace(b"\0", b"\n")


LINES = Framing(whole_lines, _same)
"""Lines as they are."""


def lines_framing(grouping: Grouping | None, delimiter: bytes = LINE_FEED) -> Framing:
    """Return how lines are separated that end with ``delimiter``, or that a codec groups to messages."""
    if grouping is not None:
        return Framing(grouping.whole, _same, grouping.delimiter)
    return LINES if delimiter == LINE_FEED else Framing(partial(whole_lines, delimiter=delimiter), _same, delimiter)


_TEXT_STARTS = frozenset({b"{", b"<", *(b"%d" % digit for digit in range(10))})
"""What a record of JSON, syslog or text may start with that is judged by its end."""

Framings = Mapping[Sender, Framing]
"""How senders separate their records; all others send lines."""

FRAMINGS: Framings = {
    Sender.SYSLOG_NUL: Framing(whole_to_nul, _lines_of_syslog, b"\0"),
    Sender.GELF: Framing(whole_to_nul, _lines_of_objects, b"\0"),
}


class Recognition:
    """The sender of one connection; until it is known, records are taken to be lines.

    Args:
        recognised: See ``Owner``.
        max_bytes: Maximum size of a record; longer pickles are not complete.
        lines: How lines are separated.
        framings: How the records of other senders are separated.
    """

    def __init__(
        self,
        recognised: Callable[[Sender], None],
        max_bytes: int,
        lines: Framing = LINES,
        framings: Framings = FRAMINGS,
    ) -> None:
        self._recognised, self._max, self._lines, self._framings = recognised, max_bytes, lines, framings
        self._first = 0
        self.sender: Sender | None = None
        self.framing = lines

    def judge(self, head: bytes, offset: int, *, ended: bool) -> Sender | None:
        """Return who sends, None if more bytes are needed.

        Args:
            head: What waits to be read, the start of a record.
            offset: Where that is in the stream. A reader that continues a connection recognises only senders whose
                records do not end with a line feed.
            ended: Nothing will follow.
        """
        sender = recognise(head, ended=ended)
        if sender is Sender.SYSLOG and b"\0" in head:  # the first message has several lines
            sender = Sender.SYSLOG_NUL
        if sender is None and self._has_line_of_text(head):
            sender = Sender.LINES
        if sender is None:
            return None
        if offset == self._first:
            self._recognised(sender)
        elif sender is not Sender.PICKLE and sender not in self._framings:
            sender = Sender.LINES
        if sender is not Sender.PROXY:
            self.resolve(sender)
        return sender

    def _has_line_of_text(self, head: bytes) -> bool:
        """Return whether the first record, which another delimiter than those of senders ends, starts as text does."""
        delimiter = self._lines.delimiter
        return delimiter not in (b"", LINE_FEED) and head[:1] in _TEXT_STARTS and delimiter in head

    def proxy_header(self, head: bytes, offset: int) -> ProxyHeader:
        """Return the header of a proxy that was recognised; what follows it is judged on its own."""
        header = parse_proxy_header(head)
        assert header is not None  # noqa: S101 -- it was recognised
        self._first = offset + header.size
        return header

    def resolve(self, sender: Sender) -> None:
        """Stop guessing: ``sender`` is the sender, unless one is known already."""
        if self.sender is None:
            self.sender, self.framing = sender, self._framings.get(sender, self._lines)
            if sender is Sender.PICKLE:
                self.framing = Framing(partial(whole_pickles, max_bytes=self._max), _same)
