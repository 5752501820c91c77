"""The process that runs queries: one at a time, at low priority, with bounded memory.

See ``protocol`` for its messages. It exits as soon as stdin ends: then its parent has gone. If it fails, the reason is
its last response.
"""

from __future__ import annotations

import contextlib
import os
import queue
import resource
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import msgspec

from ingestd.decoders import decoder
from ingestd.stores.base import LogStore
from ingestd.web.processes.query_calls import QueryCalls, is_out_of_memory
from ingestd.web.protocol import (
    INTERRUPT,
    QueryProcessConfig,
    QueryResponse,
    error_response,
    read_message,
    take_stdout,
    write_response,
)

TOO_MUCH_MEMORY = "the query needs too much memory; shorten it, choose a shorter time range, or raise query_memory"

FAILED_EXIT_CODE = os.EX_SOFTWARE

OUT_OF_MEMORY = error_response(503, TOO_MUCH_MEMORY)
"""The response to a query for which the memory of the process does not suffice."""

_NICE = 5
"""A third of a worker's share of a processor that both want: a user waits for the answer. Backups have 10."""

_OVERHEAD_BYTES = 384 << 20
"""Memory of Python, DuckDB's threads and the response, on top of what DuckDB counts."""


def main() -> None:
    """Run queries until stdin ends."""
    requests, responses = sys.stdin.buffer, take_stdout()
    writing = threading.Lock()

    def respond(response: QueryResponse) -> None:
        with writing:
            write_response(responses, response)

    def fail(error: BaseException) -> NoReturn:
        """Send the reason to whoever waits, and exit: without one of its threads the process would hang."""
        reason = f"the query process failed: {type(error).__name__}: {error}"
        try:
            respond(OUT_OF_MEMORY if is_out_of_memory(error) else error_response(500, reason))
        finally:
            os._exit(FAILED_EXIT_CODE)

    try:
        _serve(requests, respond, fail)
    except BaseException as error:  # noqa: BLE001 -- the process ends, and this is where the reason is known
        fail(error)


def _serve(
    requests: BinaryIO, respond: Callable[[QueryResponse], None], fail: Callable[[BaseException], NoReturn]
) -> NoReturn:
    setup = decoder(QueryProcessConfig).decode(read_message(requests))
    limit_resources(setup.memory)
    pending: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    calls = QueryCalls(store_opener(setup), setup)
    reader = threading.Thread(target=_read, args=(requests, pending.put, calls.interrupt, fail), daemon=True)
    reader.start()
    while True:
        respond(_run(calls, pending.get()))


def _run(calls: QueryCalls, request: dict[str, Any]) -> QueryResponse:
    try:
        return calls.run(request["call"], request["arguments"])
    except Exception as error:  # noqa: BLE001 -- goes to the client; the next query may succeed
        if is_out_of_memory(error):
            return OUT_OF_MEMORY
        return error_response(500, f"the query failed: {type(error).__name__}: {error}")


def store_opener(setup: QueryProcessConfig, *, limited: bool = True) -> Callable[[], LogStore]:
    """Return the function that opens the store; its imports are done now. Not ``limited``: queries have no timeout."""
    if setup.server is None:
        from ingestd.stores.local import LocalStore, store_root  # noqa: PLC0415
        from ingestd.stores.local.duckdb.core import load_duckdb  # noqa: PLC0415

        load_duckdb()  # in the query process only, and before the first query
        root = store_root(Path(setup.data_dir))
        timeout_s = setup.timeout_s if limited else None
        return lambda: LocalStore(root, memory_bytes=setup.memory, timeout_s=timeout_s)
    from ingestd.stores.elastic.query.store import ElasticStore  # noqa: PLC0415

    options = replace(setup.server, timeout=setup.timeout_s)
    return lambda: ElasticStore(options, setup.indices)


def limit_resources(memory: int) -> None:
    """Leave the processor to event delivery, and fail rather than take the machine's memory."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    limit = memory + _OVERHEAD_BYTES
    with contextlib.suppress(OSError, ValueError):  # a lower limit is in force
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _read(
    requests: BinaryIO,
    put: Callable[[dict[str, Any]], None],
    interrupt: Callable[[], None],
    fail: Callable[[BaseException], NoReturn],
) -> None:
    """Pass requests on. A thread of its own, so that an interrupt or the end of stdin ends a running query."""
    try:
        while True:
            request = msgspec.json.decode(read_message(requests))
            if request["call"] == INTERRUPT:
                interrupt()
            else:
                put(request)
    except EOFError:
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 -- see fail
        fail(error)
