"""The process that runs queries: one at a time, at low priority, with bounded memory.

It reads requests from stdin and writes answers to stdout. A message is a length (4 bytes, big-endian) and JSON; an
answer has its HTTP status (2 bytes) between the two. The first message is the ``Setup``. The call ``interrupt`` ends
the query that runs, if its store can do that, and has no answer of its own. When stdin ends, so does the process, at
once: whoever asked has gone.
"""

from __future__ import annotations

import contextlib
import os
import queue
import resource
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ingestd.lifecycle.retention import Rules
from ingestd.stores.base import LogStore
from ingestd.stores.elastic.options import ElasticOptions
from ingestd.web.processes.answers import Answer, Answers, refusal

LENGTH = struct.Struct("!I")
HEAD = struct.Struct("!IH")

INTERRUPT = "interrupt"

TOO_MUCH_MEMORY = "the query needs too much memory; choose a shorter time range, or raise query_memory"

_NICE = 10
_SPARE_BYTES = 384 << 20
"""What Python, DuckDB's threads and the answer take beside the memory that DuckDB counts."""


class Setup(msgspec.Struct):
    """What the process is told first: over a pipe, for it may hold passwords.

    ``server`` and ``indices`` say what to ask, without a server it is the built-in store in ``data_dir``. A query
    may take ``memory`` bytes and ``timeout_s`` seconds. ``rules`` are those of the daemon's retention in this store,
    ``orders`` the settings of its backups, as texts by name; None: they are of another store.
    """

    data_dir: str
    memory: int
    timeout_s: float
    server: ElasticOptions | None = None
    indices: str = ""
    rules: Rules | None = None
    orders: dict[str, str] | None = None


def main() -> None:
    """Answer requests until stdin ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no answer
    setup = msgspec.json.decode(_message(requests), type=Setup)
    _restrict(setup.memory)
    asked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    answering = Answers(_opener(setup), Path(setup.data_dir), setup.rules, setup.orders)
    threading.Thread(target=_read, args=(requests, asked.put, answering.interrupt), daemon=True).start()
    while True:
        _write(answers, _answered(answering, asked.get()))


def _answered(answering: Answers, request: dict[str, Any]) -> Answer:
    try:
        return answering.answer(request["call"], request["arguments"])
    except MemoryError:
        return refusal(503, TOO_MUCH_MEMORY)
    except Exception as error:  # noqa: BLE001 -- told to whoever asked; the next query may go well
        return refusal(500, f"the query failed: {type(error).__name__}: {error}")


def _opener(setup: Setup) -> Callable[[], LogStore]:
    """Return what opens the store, and import now what it takes."""
    if setup.server is None:
        import duckdb  # noqa: F401, PLC0415 -- in the query process only, and before the first query

        from ingestd.stores.local import LocalStore, store_root  # noqa: PLC0415

        root = store_root(Path(setup.data_dir))
        return lambda: LocalStore(root, memory_bytes=setup.memory, timeout_s=setup.timeout_s)
    from ingestd.stores.elastic.store import ElasticStore  # noqa: PLC0415

    options = replace(setup.server, timeout=setup.timeout_s)
    return lambda: ElasticStore(options, setup.indices)


def _restrict(memory: int) -> None:
    """Leave the processor to those who deliver events; end, rather than take the machine's memory."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    most = memory + _SPARE_BYTES
    with contextlib.suppress(OSError, ValueError):  # a lower limit is in force
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _read(requests: BinaryIO, put: Callable[[dict[str, Any]], None], interrupt: Callable[[], None]) -> None:
    """Hand on requests; runs beside the query, so that an interrupt and the end of stdin end that as well."""
    try:
        while True:
            request = msgspec.json.decode(_message(requests))
            if request["call"] == INTERRUPT:
                interrupt()
            else:
                put(request)
    except EOFError:
        os._exit(0)


def _message(stream: BinaryIO) -> bytes:
    (size,) = LENGTH.unpack(_exactly(stream, LENGTH.size))
    return _exactly(stream, size)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _write(stream: BinaryIO, answer: Answer) -> None:
    stream.write(HEAD.pack(len(answer.body), answer.status))
    stream.write(answer.body)
    stream.flush()
