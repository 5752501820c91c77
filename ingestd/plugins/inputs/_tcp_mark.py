"""What the next reader of a TCP connection must know of a line whose start is no longer in the kernel.

It outlives a process that is killed, as it is kept in the kernel: as the priority of the socket (``SO_PRIORITY``,
socket(7)). 1 to 6 are free to everyone, and we send nothing that it could hurry or delay.
"""

from __future__ import annotations

import contextlib
import enum
import socket

from ingestd.protocols.framing.lines import LINE_FEED


class PartialLine(enum.IntEnum):
    """What became of the start of a line whose end has not come."""

    NONE = 0
    """All of it is still in the kernel."""
    COLLECTED = 1
    """A process has collected the start, and loses it if it is killed."""
    REJECTING = 2
    """The start is in the kernel; it becomes a dead letter as soon as the journal has its trace."""
    REJECTED = 3
    """The start is a dead letter, the rest is to be dropped."""


_PRIORITY = getattr(socket, "SO_PRIORITY", None)  # not on all systems
_STATES = len(PartialLine) - 1


def mark(sock: socket.socket, state: PartialLine, delimiter: bytes) -> None:
    """Note for the next reader what became of a line; ``delimiter`` ends it: NUL, or what the config says."""
    if _PRIORITY is not None:
        with contextlib.suppress(OSError):  # a system that does not have it: then the rest is a line of its own
            value = state + _STATES * (delimiter == b"\0") if state else 0
            sock.setsockopt(socket.SOL_SOCKET, _PRIORITY, value)


def marked(sock: socket.socket, delimiter: bytes = LINE_FEED) -> tuple[PartialLine, bytes]:
    """Return what an earlier reader has noted with ``mark``; ``delimiter``: what the config says."""
    value = 0
    if _PRIORITY is not None:
        with contextlib.suppress(OSError):
            value = sock.getsockopt(socket.SOL_SOCKET, _PRIORITY)
    if not 0 < value <= 2 * _STATES:
        return PartialLine.NONE, delimiter
    nul, state = divmod(value - 1, _STATES)
    return PartialLine(state + 1), b"\0" if nul else delimiter


class LineMark:
    """The mark of one socket, for its reader.

    Args:
        sock: The socket.
        delimiter: The end of a line, as the config says.

    Attributes:
        state: The socket is marked with it.
        delimiter: The end of the line; set before ``set``.
    """

    def __init__(self, sock: socket.socket, delimiter: bytes = LINE_FEED) -> None:
        self._sock = sock
        self.state, self.delimiter = PartialLine.NONE, delimiter

    def set(self, state: PartialLine) -> None:
        """Mark the socket for the next reader."""
        if state is not self.state:
            mark(self._sock, state, self.delimiter)
            self.state = state

    def resume(self, dropped: bytes) -> PartialLine:
        """Read the mark of an earlier reader, which may have been killed, and correct it.

        Args:
            dropped: The last of the bytes that were dropped because they were in the journal already, as many as the
                delimiter has; empty: there were none.

        Returns:
            NONE, REJECTED, or COLLECTED if the start of the line is lost.
        """
        self.state, self.delimiter = marked(self._sock, self.delimiter)
        match self.state:
            case PartialLine.REJECTING if not dropped:  # the dead letter may be there, but nothing was consumed
                self.set(PartialLine.NONE)
            case PartialLine.COLLECTED if dropped and dropped.endswith(self.delimiter):  # the line was stored
                self.set(PartialLine.NONE)
            case PartialLine.COLLECTED | PartialLine.REJECTING if dropped:
                self.set(PartialLine.REJECTED)
        return self.state
