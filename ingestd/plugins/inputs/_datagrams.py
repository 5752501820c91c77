"""How a socket for datagrams is read: as many as have arrived, stored together as lines of one chunk.

The supervisor owns the socket, so that the kernel keeps what arrives while no process reads. Datagrams are consumed
when they are read: a process that is killed loses those that it has read and not stored yet, at most ``MAX_BATCH`` and
usually none, as they are stored right away. Those that the kernel has no room for are lost too, and counted by it:
``SocketState``.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from ingestd.event.chunk import DATAGRAMS, Stream
from ingestd.logs import Outage, get_logger
from ingestd.plugins.inputs._streams import StreamIds
from ingestd.plugins.interfaces import Sink
from ingestd.protocols.framing.datagrams import line_of
from ingestd.tasks import BackgroundTasks

log = get_logger(__name__)

MAX_BATCH = 512
"""Maximum number of datagrams that are stored together: about as many events as a chunk has."""

_BATCH_BYTES = 192 << 10
_ROUND_SECONDS = 0.01
"""After this long, the other work of the process gets its turn."""

_REST_FACTOR = 9
"""How many times as long as a round the rest after it is: rounds that find little take a tenth of the time."""

_FASTEST_BYTES = 128 << 20
"""How much a busy sender fills of the kernel's buffer in a second, counting what a datagram costs there: a rest is so
short that there is room for what comes meanwhile."""

_LONGEST_REST_SECONDS = 0.02
_SHORTEST_REST_SECONDS = 0.001
"""Timers of the event loop have a resolution of a millisecond."""

_DRAIN_SECONDS = 2.0
"""How long a stop reads from senders that keep sending."""

_RETRY_SECONDS = 1.0
_FAILS = "datagrams cannot be read; trying again"

_SO_MEMINFO = 55  # asm-generic/socket.h, since Linux 4.12
_MEMINFO = struct.Struct("9I")  # linux/sock_diag.h: SK_MEMINFO_VARS
_RECEIVE_BUFFER, _DROPS = 1, 8


class SocketState(NamedTuple):
    """What the kernel says about a socket for datagrams.

    Attributes:
        buffer_bytes: How much it keeps of what was not read, counting what a datagram costs.
        drops: Datagrams that it had no room for, since the socket was opened.
    """

    buffer_bytes: int
    drops: int


def socket_state(sock: socket.socket) -> SocketState:
    """Return the state of a socket; on systems other than Linux drops are not known, and 0."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, struct.error):
            values = _MEMINFO.unpack_from(sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
            return SocketState(values[_RECEIVE_BUFFER], values[_DROPS])
    return SocketState(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF), 0)


class DatagramFilter(Protocol):
    """Looks at each datagram of a socket before it is stored."""

    def accept(self, datagram: bytes, sender: str) -> bytes | None:
        """Return what is to be stored; None: nothing, now."""

    def tick(self) -> None:
        """Do what has to be done about every second."""

    def end(self) -> None:
        """Give up what was kept: nothing more will be read."""


