"""A connection of the input ``tcp``: bytes are peeked at in the kernel's buffer, stored, and then consumed.

An incomplete line stays in the kernel, where it outlives this process: the kernel makes room for lines of up to half
of what ``net.ipv4.tcp_rmem`` allows (its third value, 6 MB by default, so 3 MB). Only longer ones are collected here.

The first bytes of a connection show whether its client sends lines. They are judged while they are in the kernel: until
there is a verdict, nothing is taken; the next reader of the connection judges again. Lines of JSON or text never wait
for it, as ``ingestd.protocols.senders.recognise`` always has a verdict on them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time

from ingestd.event.chunk import Stream
from ingestd.logs import get_logger
from ingestd.plugins.inputs import _tcp_position as tcp_position
from ingestd.plugins.inputs._streams import reject_long_line
from ingestd.plugins.inputs._tcp_peek import PeekBuffer, Turns
from ingestd.plugins.inputs._tcp_recognition import Owner, Recognition
from ingestd.plugins.inputs._tcp_senders import CLOSED, reject_pickles
from ingestd.plugins.interfaces import Sink
from ingestd.protocols.lines import EXCERPT_BYTES, OversizedLine, split_lines
from ingestd.protocols.pickles import PREFIX_BYTES, frame_bytes
from ingestd.protocols.senders import MAX_HEAD_BYTES, Sender
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

_FULL_SECONDS = 0.2
"""How long no more of a line must arrive, with the kernel's buffer seemingly full, before we believe that it is: the
sender learns only after a round trip that there is room again."""


_TOO_LONG_FOR_KERNEL = "a line is longer than the kernel buffers; if the worker is killed, its start is lost"
_HELP = "raise the third value of net.ipv4.tcp_rmem to four times max_line_bytes"


class TcpConnection:
    """Reads while the sink has room, closes at the end of the stream.

    Args:
        tasks: Of the input, for waiting in the background.
        owner: Learns what becomes of the connection.
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
        owner: Owner,
    ) -> None:
        sock.setblocking(False)
        self._sock, self._stream, self._sink, self._owner = sock, stream, sink, owner
        self._recognition = Recognition(owner.recognised, max_line_bytes)
        self._peek_buffer, self._buffer, self._max = buffer, buffer.of(0), max_line_bytes
        self._loop, self._tasks = asyncio.get_running_loop(), tasks
        self._waiting_for_room: asyncio.Task[None] | None = None
        self._resting: asyncio.TimerHandle | None = None  # until the next peek
        self._offset = 0  # of the next byte to consume
        self._line_start = bytearray()  # what was consumed of an incomplete line; cut to an excerpt if it is too long
        self._line_consumed = 0  # bytes of that line, whether kept or not
        self._low_water = 1
        self._turns = Turns(buffer.chunk_bytes)
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
        if self._sink.paused:
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
            self._waiting_for_room = self._tasks.start("wait for room", self._resume())

    async def _resume(self) -> None:
        await self._sink.wait_until_resumed()
        self._waiting_for_room = None
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
        if self._waiting_for_room is None:
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
            if not self._line_consumed:
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
        most = max(self._max + 2 - self._line_consumed, 1)  # with "\r\n"
        look = max(self._turns.bytes, min(2 * self._low_water, most))
        while True:
            self._buffer = self._peek_buffer.of(look)
            size = self._sock.recv_into(self._buffer, look, socket.MSG_PEEK)
            whole = self._recognition.framing.whole(self._buffer, size)
            if whole or size < look or look >= most:
                return size, whole
            look = min(4 * look, most)

    def _read(self, *, woken: bool = True, last: bool = False) -> None:
        """Store and consume the whole lines that wait.

        ``woken``: the kernel reports something to read. ``last``: there will be no more, so store a line without a
        line end too.
        """
        start = time.perf_counter()
        size, whole = self._peek()
        if not size:
            self.close("end")
            return
        self._last_read = self._loop.time()
        if self._recognition.sender is None:
            if not self._recognise(size, whole, last=last):
                return
            whole = self._recognition.framing.whole(self._buffer, size)
        if whole:
            consumed = self._store_share(whole)
            self._wake_at(size - whole + 1 if consumed == whole else 1)
        elif self._recognition.sender is Sender.PICKLE and self._is_last_pickle(size, last=last):
            self._reject_pickles(bytes(memoryview(self._buffer)[: min(size, EXCERPT_BYTES)]))
            self._reject(Sender.PICKLE)
        elif self._line_consumed + size > self._max + 1:  # + 1: a "\r" does not count
            self._collect(size)
        elif last or tcp_position.ends_after(self._sock, size):
            self._store(self._recognition.framing.lines(bytes(memoryview(self._buffer)[:size])))
        elif self._ending and self._line_consumed:
            self._collect(size)  # to complete the line: the kernel may have no room for its end
        else:
            self._await_rest_of_line(size, time.perf_counter() - start, woken=woken)

    # Recognise

    def _recognise(self, size: int, whole: int, *, last: bool) -> bool:
        """Judge the sender by what waits; returns whether to read on."""
        head = bytes(memoryview(self._buffer)[: min(size, MAX_HEAD_BYTES)])
        sender = self._recognition.judge(head, self._offset, ended=last or tcp_position.ends_after(self._sock, size))
        if sender is None and whole:  # it may be no line
            self._wake_at(size + 1)
        elif sender is Sender.PROXY:
            self._skip_proxy_header(head)
        elif sender in CLOSED:
            self._reject(sender)
        else:
            return True
        return False

    def _skip_proxy_header(self, head: bytes) -> None:
        header = self._recognition.proxy_header(head, self._offset)
        self._stream = self._owner.proxied(header)
        self._consume(header.size)
        self._wake_at(1)

    def _reject(self, sender: Sender) -> None:
        """Let the owner close the connection, once the client has seen its answer."""
        self._let_go()
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        self._owner.rejected(self, socket.socket(fileno=self._sock.detach()), sender)

    # Store

    def _store_share(self, whole: int) -> int:
        """Store and consume a fair number of the first ``whole`` bytes, which end a record; returns how many."""
        data = self._recognition.framing.lines(bytes(memoryview(self._buffer)[:whole]))
        if self._recognition.sender is Sender.PICKLE:
            return self._reject_pickles(data)
        data = self._turns.cut(data)
        start = time.perf_counter()
        self._store(data)
        self._turns.took(time.perf_counter() - start)
        return len(data)

    def _is_last_pickle(self, size: int, *, last: bool) -> bool:
        """Return whether the pickle of which ``size`` bytes wait will not get whole, or is too long."""
        too_long = size >= PREFIX_BYTES and frame_bytes(self._buffer) > self._max
        return too_long or last or tcp_position.ends_after(self._sock, size)

    def _reject_pickles(self, data: bytes) -> int:
        """Reject and consume ``data``: whole frames, or what there is of the last or of one that is too long."""
        reject_pickles(self._sink, self._stream, data, self._offset)
        self._consume(len(data))
        return len(data)

    def _store(self, data: bytes) -> None:
        """Store and consume ``data``, which ends a line."""
        if self._line_consumed + len(data) > self._max:
            self._store_lines(data)
        elif self._sink.put(bytes(self._line_start) + data, self._stream, self._offset - self._line_consumed):
            self._consume(len(data))
            self._end_line()
        else:
            self._pause()

    def _store_lines(self, data: bytes) -> None:
        """Store and consume the lines of ``data`` one by one; those that are too long become dead letters."""
        for piece in split_lines(data):
            line, start = bytes(self._line_start) + piece, self._offset - self._line_consumed
            size = self._line_consumed + len(piece.removesuffix(b"\n"))
            if self._is_too_long(line, size):
                oversized = OversizedLine(size, line[:EXCERPT_BYTES])
                reject_long_line(self._sink, self._stream, oversized, self._max, start)
            elif not self._sink.put(line, self._stream, start):
                self._pause()
                return
            self._consume(len(piece))
            self._end_line()

    def _is_too_long(self, line: bytes, size: int) -> bool:
        """Return whether a line of ``size`` bytes without its line feed exceeds the limit; a final "\\r" is free.

        ``line`` is the whole line, or what was kept of one that is much too long.
        """
        ends_in_carriage_return = line.removesuffix(b"\n").endswith(b"\r")
        return size > (self._max + 1 if ends_in_carriage_return else self._max)

    def _collect(self, size: int) -> None:
        """Take the start of a long line out of the kernel's buffer; keep only an excerpt of one that is too long."""
        self._recognition.settle(Sender.LINES)  # what follows is not the start of a record
        self._line_start += memoryview(self._buffer)[:size]
        self._line_consumed += size
        if self._line_consumed > self._max + 1:
            del self._line_start[EXCERPT_BYTES:]
        self._consume(size)
        self._wake_at(1)

    def _consume(self, size: int) -> None:
        """Read bytes that were peeked at; they are there, so this does not wait."""
        self._offset += size
        while size:
            size -= self._sock.recv_into(memoryview(self._buffer)[:size], size, _DROP)

    def _end_line(self) -> None:
        self._line_start.clear()
        self._line_consumed = 0
        self._seems_full = False

    # End

    @property
    def _line_is_collected(self) -> bool:
        """Whether the start of a line that may be good is here and not in the kernel."""
        return 0 < self._line_consumed <= self._max + 1

    async def drain(self, deadline: float, *, half_lines: bool) -> int:
        """Read what has arrived, then close; returns how many bytes are left unread in the kernel.

        ``deadline``, on the loop's clock: when to give up waiting for room. A client that never stops sending does
        not get as long.
        """
        self._let_go()
        until = self._loop.time() + _SENDING_SECONDS
        while self._sock.fileno() >= 0:
            if self._sink.paused:
                paused = self._loop.time()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._sink.wait_until_resumed(), max(deadline - paused, 0))
                until += self._loop.time() - paused
            before = self._offset
            try:
                self._read(woken=False, last=half_lines)
            except BlockingIOError:
                pass
            except OSError:
                self.close("error")
                break
            idle = self._offset == before and not self._sink.paused
            if (idle and (half_lines or not self._line_is_collected)) or self._loop.time() >= min(until, deadline):
                break
            await asyncio.sleep(0.005 if idle else 0)
        left = tcp_position.unread(self._sock) if self._sock.fileno() >= 0 else 0
        self.close("shutdown")
        return left

    async def hand_over(self) -> None:
        """Close, as another process reads on; but first complete a line whose start is no longer in the kernel."""
        self._let_go()
        until = self._loop.time() + _SENDING_SECONDS
        while self._sock.fileno() >= 0 and self._line_is_collected and self._loop.time() < until:
            with contextlib.suppress(OSError):
                self._read(woken=False)
            await asyncio.sleep(0.005)
        self.close("shutdown")

    def close_if_idle(self, timeout: float) -> None:
        """Close if nothing came for ``timeout`` seconds; an incomplete line is stored as the last one."""
        if self._waiting_for_room is not None or self._loop.time() - self._last_read <= timeout:
            return
        try:
            while self._sock.fileno() >= 0 and self._waiting_for_room is None:
                self._read(woken=False, last=True)
        except BlockingIOError:
            self.close("idle")
        except OSError:
            self.close("error")

    def _let_go(self) -> None:
        """Stop being woken."""
        self._ending = True
        if self._waiting_for_room is not None:
            self._tasks.cancel(self._waiting_for_room)
            self._waiting_for_room = None
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
        if self._line_consumed:
            self._end_collected_line()
        self._owner.closed(self, reason)

    def _end_collected_line(self) -> None:
        """Store or reject a collected line in which the stream ended."""
        start = self._offset - self._line_consumed
        if self._is_too_long(bytes(self._line_start), self._line_consumed):
            line = OversizedLine(self._line_consumed, bytes(self._line_start[:EXCERPT_BYTES]))
            reject_long_line(self._sink, self._stream, line, self._max, start)
        elif not self._sink.put(bytes(self._line_start), self._stream, start):
            reason = "the connection ended within a line, and there was no room to keep it"
            self._sink.reject(bytes(self._line_start), reason, self._stream, offset=start)
