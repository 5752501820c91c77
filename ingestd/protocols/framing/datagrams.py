"""Datagrams as lines, so that many of them are stored and decoded at once. Sans-IO.

A line has the sender, a blank, the datagram, and a line feed. A line feed in the datagram is written as NUL and ``n``,
a NUL as NUL and ``0``.
"""

from __future__ import annotations

_NUL, _LINE_FEED = b"\0" + b"0", b"\0" + b"n"


def line_of(datagram: bytes, sender: bytes) -> bytes:
    """Return a datagram as a line; ``sender``: an address without blanks, empty if it has none."""
    if b"\0" in datagram:
        datagram = datagram.replace(b"\0", _NUL)
    if b"\n" in datagram:
        datagram = datagram.replace(b"\n", _LINE_FEED)
    return b"%b %b\n" % (sender, datagram)


def datagram_of(line: bytes) -> tuple[bytes, bytes]:
    """Return the sender and the datagram of a line without its line feed."""
    sender, _, datagram = line.partition(b" ")
    if b"\0" in datagram:
        datagram = datagram.replace(_LINE_FEED, b"\n").replace(_NUL, b"\0")
    return sender, datagram
