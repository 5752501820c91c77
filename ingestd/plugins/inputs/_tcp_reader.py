"""How a connection of the input ``tcp`` is read: bytes are peeked at in the kernel's buffer, stored, and then consumed.

An incomplete line stays in the kernel, where it outlives this process: the kernel makes room for lines of up to half
of what ``net.ipv4.tcp_rmem`` allows (its third value, 6 MB by default, so 3 MB). Only longer ones are collected here;
the socket says so, so that the next reader does not take the rest of such a line for a line.

The first bytes of a connection show whether its client sends lines. They are judged while they are in the kernel: until
there is a verdict, nothing is taken; the next reader of the connection judges again. Lines of JSON or text never wait
for it, as ``ingestd.protocols.framing.senders.recognise`` always has a verdict on them.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time

from ingestd.event.chunk import Stream
from ingestd.logs import get_logger
from ingestd.plugins.inputs import _tcp_position as tcp_position
from ingestd.plugins.inputs._tcp_lines import TcpLines
from ingestd.plugins.inputs._tcp_mark import LineMark, PartialLine
from ingestd.plugins.inputs._tcp_peek import PeekBuffer, Peeked, Turns
from ingestd.plugins.inputs._tcp_poller import Poller
from ingestd.plugins.inputs._tcp_recognition import FRAMINGS, LINES, Framings, Owner, Recognition, lines_framing
from ingestd.plugins.inputs._tcp_senders import CLOSED, reject_pickles
from ingestd.plugins.inputs._tcp_wakeups import Wakeups
from ingestd.plugins.interfaces import Sink
from ingestd.protocols.framing.grouping import Grouping
from ingestd.protocols.framing.lines import EXCERPT_BYTES, LINE_FEED, torn_bytes
from ingestd.protocols.framing.pickles import PREFIX_BYTES, frame_bytes
from ingestd.protocols.framing.senders import MAX_HEAD_BYTES, Sender

log = get_logger(__name__)

_FEW_BYTES = 4096
"""What is read of a connection that had a few lines before; if there are more, they are read in the usual way."""

_TOO_LONG_FOR_KERNEL = "a line is longer than the kernel buffers; if the worker is killed, its start is lost"
_TOO_LONG_TO_COUNT = "the message is longer than the kernel buffers (net.ipv4.tcp_rmem): the connection was closed"
_HELP = "raise the third value of net.ipv4.tcp_rmem to four times max_line_bytes"


class ConnectionReader:
    """Reads while the sink has room, closes at the end of the stream.

    Args:
        grouping: How the codec groups lines to messages; None: not. The lines of a message that has not ended stay in
            the kernel, like a line that has not.
        poller: Reads all connections of the input in turn.
        owner: Learns what becomes of the connection.
        framings: How the records of senders of other than lines are separated.
        delimiter: The end of a line. What may be the start of one stays in the kernel, so it is always seen whole.
    """

    def __init__(  # noqa: PLR0913 -- what its input has for each
        self,
        sock: socket.socket,
        stream: Stream,
        sink: Sink,
        buffer: PeekBuffer,
        max_line_bytes: int,
        *,
        poller: Poller,
        owner: Owner,
        grouping: Grouping | None = None,
        framings: Framings = FRAMINGS,
        delimiter: bytes = LINE_FEED,
    ) -> None:
        sock.setblocking(False)
        self._sock, self._sink, self._owner = sock, sink, owner
        self._peeked, self._max = Peeked(sock, buffer), max_line_bytes
        self._few = min(_FEW_BYTES - 1, max_line_bytes, buffer.chunk_bytes // 2)
        self._grouping = grouping = grouping.of_stream() if grouping is not None else None
        lines = lines_framing(grouping, delimiter)
        self._recognition = Recognition(owner.recognised, max_line_bytes, lines, framings)
        self._lines = TcpLines(sink, stream, max_line_bytes, grouping, delimiter)
        self._flush: asyncio.TimerHandle | None = None  # of the lines of the last message
        longest = max_line_bytes + 1 + len(delimiter)
        self._wakeups = Wakeups(sock, self._readable, sink, buffer, longest, poller=poller)
        self._poller = poller
        self._turns = Turns(buffer.chunk_bytes, delimiter)
        self._offset = 0  # of the next byte to consume
        self._mark = LineMark(sock, delimiter)
        self._end_reason = "end"  # what the end of the stream means
        self._loop = asyncio.get_running_loop()
        self._last_read = self._loop.time()
        self._seen = 0  # how much of the stream had arrived then
        self._partial = 0  # bytes after the lines that were gathered
        self._plain = False  # see ``_gather_few``

    def start(self, kept: int) -> None:
        """Start to read. Bytes before ``kept`` are in the journal; those of them still in the socket are dropped."""
        self._wakeups.reset_low_water()
        consumed = tcp_position.position(self._sock)
        self._offset = kept if consumed is None else consumed
        skipped, last = self._peeked.skip(kept - self._offset, max(len(self._mark.delimiter), 1))
        self._offset += skipped
        state = self._mark.resume(last)
        self._lines.start_lost = state is PartialLine.COLLECTED
        self._lines.rejected = state is PartialLine.REJECTED
        self._wakeups.start()

    # Read

    def _readable(self) -> None:
        try:
            if self._plain and self._gather_few():
                return
            if self._sink.paused:
                self._wakeups.pause()
            else:
                self._read()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close("error")

    def _gather_few(self) -> bool:
        """Gather what waits if it is a few whole lines; False: it is not, see ``_read``.

        Only for a connection that is ``_plain``: the last lines were gathered, with nothing after them. With many
        connections nearly all reads are of this kind, and what a read costs counts for each event.
        """
        gathering = self._poller.gathering
        if gathering.paused:
            return False
        data = self._sock.recv(_FEW_BYTES, socket.MSG_PEEK)
        if not 0 < len(data) <= self._few:
            return False
        self._last_read, self._seen = self._poller.now, self._offset + len(data)
        return gathering.add(data, self._lines.stream, self._offset, self)

    def _read(self, *, woken: bool = True, last: bool = False) -> None:
        """Store and consume the whole lines that wait.

        ``woken``: the kernel reports something to read. ``last``: there will be no more, so store a line without a
        line end too.
        """
        start, self._plain = time.perf_counter(), False
        longest, low_water = self._lines.most, self._wakeups.low_water
        size, whole, more = self._peeked.look(self._turns.bytes, low_water, longest, self._recognition.framing.whole)
        if not size:
            self.close(self._end_reason)
            return
        self._last_read, self._seen = self._loop.time(), self._offset + size
        if self._lines.rejected or self._lines.start_lost:
            self._drop_rest_of_line(size, last=last)
            return
        if self._recognition.sender is None:
            if not self._recognise(size, whole, last=last):
                return
            whole = self._recognition.framing.whole(self._peeked.data, size)
        if whole and woken and self._gather(whole, size):
            self._poller.found(math.inf if more else whole)
        elif whole:
            consumed = self._store_share(whole)
            self._poller.found(math.inf if more or consumed < whole else whole)
            self._wakeups.wake_at(size - whole + 1 if consumed == whole else 1)
        else:
            self._read_partial_line(size, start, woken=woken, last=last)
        if not last:
            self._flush_later()

    def _flush_later(self) -> None:
        """Store the lines that wait if nothing follows them for a while, if the codec says so."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        seconds = self._grouping.flush_seconds if self._grouping is not None else 0
        if seconds and self._seen > self._offset:
            self._flush = self._loop.call_later(seconds, self._poller.tasks.call, "flush of lines", self._flush_lines)

    def _flush_lines(self) -> None:
        self._flush = None
        if self._sock.fileno() < 0 or self._wakeups.stopped:
            return
        if self._sink.paused:
            self._flush_later()
            return
        try:
            self._store_lines(tcp_position.unread(self._sock))
        except OSError:
            self.close("error")

    def _store_lines(self, size: int) -> bool:
        """Store the whole lines among the ``size`` bytes that wait, whether the last message ends or not."""
        size = self._peeked.look(size, 1, size, lambda data, size: size)[0] if size else 0
        grouping = self._grouping
        if lines := grouping.flushable(self._peeked.data, size) if grouping is not None else 0:
            self._store(self._peeked.first(lines))
            self._wakeups.wake_at(size - lines + 1)
        return lines > 0

    def _read_partial_line(self, size: int, start: float, *, woken: bool, last: bool) -> None:
        """Decide about the ``size`` bytes that wait of a record that is not whole; ``start``: of the peek at them."""
        if self._recognition.sender is Sender.PICKLE and self._is_last_pickle(size, last=last):
            pickle = self._peeked.first(min(size, EXCERPT_BYTES))
            if self._reject_pickles(pickle) == len(pickle):
                self._reject(Sender.PICKLE)
        elif fault := self._recognition.framing.fault(self._peeked.data, size):
            self._reject_rest(size, fault)
        elif self._lines.exceeds(size - (torn := self._torn(size, last=last))):
            if self._recognition.framing.delimiter:
                self._collect(size - torn)
            else:  # its end will never be known
                self._store(self._peeked.first(size))
        elif last or tcp_position.ends_after(self._sock, size):
            self._store(self._recognition.framing.lines(self._peeked.first(size)))
        elif self._wakeups.stopped and self._lines.collected and size > torn:
            self._collect(size - torn)  # to complete the line: the kernel may have no room for its end
        else:
            self._await_rest_of_line(size, time.perf_counter() - start, woken=woken)

    def _await_rest_of_line(self, size: int, seconds: float, *, woken: bool) -> None:
        """Let the ``size`` bytes of a line that wait stay in the kernel, if there is room for the rest as well."""
        if not self._wakeups.await_rest_of_line(size, seconds, woken=woken):
            if self._grouping is not None and self._store_lines(size):
                return
            if not self._recognition.framing.delimiter:
                self._reject_rest(size, _TOO_LONG_TO_COUNT)
                return
            if not self._lines.collected and self._sock.family != socket.AF_UNIX:  # that does not show how full it is
                log.warning(_TOO_LONG_FOR_KERNEL, connection=self._lines.stream.id, bytes=size, help=_HELP)
            self._collect(size - self._torn(size))

    def _torn(self, size: int, *, last: bool = False) -> int:
        """Return how many of the ``size`` bytes that wait, in which no line ends, may be the start of a delimiter."""
        delimiter = self._recognition.framing.delimiter
        if len(delimiter) < 2 or not (torn := torn_bytes(self._peeked.data, size, delimiter)):
            return 0
        return 0 if last or tcp_position.ends_after(self._sock, size) else torn

    # Recognise

    def _recognise(self, size: int, whole: int, *, last: bool) -> bool:
        """Judge the sender by what waits; returns whether to read on."""
        head = self._peeked.first(min(size, MAX_HEAD_BYTES))
        sender = self._recognition.judge(head, self._offset, ended=last or tcp_position.ends_after(self._sock, size))
        if sender is None and whole:  # it may be no line
            self._wakeups.wake_at(size + 1)
        elif sender is Sender.PROXY:
            self._skip_proxy_header(head)
        elif sender in CLOSED:
            self._reject(sender)
        else:
            return True
        return False

    def _skip_proxy_header(self, head: bytes) -> None:
        header = self._recognition.proxy_header(head, self._offset)
        self._lines.stream = self._owner.proxied(header)
        self._consume(header.size)
        self._wakeups.wake_at(1)

    def _reject(self, sender: Sender) -> None:
        """Let the owner close the connection, once the client has seen its answer."""
        self._wakeups.stop()
        self._wakeups.reset_low_water()
        self._owner.rejected(self, socket.socket(fileno=self._sock.detach()), sender)

    def _reject_rest(self, size: int, reason: str) -> None:
        """Make a dead letter of ``size`` waiting bytes, which are not a record, and close: no other can be found."""
        if not self._lines.reject(self._peeked.first(min(size, EXCERPT_BYTES)), reason, self._offset, size):
            self._wakeups.pause()
            return
        self._consume(size)
        self._reject(Sender.SYSLOG_OCTETS)

    # Store and consume

    def _gather(self, whole: int, size: int) -> bool:
        """Store the first ``whole`` bytes of ``size`` together with those of other connections; False: it cannot be."""
        gathering, plain = self._poller.gathering, self._recognition.framing is LINES and not self._lines.collected
        if not (plain and whole <= self._max and gathering.takes(whole)):
            return False
        self._partial = size - whole
        if not gathering.add(self._peeked.first(whole), self._lines.stream, self._offset, self):
            return False
        self._turns.take_all()
        return True

    def stored(self, size: int, *, done: bool) -> None:
        """Consume the lines that were gathered; if they were not stored, wait for room."""
        if not done:
            self._wakeups.pause()
            return
        try:
            self._consume(size)
        except OSError:
            self.close("error")
            return
        if not self._plain:
            self._wakeups.wake_at(self._partial + 1)
            self._plain = not self._partial

    def _store_share(self, whole: int) -> int:
        """Store and consume a fair number of the first ``whole`` bytes, which end a record; returns how many."""
        data = self._recognition.framing.lines(self._peeked.first(whole))
        if self._recognition.sender is Sender.PICKLE:
            return self._reject_pickles(data)
        if self._grouping is None:
            data = self._turns.cut(data)
        start = time.thread_time()
        self._store(data, self._turns.line_ends)
        self._turns.took(time.thread_time() - start)
        return len(data)

    def _is_last_pickle(self, size: int, *, last: bool) -> bool:
        """Return whether the pickle of which ``size`` bytes wait will not get whole, or is too long."""
        too_long = size >= PREFIX_BYTES and frame_bytes(self._peeked.data) > self._max
        return too_long or last or tcp_position.ends_after(self._sock, size)

    def _reject_pickles(self, data: bytes) -> int:
        """Reject and consume ``data``: whole frames, or what has arrived of the last or of one that is too long.

        Returns how many bytes were consumed: the rest waits until dead letters can be written.
        """
        taken = reject_pickles(self._sink, self._lines.stream, data, self._offset)
        self._consume(taken)
        if taken < len(data):
            self._wakeups.pause()
        return taken

    def _store(self, data: bytes, line_ends: int = 0) -> None:
        """Store and consume ``data``, see ``TcpLines.store``; pause if there is no room for all of it."""
        stored = self._lines.store(data, self._offset, line_ends)
        if stored:
            self._mark.set(PartialLine.NONE)
        self._consume(stored)
        if stored < len(data):
            self._wakeups.pause()

    def _collect(self, size: int) -> None:
        """Take the start of a long line out of the kernel's buffer; pause if that is not possible now."""
        self._recognition.resolve(Sender.LINES)  # what follows is not the start of a record
        self._mark.delimiter, before = self._recognition.framing.delimiter, self._mark.state
        if before is PartialLine.NONE:
            self._mark.set(PartialLine.REJECTING if self._lines.exceeds(size) else PartialLine.COLLECTED)
        if self._lines.collect(memoryview(self._peeked.data)[:size], self._offset):
            self._mark.set(PartialLine.REJECTED if self._lines.rejected else PartialLine.COLLECTED)
            self._consume(size)
            self._wakeups.wake_at(1)
        else:
            self._mark.set(before)
            self._wakeups.pause()

    def _drop_rest_of_line(self, size: int, *, last: bool) -> None:
        """Consume what waits of a line that is a dead letter, or make one of it if its start was lost.

        The mark goes between the line and its delimiter: whatever is killed when, the next reader drops no other line,
        and finds at most an empty one.
        """
        end = self._peeked.data.find(self._mark.delimiter, 0, size)
        torn = self._torn(size, last=last) if end < 0 else 0
        rest = size - torn if end < 0 else end
        if torn and not rest:
            self._wakeups.wake_at(torn + 1)
            return
        if self._lines.start_lost and not self._lines.reject_rest(self._peeked.first(rest), self._offset):
            self._wakeups.pause()
            return
        self._mark.set(PartialLine.REJECTED)
        self._consume(rest)
        if end >= 0:
            self._mark.set(PartialLine.NONE)
            self._consume(len(self._mark.delimiter))
            self._lines.end_rejected()
        self._wakeups.wake_at(torn + 1)

    def _consume(self, size: int) -> None:
        """Read bytes that were peeked at; they are there, so this does not wait."""
        self._offset += size
        self._peeked.drop(size)

    def close(self, reason: str) -> None:
        """Stop reading and close the connection."""
        if self._sock.fileno() < 0:
            return
        self._wakeups.stop()
        if self._flush is not None:
            self._flush.cancel()
        self._sock.close()
        self._lines.end(self._offset)
        self._owner.closed(self, reason)
