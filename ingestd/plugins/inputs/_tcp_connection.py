"""A connection of the input ``tcp``: bytes are peeked at in the kernel's buffer, stored, and then consumed.

An incomplete line stays in the kernel, where it outlives this process: the kernel makes room for lines of up to half
of what ``net.ipv4.tcp_rmem`` allows (its third value, 6 MB by default, so 3 MB). Only longer ones are collected here.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable

from ingestd.event.chunk import Stream
from ingestd.logs import get_logger
from ingestd.plugins.inputs import _tcp_position as tcp_position
from ingestd.plugins.inputs._streams import reject_long_line
from ingestd.plugins.interfaces import Sink
from ingestd.protocols.lines import HEAD_BYTES, OversizedLine, count_line_ends, split_lines
from ingestd.tasks import BackgroundTasks

log = get_logger(__name__)

_DROP = socket.MSG_TRUNC if sys.platform == "linux" else 0
"""On Linux the kernel drops bytes of a TCP stream without copying them, tcp(7)."""

_SENDING_SECONDS = 2.0
"""How long a stop reads from a client that goes on sending, and waits for the end of a line."""

_GLANCE_BYTES = 16 << 10
_LOOK_SHARE = 0.05
"""An incomplete line is peeked at again for each piece that arrives. Peeks at those longer than a glance may take this
share of a process's time in total: a client may send a long line byte by byte."""

_TURN_SECONDS = 0.005
_FIRST_LINES = 1000
_FEWEST_LINES = 200
"""At once, a connection takes at most a chunk, and no more lines than are processed in this many seconds; then the
other connections get their turn. Garbage, or lines that filters do much with, cost a hundred times as much as others.
A chunk of usual lines has about the fewest: they are not split on a busy machine."""

_FULL_SECONDS = 0.2
"""How long no more of a line must arrive, with the kernel's buffer seemingly full, before we believe that it is: the
sender learns only after a round trip that there is room again."""


_TOO_LONG_FOR_KERNEL = "a line is longer than the kernel buffers; if the worker is killed, its start is lost"
_HELP = "raise the third value of net.ipv4.tcp_rmem to four times max_line_bytes"


class PeekBuffer:
    """The buffer into which all connections of a process peek, one after the other.

    Args:
        chunk_bytes: How much one connection takes at once before the others get their turn.
    """

    def __init__(self, chunk_bytes: int) -> None:
        self.chunk_bytes = chunk_bytes
        self._data = bytearray(chunk_bytes)
        self.resting = 0
        """How many connections are not peeked at for a while."""

    def of(self, size: int) -> bytearray:
        """Return the buffer, of at least ``size`` bytes."""
        if len(self._data) < size:
            self._data = bytearray(max(size, 2 * len(self._data)))
        return self._data


