"""Which connections of the input ``tcp`` are read when: in rounds, whose reads are stored together.

A read costs as much as processing an event, and a batch costs as much as many events before its first one. So all
connections with something to read are read in one round, and after a round that found little, the kernel collects what
clients send for a while. How long depends on the time that the round took: a quiet daemon stores an event at once, and
the batches grow with the load.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections import deque
from collections.abc import Callable

from ingestd.event.chunk import Stream
from ingestd.plugins.interfaces import Sink
from ingestd.protocols.lines import count_line_ends
from ingestd.tasks import BackgroundTasks

_ROUND_SECONDS = 0.01
"""After this long, a round is interrupted until other work of the process has had its turn."""

_REST_FACTOR = 9
"""How many times as long as a round the rest after it is: rounds that find little take a tenth of the time."""

_MAX_PERIOD_SECONDS = 0.05
"""Maximum duration of a round and its rest: a process that is busy all the time does not rest."""

_SHORTEST_REST_SECONDS = 0.0005
"""Timers of the event loop have a resolution of a millisecond."""

_REST_BYTES = 32 << 10
"""How much one connection may send during a rest, so that no client waits because the kernel's buffer is full."""

_MAX_LINES = 256
"""Most lines that are stored together: about as many as a connection takes in a turn, see ``_tcp_peek.Turns``."""

Stored = Callable[[bool], None]
"""Called with whether the bytes were stored."""


class Gathering:
    """Few lines of many connections, on their way into the sink.

    Args:
        sink: Where they go.
        max_bytes: Most bytes that are stored together.
    """

    def __init__(self, sink: Sink, max_bytes: int) -> None:
        self._sink, self._max_bytes = sink, max_bytes
        self._pieces: list[tuple[bytes, Stream, int]] = []
        self._stored: list[Stored] = []
        self._bytes = self._lines = 0

    def takes(self, size: int) -> bool:
        """Return whether that many bytes of a connection go with those of others; more are a batch of their own."""
        return 2 * size <= self._max_bytes and self._sink.joins_streams

    def add(self, data: bytes, stream: Stream, offset: int, stored: Stored) -> bool:
        """Add whole lines, of which ``takes`` is true; calls ``stored`` before or in the next ``flush``.

        Returns False if they are better stored alone: they are many, or no JSON objects, which costs all lines of a
        batch more time.
        """
        lines = count_line_ends(data)
        if 2 * lines > _MAX_LINES or not (data.startswith(b"{") and data.endswith(b"}\n")):
            return False
        if self._bytes + len(data) > self._max_bytes or self._lines + lines > _MAX_LINES:
            self.flush()
        self._pieces.append((data, stream, offset))
        self._stored.append(stored)
        self._bytes += len(data)
        self._lines += lines
        return True

    def flush(self) -> None:
        """Store what was added."""
        if not self._pieces:
            return
        pieces, callbacks = self._pieces, self._stored
        self._pieces, self._stored, self._bytes, self._lines = [], [], 0, 0
        done = self._sink.put_all(pieces)
        for stored in callbacks:
            stored(done)


class Poller:
    """Calls back when connections have something to read.

    Args:
        gathering: Flushed at the end of a round.
        tasks: Of the input, for work in the background; an error that a callback raises ends it.
    """

    def __init__(self, gathering: Gathering, tasks: BackgroundTasks) -> None:
        self.gathering, self.tasks = gathering, tasks
        self._loop = asyncio.get_running_loop()
        self._selector = selectors.DefaultSelector()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._ready: deque[selectors.SelectorKey] = deque()
        self._next: asyncio.Handle | None = None
        self._began_at = time.perf_counter()  # the round
        self._period = self._took = 0.0  # from the start of the round before to that of this one; its own time so far
        self._most = 0.0  # bytes that one connection had, see ``found``
        self._watch()

    def add(self, fd: int, readable: Callable[[], None]) -> None:
        """Call ``readable`` whenever there is something to read."""
        self.remove(fd)
        self._selector.register(fd, selectors.EVENT_READ, readable)
        self._callbacks[fd] = readable

    def remove(self, fd: int) -> None:
        """Stop watching a descriptor; to be called before it is closed."""
        if self._callbacks.pop(fd, None) is not None:
            self._selector.unregister(fd)

    def found(self, size: float) -> None:
        """Note how many bytes of lines waited in a connection; ``math.inf``: more than it takes in a turn."""
        self._most = max(self._most, size)

    def close(self) -> None:
        """Stop watching all of them."""
        if self._next is not None:
            self._next.cancel()
        self._loop.remove_reader(self._fileno())
        self._callbacks.clear()
        self._selector.close()

    def _fileno(self) -> int:
        return self._selector.fileno()

    def _watch(self) -> None:
        """Start a round as soon as there is something to read."""
        self._loop.add_reader(self._fileno(), self._start)

    def _start(self) -> None:
        self._loop.remove_reader(self._fileno())
        self._round()

    def _round(self) -> None:
        """Read what is ready, then rest; if nothing is, wait until something is."""
        self._next, start = None, time.perf_counter()
        if not self._ready:
            self._ready.extend([key for key, _ in self._selector.select(0)])
            self._began_at, self._period = start, start - self._began_at
            if not self._ready:
                self._watch()
                return
        try:
            self._read_ready(start + _ROUND_SECONDS)
        except Exception as error:  # noqa: BLE001 -- it ends the input
            self.tasks.fail("reading", error)
            return
        self._took += time.perf_counter() - start
        rest = 0.0 if self._ready else self._rest()
        if rest < _SHORTEST_REST_SECONDS:
            self._next = self._loop.call_soon(self._round)
        else:
            self._next = self._loop.call_later(rest, self._round)

    def _read_ready(self, until: float) -> None:
        """Read the connections that are ready, one after the other; those that are left come first in the next call."""
        while self._ready:
            key = self._ready.popleft()
            readable = self._callbacks.get(key.fd)
            if readable is not None and readable is key.data:  # else it was closed meanwhile
                readable()
                if time.perf_counter() > until:
                    break
        self.gathering.flush()

    def _rest(self) -> float:
        """Return how long to rest after a round, in seconds; not at all if a connection has more than was read."""
        took, self._took = self._took, 0.0
        most, self._most = self._most, 0.0
        rest = min(_REST_FACTOR * took, _MAX_PERIOD_SECONDS - took)
        return min(rest, self._period * _REST_BYTES / most) if most else rest
