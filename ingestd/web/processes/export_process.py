"""The process that writes one download: every event that a query finds, in one of the formats of ``ingestd export``.

It reads an ``ExportRequest`` from stdin, because the setup may hold passwords, and exits as soon as stdin ends. stdout
has a response as those of a query process: an error, or status 200 without a body, followed by the file. The file is
complete if the exit code is 0. A process of its own: a download may take hours, and its memory is bounded.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ingestd.decoders import decoder
from ingestd.stores.base import LogStore, StoreError
from ingestd.stores.export.documents import documents_of, hits_by_day
from ingestd.stores.export.formats import WRITERS, write_excel_csv
from ingestd.stores.lucene import parse
from ingestd.stores.query import Query, QueryError
from ingestd.web.processes.query_calls import is_out_of_memory
from ingestd.web.processes.query_process import OUT_OF_MEMORY, limit_resources, store_opener
from ingestd.web.protocol import (
    LENGTH,
    ExportRequest,
    QueryResponse,
    error_response,
    read_message,
    take_stdout,
    write_response,
)

FORMATS = {**WRITERS, "csv": write_excel_csv}

_CSV_AND_PARQUET_BYTES = 512 << 20
"""Memory of the DuckDB that writes Parquet, on top of what the store's takes."""

_MIN_FREE_BYTES = 1 << 30
_CHECKED_EVENTS = 1000
_FAILED = 1
_BUFFER_BYTES = 1 << 16


class _Body(io.RawIOBase):
    """The file behind the head of the response, which is written with its first bytes: until then an error can be."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.started = stream, False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.start()
        self._stream.write(data)
        return len(data)

    def start(self) -> None:
        if not self.started:
            self.started = True
            write_response(self._stream, QueryResponse(200, b""))


def main() -> None:
    """Write the download that stdin asks for."""
    responses = take_stdout()
    body = _Body(responses)
    try:
        request = decoder(ExportRequest).decode(read_message(sys.stdin.buffer))
        threading.Thread(target=_exit_with_stdin, daemon=True).start()
        limit_resources(request.setup.memory + _CSV_AND_PARQUET_BYTES)
        store = store_opener(request.setup, limited=False)()
        buffered = io.BufferedWriter(body, _BUFFER_BYTES)
        export(request, store, buffered, Path(tempfile.gettempdir()))
        buffered.flush()
        body.start()
    except Exception as error:  # noqa: BLE001 -- the process ends, and this is where the reason is known
        if not body.started:
            write_response(responses, _error(error))
        os._exit(_FAILED)
    responses.flush()
    os._exit(0)  # without waiting for the threads of the store


def export(request: ExportRequest, store: LogStore, target: BinaryIO, folder: Path) -> None:
    """Write the events of a request to ``target``; ``folder`` is for temporary files.

    Raises:
        QueryError, StoreError: The query is invalid, the store fails, or the disk has too little space left.
    """
    query = Query(request.since, request.until, parse(request.q))
    total = store.count(query)
    documents = documents_of(hits_by_day(store, query, total), total, lambda done, of: None)
    if request.format != "ndjson":  # which alone needs no temporary files
        documents = with_space(documents, lambda: shutil.disk_usage(folder).free)
    FORMATS[request.format](documents, target, request.fields, folder)


def with_space(documents: Iterable[bytes], free_bytes: Callable[[], int]) -> Iterator[bytes]:
    """Yield documents while the disk has space: what is written for a download must not stop the intake of events.

    Raises:
        StoreError: It has too little left.
    """
    for number, document in enumerate(documents):
        if number % _CHECKED_EVENTS == 0 and free_bytes() < _MIN_FREE_BYTES:
            free = f"less than {_MIN_FREE_BYTES >> 30} GiB of the disk is free"
            raise StoreError(f"{free}: choose a shorter time range, or NDJSON, which needs no temporary files")
        yield document


def _error(error: Exception) -> QueryResponse:
    if is_out_of_memory(error) or is_out_of_memory(error.__cause__):
        return OUT_OF_MEMORY
    if isinstance(error, QueryError):
        return error_response(400, error.message)
    if isinstance(error, StoreError):
        return error_response(503, str(error))
    return error_response(500, f"the download failed: {type(error).__name__}: {error}")


def _exit_with_stdin() -> None:
    try:
        os.read(0, LENGTH.size)
    finally:
        os._exit(_FAILED)