class Connection:
    """Reads while the sink has room, closes at the end of the stream.

    Args:
        tasks: Of the input, for waiting in the background.
        closed: Called with the connection and the reason when it has ended: end, error, idle or shutdown.
    """

    def __init__(  # noqa: PLR0913 -- what its input has for each
        self,
        sock: socket.socket,
        stream: Stream,
        sink: Sink,
        buffer: PeekBuffer,
        max_line_bytes: int,
        *,
        tasks: BackgroundTasks,
        closed: Callable[[Connection, str], None],
    ) -> None:
        sock.setblocking(False)
        self._sock, self._stream, self._sink, self._closed = sock, stream, sink, closed
        self._peek_buffer, self._buffer, self._max = buffer, buffer.of(0), max_line_bytes
        self._loop, self._tasks = asyncio.get_running_loop(), tasks
        self._waiting: asyncio.Task[None] | None = None  # for room
        self._resting: asyncio.TimerHandle | None = None  # until the next peek
        self._offset = 0  # of the next byte to consume
        self._begun = bytearray()  # of a line that is too long, only its head
        self._line_size = 0  # how much of the line in ``_begun`` is consumed
        self._low_water = 1
        self._lines = _FIRST_LINES  # to take at once
        self._chunk = buffer.chunk_bytes  # to peek at for them
        self._seems_full = self._ending = False
        self._last_read = self._loop.time()

    def start(self, kept: int) -> None:
        """Start to read. Bytes before ``kept`` are in the journal; those of them still in the socket are dropped."""
        # The previous reader may have set another low-water mark.
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, self._low_water)
        consumed = tcp_position.position(self._sock)
        self._offset = kept if consumed is None else consumed
        with contextlib.suppress(OSError):
            while self._offset < kept and (dropped := self._sock.recv(min(kept - self._offset, len(self._buffer)))):
                self._offset += len(dropped)
        self._loop.add_reader(self._sock.fileno(), self._readable)

    # Wait

    def _readable(self) -> None:
        if self._sink.full:
            self._pause()
            return
        try:
            self._read()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close("error")

    def _pause(self) -> None:
        """Stop reading until there is room; ``drain`` waits itself."""
        if not self._ending:
            self._loop.remove_reader(self._sock.fileno())
            self._waiting = self._tasks.start("wait for room", self._resume())

    async def _resume(self) -> None:
        await self._sink.room()
        self._waiting = None
        self._last_read = self._loop.time()  # it was not the client that was idle
        if self._sock.fileno() >= 0:
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def _rest(self, seconds: float) -> None:
        """Do not peek for a while, whatever arrives."""
        if not self._ending:
            self._loop.remove_reader(self._sock.fileno())
            self._resting = self._loop.call_later(seconds, self._rested)
            self._peek_buffer.resting += 1

    def _rested(self) -> None:
        self._resting = None
        self._peek_buffer.resting -= 1
        if self._waiting is None:
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def _wake_at(self, size: int) -> None:
        """Ask to be woken when this many bytes wait, or at the end, not for every piece of a line.

        The kernel makes room for them, see ``ingestd.supervisor.sockets.widen``.
        """
        if size != self._low_water:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
            self._low_water = size

    def _await_rest_of_line(self, size: int, seconds: float, *, woken: bool) -> None:
        """Wait for the rest of a line of which ``size`` bytes are there; to peek at them took ``seconds``."""
        full = woken and size < self._low_water  # woken although the line has not grown
        if full and self._seems_full:
            if not self._line_size:
                log.warning(_TOO_LONG_FOR_KERNEL, connection=self._stream.id, bytes=size, help=_HELP)
            self._collect(size)
            return
        self._seems_full = full
        if full:
            self._wake_at(self._max + 2)  # makes room for the longest line
            self._sock.recv(1, socket.MSG_PEEK)  # makes the kernel tell the sender
            self._rest(_FULL_SECONDS)
        elif size > _GLANCE_BYTES:
            self._rest(seconds / _LOOK_SHARE * (1 + self._peek_buffer.resting))
        self._wake_at(size + 1)

    # Read

    def _peek(self) -> tuple[int, int]:
        """Peek at what waits; returns how many bytes that is, and how many of them are whole lines.

        Usually up to a chunk; as much as the longest line may have if there is no line end in a chunk.
        """
        most = max(self._max + 2 - self._line_size, 1)  # with "\r\n"
        look = max(self._chunk, min(2 * self._low_water, most))
        while True:
            self._buffer = self._peek_buffer.of(look)
            size = self._sock.recv_into(self._buffer, look, socket.MSG_PEEK)
            whole = self._buffer.rfind(b"\n", 0, size) + 1
            if whole or size < look or look >= most:
                return size, whole
            look = min(4 * look, most)

    def _read(self, *, woken: bool = True, last: bool = False) -> None:
        """Take the whole lines that wait.

        ``woken``: the kernel reports something to read. ``last``: there will be no more, so take a line without a line
        end too.
        """
        start = time.perf_counter()
        size, whole = self._peek()
        if not size:
            self.close("end")
            return
        self._last_read = self._loop.time()
        if whole:
            taken = self._take_turn(whole)
            self._wake_at(size - whole + 1 if taken == whole else 1)
        elif self._line_size + size > self._max + 1:  # + 1: a "\r" does not count
            self._collect(size)
        elif last or self._is_end(size):
            self._take(bytes(memoryview(self._buffer)[:size]))
        elif self._ending and self._line_size:
            self._collect(size)  # to complete the line: the kernel may have no room for its end
        else:
            self._await_rest_of_line(size, time.perf_counter() - start, woken=woken)

    def _is_end(self, size: int) -> bool:
        """Return whether the stream ends after the ``size`` bytes that were seen."""
        return tcp_position.peer_has_closed(self._sock) and tcp_position.unread(self._sock) == size

    def _take_turn(self, whole: int) -> int:
        """Put and consume a fair number of the first ``whole`` bytes, which end a line; returns how many."""
        data = bytes(memoryview(self._buffer)[:whole])
        lines = count_line_ends(data)
        if lines > self._lines:
            whole = data.rfind(b"\n", 0, whole * self._lines // lines) + 1 or data.find(b"\n") + 1
            data = data[:whole]
            lines = self._lines  # or about as many
            self._chunk = min(2 * whole, self._peek_buffer.chunk_bytes)  # peeking at more would be wasted
        else:
            self._chunk = min(2 * self._chunk, self._peek_buffer.chunk_bytes)
        start = time.perf_counter()
        self._take(data)
        seconds = time.perf_counter() - start
        if seconds > _TURN_SECONDS:
            self._lines = max(int(lines * _TURN_SECONDS / seconds), self._lines // 2, _FEWEST_LINES)
        elif lines == self._lines:
            self._lines *= 2
        return whole

    def _take(self, data: bytes) -> None:
        """Put and consume ``data``, which ends a line."""
        if self._line_size + len(data) > self._max:
            self._take_lines(data)
        elif self._put(bytes(self._begun) + data if self._begun else data, self._offset - self._line_size):
            self._consume(len(data))
            self._end_line()
        else:
            self._pause()

    def _take_lines(self, data: bytes) -> None:
        """Put and consume the lines of ``data`` one by one; those that are too long become dead letters."""
        for line in split_lines(data):
            size = self._line_size + len(line.removesuffix(b"\n"))
            if size - line.endswith(b"\r\n") > self._max:
                head = (bytes(self._begun) + line)[:HEAD_BYTES]
                start = self._offset - self._line_size
                reject_long_line(self._sink, self._stream, OversizedLine(size, head), self._max, start)
            elif not self._put(bytes(self._begun) + line, self._offset - self._line_size):
                self._pause()
                return
            self._consume(len(line))
            self._end_line()

    def _put(self, data: bytes, offset: int) -> bool:
        return self._sink.put(data, self._stream, offset)

    def _collect(self, size: int) -> None:
        """Take the start of a long line out of the kernel's buffer; keep only the head of one that is too long."""
        self._begun += memoryview(self._buffer)[:size]
        self._line_size += size
        if self._line_size > self._max + 1:
            del self._begun[HEAD_BYTES:]
        self._consume(size)
        self._wake_at(1)

    def _consume(self, size: int) -> None:
        """Read bytes that were peeked at; they are there, so this does not wait."""
        self._offset += size
        while size:
            size -= self._sock.recv_into(memoryview(self._buffer)[:size], size, _DROP)

    def _end_line(self) -> None:
        self._begun.clear()
        self._line_size = 0
        self._seems_full = False

    # End

    @property
    def _has_begun(self) -> bool:
        """Whether the start of a line that may be good is here and not in the kernel."""
        return 0 < self._line_size <= self._max + 1

    async def drain(self, deadline: float, *, half_lines: bool) -> int:
        """Read what has arrived, then close; returns how many bytes are left unread in the kernel.

        ``deadline``, on the loop's clock: when to give up waiting for room. A client that never stops sending does
        not get as long.
        """
        self._let_go()
        until = self._loop.time() + _SENDING_SECONDS
        while self._sock.fileno() >= 0:
            if self._sink.full:
                paused = self._loop.time()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._sink.room(), max(deadline - paused, 0))
                until += self._loop.time() - paused
            before = self._offset
            try:
                self._read(woken=False, last=half_lines)
            except BlockingIOError:
                pass
            except OSError:
                self.close("error")
                break
            idle = self._offset == before and not self._sink.full
            if (idle and (half_lines or not self._has_begun)) or self._loop.time() >= min(until, deadline):
                break
            await asyncio.sleep(0.005 if idle else 0)
        left = tcp_position.unread(self._sock) if self._sock.fileno() >= 0 else 0
        self.close("shutdown")
        return left

    async def hand_over(self) -> None:
        """Close, as another process reads on; but first complete a line whose start is no longer in the kernel."""
        self._let_go()
        until = self._loop.time() + _SENDING_SECONDS
        while self._sock.fileno() >= 0 and self._has_begun and self._loop.time() < until:
            with contextlib.suppress(OSError):
                self._read(woken=False)
            await asyncio.sleep(0.005)
        self.close("shutdown")

    def close_if_idle(self, timeout: float) -> None:
        """Close if nothing came for ``timeout`` seconds; an incomplete line is put as the last one."""
        if self._waiting is not None or self._loop.time() - self._last_read <= timeout:
            return
        try:
            while self._sock.fileno() >= 0 and self._waiting is None:
                self._read(woken=False, last=True)
        except BlockingIOError:
            self.close("idle")
        except OSError:
            self.close("error")

    def _let_go(self) -> None:
        """Stop being woken."""
        self._ending = True
        if self._waiting is not None:
            self._tasks.cancel(self._waiting)
            self._waiting = None
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
            self._peek_buffer.resting -= 1
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())

    def close(self, reason: str) -> None:
        """Stop reading and close the connection."""
        if self._sock.fileno() < 0:
            return
        self._let_go()
        self._sock.close()
        if self._line_size:
            self._end_of_begun_line()
        self._closed(self, reason)

    def _end_of_begun_line(self) -> None:
        """Put or reject a collected line in which the stream ended."""
        start = self._offset - self._line_size
        if self._line_size > self._max:
            line = OversizedLine(self._line_size, bytes(self._begun[:HEAD_BYTES]))
            reject_long_line(self._sink, self._stream, line, self._max, start)
        elif not self._put(bytes(self._begun), start):
            reason = "the connection ended within a line, and there was no room to keep it"
            self._sink.reject(bytes(self._begun), reason, self._stream, offset=start)
