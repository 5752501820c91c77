"""Delivers events from a thread of its own, and keeps them until the daemon has acknowledged them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

from ingestd_django.connection import Address, Connection
from ingestd_django.spool import Spool, abandoned

WINDOW_RECORDS, WINDOW_BYTES = 1000, 1 << 20
LINGER_SECONDS = 0.1
"""How long an event waits for others to be sent with it."""

ADOPT_SECONDS = 60.0
"""How often files of processes that have ended are looked for."""

REPORT_SECONDS = 600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_JOIN_SECONDS = 1.0
_AFTER_OTHERS = -100
"""Priority of what the end of a process of ``multiprocessing`` does."""


@dataclass(frozen=True)
class Limits:
    """How much is kept.

    Attributes:
        memory_bytes: In memory, of events that wait; more go to the file.
        spool_bytes: In the file of a process; events that do not fit are dropped and counted.
        spool_dir: The folder of the files.
        exit_seconds: How long the end of the process waits for acknowledgements.
    """

    memory_bytes: int
    spool_bytes: int
    spool_dir: Path
    exit_seconds: float


class Sender:
    """Takes events and never waits for the network.

    Events wait in memory. When the daemon cannot be reached, more than ``memory_bytes`` wait, or the process may end
    without notice, they are written to a file, which outlives the process. The thread starts with the first event of a
    process, so a fork is harmless.
    """

    def __init__(self, address: Address, limits: Limits, report: Callable[[str], None]) -> None:
        self._address, self._limits, self._report = address, limits, report
        self._reset()
        _all.add(self)
        _watch_termination()

    def _reset(self) -> None:
        """Start with nothing, as also a forked process does: what waits is its parent's."""
        self._pid = os.getpid()
        self._changed = threading.Condition()  # reentrant: a signal or the garbage collector may log in ``put``
        self._hurry = threading.Event()  # no lingering
        self._memory: deque[bytes] = deque()
        self._memory_bytes = 0
        self._moved: deque[bytes] | None = None  # to the start of the file, and perhaps sent from memory
        self._spool: Spool | None = None
        self._adopted: Spool | None = None
        self._adopt_at = 0.0
        self._thread: threading.Thread | None = None
        self._connection: Connection | None = None
        self._closed = self._away = self._ended = self._ending = False
        self._ends_unnoticed = _ends_unnoticed()
        self._failures = 0  # in a row
        self._pause, self._reported_at = _FIRST_PAUSE, -REPORT_SECONDS
        self._reports: deque[str] = deque()
        self.dropped, self.error = 0, ""

    def put(self, document: bytes) -> None:
        """Take an event."""
        self._notice_fork()
        size = len(document)
        with self._changed:
            waited = self._waits()
            to_file = self._closed or self._away or self._ending or self._spooled or self._ends_unnoticed
            if to_file or self._memory_bytes + size > self._limits.memory_bytes:
                self._write([document])
            else:
                self._memory.append(document)
                self._memory_bytes += size
            if not waited:  # else the thread has been woken already, or pauses
                self._changed.notify_all()
            if self._thread is None and not self._closed:
                self._start()
        self._send_reports()

    def flush(self, seconds: float) -> bool:
        """Wait until everything is acknowledged, or the daemon cannot be reached; returns whether it is."""
        self._notice_fork()
        deadline = time.monotonic() + seconds
        self._hurry.set()
        with self._changed:
            while self._waits() and not self._away and not self._closed and self._thread is not None:
                if not self._changed.wait(max(deadline - time.monotonic(), 0)):
                    break
            return not self._waits()

    def close(self) -> None:
        """Wait as ``flush``, then write what is left to the file, for the next process."""
        deadline = time.monotonic() + self._limits.exit_seconds
        self.flush(self._limits.exit_seconds)
        with self._changed:
            self._closed = True
            self._leave()
            self._changed.notify_all()
            thread, connection, away = self._thread, self._connection, self._away
        self._send_reports()
        if thread is not None and thread is not threading.current_thread():
            if not away:  # it may send what another process has left
                thread.join(max(deadline - time.monotonic(), 0))
            self._ended = True
            if connection is not None:
                connection.interrupt()
            thread.join(_JOIN_SECONDS)

    def terminating(self) -> None:
        """Keep everything in the file from now on: the process may end at any moment, without a last word."""
        self._notice_fork()
        with self._changed:
            self._ending = True
            moved, was_first = self._memory, not self._spooled
            self._write_memory()
            if was_first and not self._memory:
                self._moved = moved
            self._changed.notify_all()

    def _notice_fork(self) -> None:
        """Be the sender of this process, if it was forked without Python's hooks, as uWSGI does."""
        if self._pid != os.getpid():
            with _forking:
                if self._pid != os.getpid():
                    self.forked()

    def forked(self) -> None:
        """Be the sender of a new process."""
        for spool in (self._spool, self._adopted):
            if spool is not None:
                spool.forget()
        if self._connection is not None:
            self._connection.close()
        self._reset()

    def _waits(self) -> bool:
        return bool(self._memory) or self._spooled

    @property
    def _spooled(self) -> bool:
        return self._spool is not None and self._spool.remaining > 0

    def _start(self) -> None:
        if _is_master_of_uwsgi():
            self._leave()
            return
        self._thread = threading.Thread(target=self._run, name="ingestd_django", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter is ending
            self._thread = None
            self._write_memory()
        _close_at_end_of_child(self)

    def _leave(self) -> None:
        """Leave what waits to another process."""
        self._write_memory()
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def _write_memory(self) -> None:
        documents, self._memory, self._memory_bytes = list(self._memory), deque(), 0
        if documents:
            self._write(documents)

    def _write(self, documents: Sequence[bytes]) -> None:
        """Write events to the file; if that is impossible, they wait in memory as far as they may."""
        data = b"".join([document + b"\n" for document in documents])
        try:
            if self._spool is None:
                self._spool = Spool.create(self._limits.spool_dir)
            if self._spool.size + len(data) <= self._limits.spool_bytes:
                self._spool.append(data)
                return
            reason = f"{self._limits.spool_bytes} bytes are kept already"
        except (OSError, AttributeError) as error:  # AttributeError: Windows has no os.pread
            reason = str(error)
        kept = 0
        for document in documents:
            if self._closed or self._memory_bytes + len(document) > self._limits.memory_bytes:
                break
            self._memory.append(document)
            self._memory_bytes += len(document)
            kept += 1
        if kept < len(documents):
            self.dropped += len(documents) - kept
            self._queue_report(f"{self.dropped} records are lost: {reason}")

    def _queue_report(self, text: str) -> None:
        now = time.monotonic()
        if now - self._reported_at >= REPORT_SECONDS:
            self._reported_at = now
            self._reports.append(text)

    def _send_reports(self) -> None:
        """Report without the lock: stderr may be a logger, as Celery's is, and its records come here."""
        with contextlib.suppress(IndexError):  # another thread was faster
            while self._reports:
                self._report(self._reports.popleft())

    def _run(self) -> None:
        """Be the thread."""
        while (source := self._next()) is not None:
            try:
                documents = self._first(source)
                if documents:
                    self._deliver(documents)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the next attempt may succeed
                self._failed(error)
            else:
                self._done(source, documents)
        self._disconnect()
        with self._changed:
            if self._adopted is not None:  # for another process, or another handler of this one
                self._adopted.close()
                self._adopted = None

    def _next(self) -> Spool | deque[bytes] | None:
        """Wait for events; returns where they are, None at the end."""
        with self._changed:
            while not self._waits():
                if (spool := self._next_abandoned()) is not None:
                    return spool
                if self._closed:
                    return None
                self._hurry.clear()
                self._changed.wait(ADOPT_SECONDS)
        self._hurry.wait(LINGER_SECONDS)
        with self._changed:
            return self._memory or self._spool or self._next_abandoned()

    def _next_abandoned(self) -> Spool | None:
        """Return a file that a process has left, now and then: also a process that has logged a single record."""
        if self._ended:
            return None
        if self._adopted is not None and self._adopted.remaining:
            return self._adopted
        if self._adopted is not None:
            self._adopted.close()
            self._adopted = None
        elif time.monotonic() < self._adopt_at:
            return None
        self._adopted = next(abandoned(self._limits.spool_dir), None)
        if self._adopted is None:
            self._adopt_at = time.monotonic() + ADOPT_SECONDS
        return self._adopted

    def _first(self, source: Spool | deque[bytes]) -> list[bytes]:
        with self._changed:
            if isinstance(source, Spool):
                return [] if self._closed and source is not self._adopted else source.read(WINDOW_RECORDS, WINDOW_BYTES)
            documents, size = list[bytes](), 0
            for document in islice(source, WINDOW_RECORDS):
                size += len(document)
                if documents and size > WINDOW_BYTES:
                    break
                documents.append(document)
            return documents

    def _deliver(self, documents: Sequence[bytes]) -> None:
        """Send events and wait for the acknowledgement, without the lock."""
        if self._connection is not None and self._connection.is_stale():
            self._disconnect()
        if self._connection is None:
            self._connection = Connection(self._address)
        self._connection.send(documents)

    def _done(self, source: Spool | deque[bytes], documents: list[bytes]) -> None:
        """Forget events that were acknowledged."""
        with self._changed:
            if self._closed and source is not self._adopted:
                return
            if source is self._moved and self._spool is not None:
                source = self._spool
            self._moved = None
            if isinstance(source, Spool):
                with contextlib.suppress(OSError):  # on a full disk they may be sent again by a later process
                    source.acknowledge(documents)
                    if source is self._spool and source.is_mostly_sent(self._limits.spool_bytes):
                        self._spool = source.moved()
            elif source is self._memory:
                for document in documents:
                    self._memory.popleft()
                    self._memory_bytes -= len(document)
            if self._away:
                self._reports.append(f"{self._address} is there again")
            self._away, self._failures = False, 0
            self._pause, self._reported_at = _FIRST_PAUSE, -REPORT_SECONDS
            self._changed.notify_all()
        self._send_reports()

    def _failed(self, error: Exception) -> None:
        """Keep what waits in the file, and wait a while."""
        self._failures += 1
        self.error = str(error)
        away = self._connection is None or self._failures > 1  # else a cut, and the next attempt shows more
        self._disconnect()
        with self._changed:
            self._ended = self._closed
            if away and not self._closed:
                self._queue_report(
                    f"{self._address} cannot be reached, records are kept in {self._limits.spool_dir}: {error}"
                )
                self._away = True
                self._write_memory()
                self._changed.notify_all()
        self._send_reports()
        self._hurry.clear()
        deadline = time.monotonic() + self._pause
        with self._changed:
            while not self._closed and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _ends_unnoticed() -> bool:
    """Return whether the server ends its processes in C: uWSGI leaves out ``atexit`` if a worker is still busy."""
    return bool({"uwsgi", "mod_wsgi"} & sys.modules.keys())


def _is_master_of_uwsgi() -> bool:
    """Return whether uWSGI will fork its workers from this process.

    It does so without Python's hooks: if a thread had the interpreter's lock then, no worker would ever get it.
    """
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi is not None and not uwsgi.worker_id()


def _close_at_end_of_child(sender: Sender) -> None:
    """Let a process of ``multiprocessing`` close the sender: if it was forked, it ends without ``atexit``."""
    process, util = (sys.modules.get(f"multiprocessing.{name}") for name in ("process", "util"))
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, sender.close, exitpriority=_AFTER_OTHERS)


