"""Which connections of the input ``tcp`` are read when: in rounds, whose reads are stored together.

A read costs as much as processing an event, and a batch costs as much as many events before its first one. So all
connections with something to read are read in one round, and after a round that found little, the kernel collects what
clients send for a while. How long depends on the time that the round took: a quiet daemon stores an event at once, and
the batches grow with the load.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from ingestd.event.chunk import Stream
from ingestd.plugins.interfaces import Piece, Sink
from ingestd.protocols.framing.lines import LINE_FEED
from ingestd.tasks import BackgroundTasks

_ROUND_SECONDS = 0.01
"""After this long, a round is interrupted until other work of the process has had its turn."""

_EXTRA_SECONDS = 0.005
"""How much later than that if a batch is being gathered: a small one would cost more."""

_REST_FACTOR = 9
"""How many times as long as a round the rest after it is: rounds that find little take a tenth of the time."""

_MAX_PERIOD_SECONDS = 0.14
"""Maximum duration of a round and its rest: a process that is busy all the time does not rest. Only rounds of more than
14 ms, in which a thousand connections are read, are followed by the longest rest."""

_SHORTEST_REST_SECONDS = 0.0005
"""Timers of the event loop have a resolution of a millisecond."""

_REST_BYTES = 128 << 10
"""How much one connection may send during a rest, so that no client waits because the kernel's buffer is full: it has
room for more, see ``ingestd.supervisor.connections.sockets.widen``."""

_MAX_LINES = 512
"""Maximum number of lines that are stored together: about as many as a chunk has."""


class Reader(Protocol):
    """A connection whose lines were added to a ``Gathering``."""

    def stored(self, size: int, *, done: bool) -> None:
        """Go on after what was added, of ``size`` bytes; ``done``: whether it was stored."""


class Gathering:
    """Few lines of many connections, on their way into the sink.

    Args:
        sink: Where they go.
        max_bytes: Maximum bytes that are stored together.

    Attributes:
        paused: Whether the sink is, as of the start of this round or the last ``flush``.
        largest: The most bytes that were added at once and stored since it was reset.
    """

    def __init__(self, sink: Sink, max_bytes: int) -> None:
        self._sink, self._max_bytes, self._joins = sink, max_bytes, sink.joins_streams
        self._pieces: list[Piece] = []
        self._readers: list[Reader] = []
        self._bytes = self._lines = 0
        self.paused, self.largest = sink.paused, 0

    def __len__(self) -> int:
        """Return how many lines wait for ``flush``."""
        return self._lines

    def takes(self, size: int) -> bool:
        """Return whether that many bytes of a connection go with those of others; more are a batch of their own."""
        return 2 * size <= self._max_bytes and self._joins

    def add(self, data: bytes, stream: Stream, offset: int, reader: Reader) -> bool:
        """Add whole lines, of which ``takes`` is true; calls ``reader.stored`` now or in the next ``flush``.

        Returns False if they are better stored alone: they are many, or no JSON objects, which costs all lines of a
        batch more time.
        """
        size, lines = len(data), data.count(LINE_FEED)
        if 2 * lines > _MAX_LINES or data[:1] != b"{" or data[-2:] != b"}\n":
            return False
        if self._bytes + size > self._max_bytes or self._lines + lines > _MAX_LINES:
            self.flush()
        self._pieces.append((data, stream, offset, lines))
        self._readers.append(reader)
        self._bytes += size
        self._lines += lines
        if self._bytes + size > self._max_bytes or self._lines + lines > _MAX_LINES:
            self.flush()  # what comes next is probably as large
        return True

    def start(self) -> None:
        """Note whether the sink is paused now."""
        self.paused = self._sink.paused

    def goes_on(self, seconds: float) -> None:
        """Let the sink know when more comes."""
        self._sink.goes_on(seconds)

    def flush(self) -> None:
        """Store what was added."""
        if not self._pieces:
            return
        pieces, readers = self._pieces, self._readers
        self._pieces, self._readers, self._bytes, self._lines = [], [], 0, 0
        done = self._sink.put_all(pieces)
        self.paused = not done
        sizes = [len(piece[0]) for piece in pieces]
        self.largest = max(self.largest, *sizes)
        for reader, size in zip(readers, sizes, strict=True):
            reader.stored(size, done=done)


_Watched = tuple[int, Callable[[], None]]
"""A descriptor, and what to call when there is something to read; watched again, it is another object."""


class OtherPoll:
    """What ``select.epoll`` does, on systems without it."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.unregister, self.close = self._selector.unregister, self._selector.close

    def fileno(self) -> int:
        """Return the descriptor that is readable if one of those that are watched is."""
        return self._selector.fileno()  # type: ignore[attr-defined, no-any-return, unused-ignore] # epoll, kqueue

    def register(self, fd: int, events: int) -> None:
        """Watch a descriptor."""
        self._selector.register(fd, events)

    def poll(self, timeout: float, _max: int) -> list[tuple[int, int]]:
        """Return the descriptors that are ready, with their events."""
        return [(key.fd, events) for key, events in self._selector.select(timeout)]


