"""One client of the input ``tcp``: bytes are looked at in the kernel's buffer, kept, and then taken out of it.

As long as a line is not complete it stays in the kernel, where it outlives this process: the kernel makes room for
lines of up to half of what ``net.ipv4.tcp_rmem`` allows (its third figure: 6 MB unless somebody changed it, so
3 MB). Only what is longer is collected here.
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
"""How long a stop reads from a connection that goes on sending, and waits for the end of a line it has begun."""

_GLANCE_BYTES = 16 << 10
_LOOK_SHARE = 0.05
"""Half a line is looked at anew for each piece that comes. Looks at those longer than a glance may take so much of a
process's time, all together: a client may send a long line byte by byte."""

_TURN_SECONDS = 0.005
_FIRST_LINES = 1000
_FEWEST_LINES = 200
"""A connection takes in at most a chunk, and no more lines than go by in a turn's seconds, before the
others get their turn. Lines that are garbage, or that filters have much to do with, cost a hundred times as much as
others. The fewest are what a chunk has of usual lines: those are not cut on a machine that has much else to do."""

_FULL_SECONDS = 0.2
"""For so long no more of a line must come, though the kernel says that it has no room, before that is believed: the
sender learns after a round trip that there is room again."""


_TOO_LONG_FOR_KERNEL = "a line is longer than the system holds for us; should the worker be killed, its begin is lost"
_HELP = "raise the third figure of net.ipv4.tcp_rmem to four times max_line_bytes"


class PeekBuffer:
    """What all connections of a process look at their bytes in, one after the other.

    Args:
        chunk_bytes: How much is taken in at once, of one connection, before the others get their turn.
    """

    def __init__(self, chunk_bytes: int) -> None:
        self.chunk_bytes = chunk_bytes
        self._data = bytearray(chunk_bytes)
        self.resting = 0
        """Connections that are not looked at for a while."""

    def of(self, size: int) -> bytearray:
        """Return the buffer, of at least ``size`` bytes."""
        if len(self._data) < size:
            self._data = bytearray(max(size, 2 * len(self._data)))
        return self._data