class DatagramReader:
    """Reads a socket while the sink has room.

    Args:
        sock: It is closed at the end.
        sink: Where the datagrams go.
        max_bytes: What a longer datagram has more is cut off.
        max_batch: Maximum number of datagrams that are read before they are stored.
        datagram_filter: Looks at each datagram first.
        tasks: Those of the input.
    """

    def __init__(
        self,
        sock: socket.socket,
        sink: Sink,
        *,
        max_bytes: int,
        max_batch: int,
        tasks: BackgroundTasks,
        datagram_filter: DatagramFilter | None = None,
    ) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._sink, self._filter, self._tasks = sink, datagram_filter, tasks
        self._buffer, self._max_batch = memoryview(bytearray(max(max_bytes, 1))), max_batch
        self._stream, self._offset = Stream(StreamIds().new().id, {DATAGRAMS: True}), 0
        self._lines: list[bytes] = []  # read and not stored, as the sink had no room
        self._loop = asyncio.get_running_loop()
        self._longest_rest = min(socket_state(sock).buffer_bytes / _FASTEST_BYTES, _LONGEST_REST_SECONDS)
        self._resting: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[None] | None = None  # for room
        self._outage = Outage(log.error, _FAILS, log.info, "datagrams can be read again")

    def start(self) -> None:
        """Read from now on."""
        self._loop.add_reader(self.sock.fileno(), self._call, self._readable)

    def _call(self, callback: Callable[[], None]) -> None:
        """Call what the event loop calls back; a defect ends the input, which would stay open and read nothing more."""
        try:
            callback()
        except Exception as error:  # noqa: BLE001 -- it ends the input
            self._stop_reading()
            self._tasks.fail("reading", error)

    def _readable(self) -> None:
        start = time.perf_counter()
        try:
            more = self._read_until(start + _ROUND_SECONDS)
        except OSError as error:
            self._outage.failed(error=error)
            self._rest_for(_RETRY_SECONDS)
            return
        self._outage.recovered()
        if self._lines or self._sink.paused:
            self._loop.remove_reader(self.sock.fileno())
            self._waiting = self._tasks.start("wait for room", self._resume())
        elif not more:
            self._rest_for(min(_REST_FACTOR * (time.perf_counter() - start), self._longest_rest))

    def _read_until(self, until: float) -> bool:
        """Read and store what has arrived; returns whether more may wait."""
        while not self._sink.paused:
            more = self._read_batch()
            if not self._store():
                return True
            if not more:
                return False
            if time.perf_counter() >= until:
                return True
        return True

    def _read_batch(self) -> bool:
        """Read datagrams; returns whether more may wait."""
        receive, buffer, lines = self.sock.recvfrom_into, self._buffer, self._lines
        accept = None if self._filter is None else self._filter.accept
        left = _BATCH_BYTES
        for _ in range(self._max_batch):
            try:
                size, address = receive(buffer)
            except (BlockingIOError, InterruptedError):
                return False
            except ConnectionError:  # an ICMP message: nothing was received
                continue
            sender = address[0] if type(address) is tuple else ""
            datagram = bytes(buffer[:size])
            data = datagram if accept is None else accept(datagram, sender)
            if data is not None:
                lines.append(line_of(data, sender.encode()))
                left -= size
                if left < 0:
                    return True
        return True

    def _store(self) -> bool:
        """Store what was read; False: there is no room."""
        if not self._lines:
            return True
        data = b"".join(self._lines)
        if not self._sink.put_all([(data, self._stream, self._offset, len(self._lines))]):
            return False
        self._offset += len(data)
        self._lines.clear()
        return True

    def _rest_for(self, seconds: float) -> None:
        """Let the kernel collect what comes, so that more is stored together the busier the senders are."""
        if seconds >= _SHORTEST_REST_SECONDS:
            self._loop.remove_reader(self.sock.fileno())
            self._resting = self._loop.call_later(seconds, self._call, self._rested)

    def _rested(self) -> None:
        self._resting = None
        self._readable()
        if self._resting is None and self._waiting is None and self.sock.fileno() >= 0:
            self.start()

    async def _resume(self) -> None:
        while not self._store():
            await self._sink.wait_until_resumed()
        await self._sink.wait_until_resumed()
        self._waiting = None
        self.start()

    async def drain(self, deadline: float) -> int:
        """Read and store what has arrived, then close.

        Args:
            deadline: When to give up waiting for room, on the loop's clock.

        Returns:
            How many datagrams were read and are lost, as there was no room for them until then.
        """
        self._stop_reading()
        until = min(self._loop.time() + _DRAIN_SECONDS, deadline)
        with contextlib.suppress(OSError):
            more = True
            while self._lines or (more and self._loop.time() < until):
                if self._sink.paused and not await self._wait_for_room(deadline):
                    break
                more = self._read_until(time.perf_counter() + _ROUND_SECONDS) if self._store() else True
                await asyncio.sleep(0)
        if self._filter is not None:
            self._filter.end()
        self.close()
        if self._lines:
            self._sink.note_loss()
        return len(self._lines)

    async def _wait_for_room(self, deadline: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._sink.wait_until_resumed(), max(deadline - self._loop.time(), 0))
        return not self._sink.paused

    def tick(self) -> None:
        """Let the filter do what has to be done about every second."""
        if self._filter is not None:
            self._filter.tick()

    def _stop_reading(self) -> None:
        if self._waiting is not None:
            self._tasks.cancel(self._waiting)
            self._waiting = None
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if self.sock.fileno() >= 0:
            self._loop.remove_reader(self.sock.fileno())

    def close(self) -> None:
        """Stop reading, and close the socket here: it stays open in the supervisor."""
        self._stop_reading()
        self.sock.close()
