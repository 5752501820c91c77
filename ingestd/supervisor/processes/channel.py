"""Messages between the supervisor and its children over a socket pair: JSON with at most one descriptor each.

On the wire a message is its length (4 bytes, big-endian) and JSON; the descriptor travels with the first byte
(SCM_RIGHTS, unix(7)). What cannot be sent at once is queued, so that neither side ever waits for the other.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import pickle
import socket
import struct
from collections import deque
from typing import Any

import orjson

Message = dict[str, Any]

_LENGTH = struct.Struct("!I")
_READ_BYTES = 1 << 16
_MAX_FDS = 64

_MAX_READS = 32
"""Reads in a row before the process gets to its other work: each returns one message, if it has a descriptor."""


def pickled(value: object) -> str:
    """Return a value as text for a message; see `unpickled`."""
    return base64.b64encode(pickle.dumps(value)).decode()


def unpickled(text: str) -> Any:
    """Return the value in a message of our parent."""
    return pickle.loads(base64.b64decode(text))  # noqa: S301 -- from our parent


class ChannelClosedError(Exception):
    """The other side has gone."""


class Channel:
    """One end of a socket pair. It never blocks: see ``pending`` and ``flush``."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._inbox = bytearray()
        self._fds: deque[int | None] = deque()  # of the messages that are yet to be taken; None: it did not arrive
        self._outbox: deque[tuple[memoryview, int | None]] = deque()
        self._stalled = False

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Return both ends."""
        ours, theirs = socket.socketpair()
        return cls(ours), cls(theirs)

    def fileno(self) -> int:
        """Return the descriptor, to wait on."""
        return self._sock.fileno()

    @property
    def pending(self) -> bool:
        """Whether to call ``flush`` once the channel is writable."""
        return bool(self._outbox)

    @property
    def queued(self) -> int:
        """How many messages are yet to be sent."""
        return len(self._outbox)

    @property
    def stalled(self) -> bool:
        """Whether ``flush`` can continue only once other descriptors that are on their way have arrived."""
        return self._stalled

    def send(self, message: Message, fd: int | None = None) -> None:
        """Send a message; ``fd`` is duplicated into the other process, and must stay open until it has been sent."""
        body = orjson.dumps(message | {"fd": True} if fd is not None else message)
        self._outbox.append((memoryview(_LENGTH.pack(len(body)) + body), fd))
        self.flush()

    def flush(self) -> None:
        """Write what is queued, as far as it goes. If the other side has gone, ``receive`` raises, not this."""
        self._stalled = False
        try:
            while self._outbox:
                data, fd = self._outbox[0]
                sent = socket.send_fds(self._sock, [data], [fd]) if fd is not None else self._sock.send(data)
                self._outbox.popleft()
                if sent < len(data):
                    self._outbox.appendleft((data[sent:], None))
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:
            if error.errno != errno.ETOOMANYREFS:  # as many of this user are on their way as a process may open
                raise
            self._stalled = True

    def receive(self) -> list[tuple[Message, int | None]]:
        """Return messages that have arrived, each with its descriptor, if it has one.

        If there are many, the next call returns the others; the channel stays readable. A descriptor may be missing:
        this process has as many as it may have open. The sender does not learn of that.

        Raises:
            ChannelClosedError: The other side has gone, and everything it sent was returned before.
        """
        closed = False
        for _ in range(_MAX_READS):
            try:
                data, fds, flags, _ = socket.recv_fds(self._sock, _READ_BYTES, _MAX_FDS)
            except BlockingIOError:
                break
            except ConnectionError:
                closed = True
                break
            self._inbox += data
            self._fds += fds
            if flags & socket.MSG_CTRUNC and not fds:  # a call never gets the descriptors of two messages
                self._fds.append(None)
            if not data:
                closed = True
                break
        messages = self._take()
        if closed and not messages:
            raise ChannelClosedError
        return messages

    def _take(self) -> list[tuple[Message, int | None]]:
        messages: list[tuple[Message, int | None]] = []
        while len(self._inbox) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._inbox)
            end = _LENGTH.size + size
            if len(self._inbox) < end:
                break
            message: Message = orjson.loads(self._inbox[_LENGTH.size : end])
            del self._inbox[:end]
            messages.append((message, self._fds.popleft() if message.pop("fd", False) else None))
        return messages

    def close(self) -> None:
        """Close this end."""
        self._sock.close()
        while self._fds:
            fd = self._fds.popleft()
            if fd is not None:
                with contextlib.suppress(OSError):
                    os.close(fd)