class Connection:
    """Reads as long as the sink has room, closes at the end of the stream.

    Args:
        tasks: Of the input: where it waits for room in the background.
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
        self._resting: asyncio.TimerHandle | None = None  # until it is worth while to look again
        self._offset = 0  # of the next byte to consume
        self._begun = bytearray()  # of a line that is too long only the head is kept
        self._line_size = 0  # how much of the line in ``_begun`` is consumed already
        self._low_water = 1
        self._lines = _FIRST_LINES  # to take in at once
        self._chunk = buffer.chunk_bytes  # to look at for them
        self._seems_full = self._ending = False
        self._last_read = self._loop.time()

    def start(self, kept: int) -> None:
        """Begin to read. Bytes before ``kept`` are kept already; what of them is still in the socket is dropped."""
        # Who read the connection before us may have left another mark.
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
        """Read no more until there is room; an end looks after that itself."""
        if not self._ending:
            self._loop.remove_reader(self._sock.fileno())
            self._waiting = self._tasks.start("wait for room", self._resume())

    async def _resume(self) -> None:
        await self._sink.room()
        self._waiting = None
        self._last_read = self._loop.time()  # that nothing was read was not the client's fault
        if self._sock.fileno() >= 0:
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def _rest(self, seconds: float) -> None:
        """Look no more for a while, whatever comes."""
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
        """Ask to be woken when so many bytes wait (or at the end), not for every piece of half a line.

        The kernel makes room for so many, see ``ingestd.supervisor.sockets.widen``.
        """
        if size != self._low_water:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
            self._low_water = size

    def _await_rest_of_line(self, size: int, seconds: float, *, woken: bool) -> None:
        """Wait for the rest of a line of which ``size`` bytes are there; to look at them took ``seconds``."""
        full = woken and size < self._low_water  # woken although the line has not grown
        if full and self._seems_full:
            if not self._line_size:
                log.warning(_TOO_LONG_FOR_KERNEL, connection=self._stream.id, bytes=size, help=_HELP)
            self._collect(size)
            return
        self._seems_full = full
        if full:
            self._wake_at(self._max + 2)  # makes room for the longest line
            self._sock.recv(1, socket.MSG_PEEK)  # lets the kernel tell the sender so
            self._rest(_FULL_SECONDS)
        elif size > _GLANCE_BYTES:
            self._rest(seconds / _LOOK_SHARE * (1 + self._peek_buffer.resting))
        self._wake_at(size + 1)

    # Read

    def _peek(self) -> tuple[int, int]:
        """Look at what waits; returns how many bytes were seen, and how many of them are whole lines.

        Usually a chunk is looked at; as much as the longest line may have, if a chunk ends no line.
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
        """Take in the whole lines that wait.

        ``woken``: the kernel says that there is something to read. ``last``: there will be no more, so take in a
        line without a line end too.
        """
        begin = time.perf_counter()
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
            self._collect(size)  # to finish the line; the kernel may have no room for its end
        else:
            self._await_rest_of_line(size, time.perf_counter() - begin, woken=woken)

    def _is_end(self, size: int) -> bool:
        """Return whether the stream ends after the ``size`` bytes that were seen."""
        return tcp_position.peer_has_closed(self._sock) and tcp_position.unread(self._sock) == size

    def _take_turn(self, whole: int) -> int:
        """Put and consume so many of the first ``whole`` bytes, which end a line, as is fair; returns how many."""
        data = bytes(memoryview(self._buffer)[:whole])
        lines = count_line_ends(data)
        if lines > self._lines:
            whole = data.rfind(b"\n", 0, whole * self._lines // lines) + 1 or data.find(b"\n") + 1
            data = data[:whole]
            lines = self._lines  # or about so many
            self._chunk = min(2 * whole, self._peek_buffer.chunk_bytes)  # more would be looked at in vain
        else:
            self._chunk = min(2 * self._chunk, self._peek_buffer.chunk_bytes)
        begin = time.perf_counter()
        self._take(data)
        seconds = time.perf_counter() - begin
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
        """Put and consume the lines of ``data`` one by one, but make dead letters of those that are too long."""
        for line in split_lines(data):
            size = self._line_size + len(line.removesuffix(b"\n"))
            if size - line.endswith(b"\r\n") > self._max:
                head = (bytes(self._begun) + line)[:HEAD_BYTES]
                begin = self._offset - self._line_size
                reject_long_line(self._sink, self._stream, OversizedLine(size, head), self._max, begin)
            elif not self._put(bytes(self._begun) + line, self._offset - self._line_size):
                self._pause()
                return
            self._consume(len(line))
            self._end_line()

    def _put(self, data: bytes, offset: int) -> bool:
        return self._sink.put(data, self._stream, offset)

    def _collect(self, size: int) -> None:
        """Move the begin of a long line out of the kernel's buffer; of one that is too long keep the head alone."""
        self._begun += memoryview(self._buffer)[:size]
        self._line_size += size
        if self._line_size > self._max + 1:
            del self._begun[HEAD_BYTES:]
        self._consume(size)
        self._wake_at(1)

    def _consume(self, size: int) -> None:
        """Take bytes that were peeked out of the socket; they are there, so this does not wait."""
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
        """Whether the begin of a line that may be good is here and not in the kernel."""
        return 0 < self._line_size <= self._max + 1

    async def drain(self, deadline: float, *, half_lines: bool) -> int:
        """Read what has arrived, then close; returns how many bytes are left unread in the kernel.

        ``deadline``, on the loop's clock, is when it ends although there was no room for all. A client that never
        stops sending is not waited for so long.
        """
        self._let_go()
        until = self._loop.time() + _SENDING_SECONDS
        while self._sock.fileno() >= 0:
            if self._sink.full:
                begin = self._loop.time()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._sink.room(), max(deadline - begin, 0))
                until += self._loop.time() - begin
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
        """Close, for another process reads on; but first finish a line whose begin is not in the kernel any more."""
        self._let_go()
        until = self._loop.time() + _SENDING_SECONDS
        while self._sock.fileno() >= 0 and self._has_begun and self._loop.time() < until:
            with contextlib.suppress(OSError):
                self._read(woken=False)
            await asyncio.sleep(0.005)
        self.close("shutdown")

    def close_if_idle(self, timeout: float) -> None:
        """Close if nothing came for ``timeout`` seconds; half a line that waits for its end counts as the last."""
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
        """Be woken no more."""
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
        """Stop reading and let go of the connection."""
        if self._sock.fileno() < 0:
            return
        self._let_go()
        self._sock.close()
        if self._line_size:
            self._end_of_begun_line()
        self._closed(self, reason)

    def _end_of_begun_line(self) -> None:
        """The stream ended within a line that was collected."""
        begin = self._offset - self._line_size
        if self._line_size > self._max:
            line = OversizedLine(self._line_size, bytes(self._begun[:HEAD_BYTES]))
            reject_long_line(self._sink, self._stream, line, self._max, begin)
        elif not self._put(bytes(self._begun), begin):
            reason = "the connection ended within a line, and there was no room to keep it"
            self._sink.reject(bytes(self._begun), reason, self._stream, offset=begin)
