"""Messages between the HTTP process and a query process, over stdin and stdout.

A message is a length (4 bytes, big-endian) and JSON; a response has its HTTP status (2 bytes) between the two. The
first message is the ``QueryProcessConfig``, the others are calls. The call ``interrupt`` ends the running query, if the
store can do that, and has no response of its own.
"""

from __future__ import annotations

import os
import struct
from typing import Any, BinaryIO, NamedTuple

import msgspec

from ingestd.event.jsontext import dumps
from ingestd.lifecycle.retention import Rules
from ingestd.plugins._kafka_offsets import KafkaClient
from ingestd.stores.elastic.connection.options import ElasticOptions

LENGTH = struct.Struct("!I")
RESPONSE_HEAD = struct.Struct("!IH")

INTERRUPT = "interrupt"

Arguments = dict[str, Any]


class QueryProcessConfig(msgspec.Struct):
    """What a query process queries and how. Sent over a pipe, because it may hold passwords.

    Attributes:
        data_dir: The data folder; without a ``server`` its built-in store is queried.
        memory: Bytes that a query may take.
        timeout_s: Seconds that a query may take.
        server: The server to query.
        indices: The indices to query there.
        retention: The rules by which the daemon deletes indices of this store; None: it deletes none.
        action_settings: Settings of this store's backups, as texts by name; None: they belong to another store.
        configs: The pipelines that run, see ``DashboardConfig``; empty: none.
        kafka: Their inputs and outputs ``kafka``.
        fills_store: Whether they write to a store that can be queried.
    """

    data_dir: str
    memory: int
    timeout_s: float
    server: ElasticOptions | None = None
    indices: str = ""
    retention: Rules | None = None
    action_settings: dict[str, str] | None = None
    configs: bytes = b""
    kafka: list[KafkaClient] = []
    fills_store: bool = True


class ExportRequest(msgspec.Struct):
    """A download: events of a query from ``since`` until ``until``, as ``format``; no ``fields``: all that occur."""

    setup: QueryProcessConfig
    format: str
    q: str = ""
    since: str | None = None
    until: str | None = None
    fields: list[str] = []


class QueryResponse(NamedTuple):
    """An HTTP status and a JSON text."""

    status: int
    body: bytes


def error_response(status: int, message: str, **details: Any) -> QueryResponse:
    """Return the response for a call that failed; ``message`` is one sentence for people."""
    return QueryResponse(status, dumps({"error": {"message": message, **details}}))


def frame(message: bytes) -> bytes:
    """Return a message as it is sent."""
    return LENGTH.pack(len(message)) + message


def read_message(stream: BinaryIO) -> bytes:
    """Return the next message. Raises EOFError."""
    (size,) = LENGTH.unpack(_read_exactly(stream, LENGTH.size))
    return _read_exactly(stream, size)


def write_response(stream: BinaryIO, response: QueryResponse) -> None:
    """Send a response. Raises OSError."""
    stream.write(RESPONSE_HEAD.pack(len(response.body), response.status))
    stream.write(response.body)
    stream.flush()


def take_stdout(buffering: int = -1) -> BinaryIO:
    """Return what was stdout, for messages: what a library prints from now on is dropped."""
    messages = os.fdopen(os.dup(1), "wb", buffering)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return messages


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
