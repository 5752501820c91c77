"""The senders of the benchmark, each in a process of its own."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import random
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

Call = tuple[Callable[..., None], tuple[Any, ...]]
"""A client: what it does, and the arguments."""

FULL_CHUNK = 500
"""Lines of one write of a sender that has much to send."""

_TICK_S = 0.002
_GARBAGE_BYTES = 64 << 10


def shares(count: int, connections: int) -> list[int]:
    """Return how many of ``count`` events each connection sends."""
    return [count // connections + (number < count % connections) for number in range(connections)]


def sent_lines(lines: list[bytes], count: int, connections: int) -> Counter[bytes]:
    """Return how often each line is sent by `send`."""
    sent: Counter[bytes] = Counter()
    for share in shares(count, connections):
        sent.update(itertools.islice(itertools.cycle(lines), share))
    return sent


def send(lines: list[bytes], count: int, port: int, connections: int) -> None:
    """Send ``count`` events as fast as they are taken."""
    start = Start()
    calls = [(full_speed, (lines, share, port, FULL_CHUNK, start)) for share in shares(count, connections)]
    with Clients(*calls) as senders:
        start.await_clients(len(calls))
        start.give()
        senders.join()


def full_speed(lines: list[bytes], count: int, port: int, lines_per_write: int, start: Start) -> None:
    """Send ``count`` events on one connection, as fast as they are taken."""
    writes = [b"".join(lines[at : at + lines_per_write]) for at in range(0, min(count, len(lines)), lines_per_write)]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        start.wait()
        while count >= len(lines):
            for write in writes:
                connection.sendall(write)
            count -= len(lines)
        for at in range(0, count, lines_per_write):
            connection.sendall(b"".join(lines[at : min(at + lines_per_write, count)]))


@dataclass(frozen=True)
class Pace:
    """Events at a rate.

    Attributes:
        connections: They take turns.
        rate: Events a second, of all connections together.
        stamp: Whether each event has the time when it was due, in ``sent_ns``. Not when it was sent: a server that
            makes clients wait would else hide its delay.
    """

    connections: int
    count: int
    rate: float
    stamp: bool = False


def paced(lines: list[bytes], port: int, pace: Pace, start: Start) -> None:
    """Send events at a rate."""
    with _connected(port, pace.connections) as sockets:
        start.wait()
        begun_ns = time.monotonic_ns()
        for number in range(pace.count):
            due_ns = begun_ns + int(number / pace.rate * 1e9)
            if due_ns > time.monotonic_ns():
                time.sleep(max(_TICK_S, (due_ns - time.monotonic_ns()) / 1e9))
            line = lines[number % len(lines)]
            sockets[number % pace.connections].sendall(_stamped(line, due_ns) if pace.stamp else line)


def _stamped(line: bytes, sent_ns: int) -> bytes:
    return b'%b, "sent_ns": %d}\n' % (line[:-2], sent_ns)


def drip(lines: list[bytes], port: int, connections: int, start: Start) -> None:
    """Send a byte a second on each connection, until the process is ended."""
    with _connected(port, connections) as sockets:
        start.wait()
        for at in itertools.count():
            for connection in sockets:
                connection.sendall(lines[0][at : at + 1])
                time.sleep(1 / connections)


def garbage(port: int, connections: int, start: Start) -> None:
    """Send random bytes as fast as they are taken, until the process is ended."""
    content = b"{" + random.Random(1).randbytes(_GARBAGE_BYTES)
    with _connected(port, connections) as sockets:
        start.wait()
        for connection in itertools.cycle(sockets):
            connection.sendall(content)


@contextlib.contextmanager
def _connected(port: int, connections: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(connections)]


class Start:
    """Lets clients start together, once all have opened their connections."""

    def __init__(self) -> None:
        self._connected, self._started = multiprocessing.Semaphore(0), multiprocessing.Event()

    def wait(self) -> None:
        """Report that this client is connected, and wait until it may start."""
        self._connected.release()
        self._started.wait()

    def await_clients(self, count: int) -> None:
        """Return once so many are connected."""
        for _ in range(count):
            self._connected.acquire()

    def give(self) -> None:
        """Let them start."""
        self._started.set()


class Clients:
    """Runs each function with its arguments in a process of its own; none outlives the ``with`` block."""

    def __init__(self, *calls: Call) -> None:
        self._processes = [multiprocessing.Process(target=function, args=arguments) for function, arguments in calls]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        return self

    def join(self) -> None:
        """Wait for all."""
        for process in self._processes:
            process.join()
            if process.exitcode:
                sys.exit(f"a client failed: exit code {process.exitcode}")

    def check_alive(self) -> None:
        """Exit if a client that goes on until the end of the block has ended."""
        if not all(process.is_alive() for process in self._processes):
            sys.exit("a client has ended too early")

    def __exit__(self, *raised: object) -> None:
        for process in self._processes:
            process.terminate()
            process.join()
