"""When a connection of the input ``tcp`` is read next: once there is room, and once enough of a line has arrived."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from ingestd.plugins.inputs._tcp_peek import PeekBuffer
from ingestd.plugins.inputs._tcp_poller import Poller
from ingestd.plugins.interfaces import Sink

_GLANCE_BYTES = 16 << 10
_LOOK_SHARE = 0.05
"""An incomplete line is peeked at again for each piece that arrives. Peeks at those longer than a glance may take this
share of a process's time in total: a client may send a long line byte by byte."""

_FULL_SECONDS = 0.2
"""How long no more of a line must arrive, with the kernel's buffer seemingly full, before we believe that it is: the
sender learns only after a round trip that there is room again."""


_UNIX_FULL_SECONDS = 0.01
"""The same for a socket of the file system, which has room for few pieces of a line, and is always reported."""


class Wakeups:
    """Calls ``read`` when the socket has something to read, until `stop`.

    Args:
        read: It calls `pause` if the sink has no room.
        longest: Bytes of the longest line, with its line end.
        poller: Watches the socket.
    """

    def __init__(
        self,
        sock: socket.socket,
        read: Callable[[], None],
        sink: Sink,
        buffer: PeekBuffer,
        longest: int,
        *,
        poller: Poller,
    ) -> None:
        self._sock, self._read, self._sink, self._peek_buffer, self._longest = sock, read, sink, buffer, longest
        self._loop, self._tasks, self._poller = asyncio.get_running_loop(), poller.tasks, poller
        self._waiting_for_room: asyncio.Task[None] | None = None
        self._resting: asyncio.TimerHandle | None = None  # until the next peek
        self._seems_full = False
        self._full_seconds = _UNIX_FULL_SECONDS if sock.family == socket.AF_UNIX else _FULL_SECONDS
        self.low_water = 1
        """How many bytes have to wait before the kernel reports that there is something to read."""
        self.stopped = False
        """Nothing calls ``read`` any more."""
        self.resumed_at = self._loop.time()
        """When there was room again."""

    @property
    def paused(self) -> bool:
        """Whether reading waits for room."""
        return self._waiting_for_room is not None

    def start(self) -> None:
        """Call ``read`` from now on."""
        self._poller.add(self._sock.fileno(), self._read)

    def reset_low_water(self) -> None:
        """Be woken for each byte, whatever the socket was set to by another reader."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        self.low_water = 1

    def stop(self) -> None:
        """Stop calling ``read``."""
        self.stopped = True
        if self._waiting_for_room is not None:
            self._tasks.cancel(self._waiting_for_room)
            self._waiting_for_room = None
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
            self._peek_buffer.resting -= 1
        if self._sock.fileno() >= 0:
            self._poller.remove(self._sock.fileno())

    def pause(self) -> None:
        """Do not read until there is room; whoever reads after `stop` waits itself."""
        if not self.stopped:
            self._poller.remove(self._sock.fileno())
            self._waiting_for_room = self._tasks.start("wait for room", self._resume())

    async def _resume(self) -> None:
        await self._sink.wait_until_resumed()
        self._waiting_for_room = None
        self.resumed_at = self._loop.time()
        if self._sock.fileno() >= 0:
            self.start()

    def wake_at(self, size: int) -> None:
        """Ask to be woken when this many bytes wait, or at the end, not for every piece of a line.

        The kernel makes room for them, see ``ingestd.supervisor.connections.sockets.widen``.
        """
        self._seems_full = False
        self._set_low_water(size)

    def _set_low_water(self, size: int) -> None:
        if size != self.low_water:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
            self.low_water = size

    def await_rest_of_line(self, size: int, seconds: float, *, woken: bool) -> bool:
        """Wait for the rest of a line; return False if the kernel has no room for it.

        Args:
            size: Bytes of the line that wait.
            seconds: How long it took to peek at them.
            woken: The kernel reported something to read.
        """
        full = woken and size < self.low_water  # woken although the line has not grown
        if full and self._seems_full:
            return False
        self._seems_full = full
        if full:
            self._set_low_water(self._longest)  # makes room for the longest line
            self._sock.recv(1, socket.MSG_PEEK)  # makes the kernel announce the free space to the sender
            self._rest(self._full_seconds)
        elif size > _GLANCE_BYTES:
            self._rest(seconds / _LOOK_SHARE * (1 + self._peek_buffer.resting))
        self._set_low_water(size + 1)
        return True

    def _rest(self, seconds: float) -> None:
        """Do not peek for a while, whatever arrives."""
        if not self.stopped:
            self._poller.remove(self._sock.fileno())
            self._resting = self._loop.call_later(seconds, self._tasks.call, "reading", self._rested)
            self._peek_buffer.resting += 1

    def _rested(self) -> None:
        self._resting = None
        self._peek_buffer.resting -= 1
        if self._waiting_for_room is None:
            self.start()