_Poll = select.epoll if sys.platform == "linux" else OtherPoll


class Poller:
    """Calls back when connections have something to read.

    Args:
        gathering: Flushed at the end of a round.
        tasks: Of the input, for work in the background; an error that a callback raises ends it.

    Attributes:
        now: When connections were last read, on the loop's clock.
    """

    def __init__(self, gathering: Gathering, tasks: BackgroundTasks) -> None:
        self.gathering, self.tasks = gathering, tasks
        self._loop = asyncio.get_running_loop()
        self._epoll = _Poll()
        self._watched: dict[int, _Watched] = {}
        self._ready: deque[_Watched] = deque()  # not yet called in this round
        self.now = self._loop.time()
        self._next: asyncio.Handle | None = None
        self._began_at = time.perf_counter()  # the round
        self._period = self._took = 0.0  # from the start of the round before to that of this one; its own time so far
        self._most = 0.0  # bytes that one connection had, see ``found``
        self._watch()

    def add(self, fd: int, readable: Callable[[], None]) -> None:
        """Call ``readable`` whenever there is something to read."""
        self.remove(fd)
        self._epoll.register(fd, selectors.EVENT_READ)
        self._watched[fd] = (fd, readable)

    def remove(self, fd: int) -> None:
        """Stop watching a descriptor; to be called before it is closed."""
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def found(self, size: float) -> None:
        """Note how many bytes of lines waited in a connection; ``math.inf``: more than it takes in a turn."""
        self._most = max(self._most, size)

    def close(self) -> None:
        """Stop watching all of them."""
        if self._next is not None:
            self._next.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        self._watched.clear()
        self._epoll.close()

    def _watch(self) -> None:
        """Start a round as soon as there is something to read."""
        self._loop.add_reader(self._epoll.fileno(), self._start)

    def _start(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._round()

    def _round(self) -> None:
        """Read what is ready, then rest; if nothing is, wait until something is."""
        self._next, start = None, time.perf_counter()
        try:
            if not self._ready:
                self._ready.extend([self._watched[fd] for fd, _ in self._epoll.poll(0, len(self._watched) or 1)])
                self._began_at, self._period = start, start - self._began_at
                if not self._ready:
                    self._watch()
                    return
            self._read_ready(start + _ROUND_SECONDS)
            self._took += time.perf_counter() - start
            rest = 0.0 if self._ready else self._rest()
            self.gathering.goes_on(rest)
        except Exception as error:  # noqa: BLE001 -- it ends the input
            self.tasks.fail("reading", error)
            return
        if rest < _SHORTEST_REST_SECONDS:
            self._next = self._loop.call_soon(self._round)
        else:
            self._next = self._loop.call_later(rest, self._round)

    def _read_ready(self, until: float) -> None:
        """Read the connections that are ready, one after the other; those that are left come first in the next call."""
        ready, watched, gathering = self._ready, self._watched, self.gathering
        self.now = self._loop.time()
        gathering.start()
        while ready:
            entry = ready.popleft()
            if watched.get(entry[0]) is entry:  # else it was closed meanwhile, or has to wait
                entry[1]()
                if (now := time.perf_counter()) > until and (not gathering or now > until + _EXTRA_SECONDS):
                    break
        gathering.flush()

    def _rest(self) -> float:
        """Return how long to rest after a round, in seconds; not at all if a connection has more than was read."""
        took, self._took = self._took, 0.0
        most, self._most, self.gathering.largest = max(self._most, self.gathering.largest), 0.0, 0
        rest = min(_REST_FACTOR * took, _MAX_PERIOD_SECONDS - took)
        return min(rest, self._period * _REST_BYTES / most) if most else rest
