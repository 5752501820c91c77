"""What the runtime asks of inputs, codecs and outputs. Filters are plain functions, see ``registry``."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from ingestd.event.chunk import Chunk, Stream
from ingestd.event.fields import Event
from ingestd.event.record import Batch
from ingestd.event.tally import Tally


class Decoded(NamedTuple):
    """n records out of a chunk: see ``ingestd.event.record.Record`` for the meaning of each part.

    ``raws[i]`` is None where ``events[i]`` is the whole record. ``keys`` rises and is unique in the stream.
    """

    raws: list[bytes | None]
    events: list[Event]
    keys: list[int]


class Codec(Protocol):
    """Bytes to events and back."""

    @property
    def delimiter(self) -> bytes | None:
        """What ends a frame in a stream; None if every message is one frame."""

    def decode(self, chunk: Chunk) -> Decoded:
        """Return the records of ``chunk``; never raises on bad data: it becomes an event that is tagged so.

        Every event has ``@timestamp`` in UTC, in case of need that of receipt, and ``@version``.
        """

    def encode(self, batch: Batch) -> bytes:
        """Return the text of all records of ``batch``, line ends included."""


class Sink(Protocol):
    """Where an input puts what it has read."""

    @property
    def full(self) -> bool:
        """Whether the input must stop reading for now."""

    def put(self, data: bytes, stream: Stream, offset: int) -> bool:
        """Keep whole frames, see ``Chunk``, and pass them on; ``offset`` is the place of the first byte in the stream.

        False if there was no room to keep them: then offer them again after ``room``.
        """

    def reject(
        self, raw: bytes, reason: str, stream: Stream, size: int | None = None, offset: int | None = None
    ) -> None:
        """Keep a line that is no frame as a dead letter.

        ``reason`` is a sentence; ``size`` is how many bytes there were without the line end, if ``raw`` is only the
        begin of them. ``offset`` is the place of its first byte in a stream that another process may read again: then
        it becomes a letter once, and ``serve`` is told that it is kept.
        """

    async def room(self) -> None:
        """Return as soon as the sink is not ``full``."""


StopMode = Literal["drain", "leave", "handover"]
"""How an input ends: ``drain``: what has arrived is put, be it half a line; ``leave``: whole lines are put, half
a line is left to whoever reads the connection next; ``handover``: another process reads on at once, so leave all."""


class Input(Protocol):
    """A source of chunks. Life: ``open``, ``run`` until the end of input or ``stop``."""

    finite: bool
    """Whether the input ends by itself; a daemon whose inputs have all ended stops."""

    async def open(self) -> None:
        """Take hold of the resource. Raises OSError with a sentence of what to do."""

    async def run(self, sink: Sink) -> None:
        """Feed ``sink`` until the input ends or ``stop`` is called; then everything read has been put."""

    def stop(self, mode: StopMode) -> None:
        """Let ``run`` return."""


@runtime_checkable
class SocketInput(Input, Protocol):
    """An input that reads connections which others accept, and which outlive the process that reads them."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""

    @property
    def max_connections(self) -> int:
        """Connections at once; 0: no limit."""

    def serve(self, sock: socket.socket, stream: Stream, kept: int, closed: Callable[[str], None]) -> None:
        """Read a connection; only while ``run`` runs.

        Args:
            sock: The connection; the input closes it.
            stream: What it is from now on.
            kept: The bytes of the stream before this offset are kept already, be they consumed or not.
            closed: Called with the reason when the input is done with the connection.
        """


class Rejection(NamedTuple):
    """An event that an output cannot take, and why; it becomes a dead letter."""

    reason: str
    raw: bytes
    """Its document."""
    event_id: str


P = TypeVar("P")


class Prepared(NamedTuple, Generic[P]):
    """What an output made of a batch: a payload of its own kind, and the events that it rejected."""

    payload: P
    rejected: Sequence[Rejection] = ()


class Output(Protocol[P]):
    """A destination. One call of ``deliver`` at a time, or ``concurrency`` of them."""

    concurrency: int
    """How many calls of ``deliver`` may run at once; 1 keeps the order."""

    batch_bytes: int
    """How many bytes of frames one call should carry; payloads are sent together up to about this size."""

    async def open(self) -> None:
        """Prepare; raises OSError or ValueError with a sentence of what to do where it can never work."""

    def prepare(self, batch: Batch) -> Prepared[P]:
        """Return what is to be sent of ``batch``, which is not kept, and what cannot be sent.

        Called right after the filters, while the records are in the processor's cache: made here, a document
        costs half of what it does later, and bytes wait in less memory than events.
        """

    async def deliver(self, payloads: Sequence[P]) -> Sequence[Tally] | None:
        """Return when every event is delivered or kept as a dead letter. What can heal is retried inside.

        Returns for each payload what became of its events: ``delivered``, ``duplicates`` and ``dead`` add up to their
        number, ``indices`` where they are known. None: all of them were delivered.
        """

    async def close(self) -> None:
        """Let go of the resource; nothing is under way any more."""