def report_to_stderr(text: str) -> None:
    """Write a sentence where a log handler may: to stderr."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(f"ingestd_django[{os.getpid()}]: {text}", file=sys.stderr, flush=True)  # noqa: T201


_forking = threading.Lock()
_all: weakref.WeakSet[Sender] = weakref.WeakSet()


def _after_fork() -> None:
    for sender in list(_all):
        sender.forked()


def _watch_termination() -> None:
    """Write what waits to the files when SIGTERM comes: uvicorn ends by the signal, and not through ``atexit``.

    The handler before is called as well. Servers that handle signals in C are left alone.
    """
    if threading.current_thread() is not threading.main_thread() or _ends_unnoticed():
        return
    before = signal.getsignal(signal.SIGTERM)
    if before is _terminate or before is signal.SIG_IGN or before is None:
        return
    global _handler_before  # noqa: PLW0603 -- a process has one handler of a signal
    with contextlib.suppress(ValueError):  # not in the main interpreter
        signal.signal(signal.SIGTERM, _terminate)
        _handler_before = before


_handler_before: Any = signal.SIG_DFL


def _terminate(number: int, frame: FrameType | None) -> None:
    for sender in list(_all):
        sender.terminating()
    if callable(_handler_before):
        _handler_before(number, frame)
    else:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
