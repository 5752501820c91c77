"""The protocols of inputs, codecs and outputs. Filters are plain functions, see ``registry``."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk, Stream
from ingestd.event.table import Table
from ingestd.event.tally import Tally
from ingestd.journal.base import KeptStreams
from ingestd.protocols.framing.grouping import Grouping
from ingestd.protocols.framing.lines import LINE_FEED


class Codec(Protocol):
    """Bytes to events and back."""

    @property
    def delimiter(self) -> bytes | None:
        """The end of a frame in a stream; None: every message is one frame."""

    @property
    def joins_streams(self) -> bool:
        """Whether chunks of several streams may be decoded as one: no event depends on the fields of its stream."""

    def decode(self, chunk: Chunk) -> Table:
        """Return the records of ``chunk``. Bad data becomes an event with a tag.

        Every event has ``@version`` and ``@timestamp`` in UTC, by default the time of receipt.

        Raises:
            UndecodableError: It is not text, so an event would lose it: a message in a format of bytes is damaged.
        """

    def encode(self, batch: Batch) -> bytes:
        """Return the text of all records of ``batch``, line ends included."""


@runtime_checkable
class GroupsMessages(Protocol):
    """A codec whose frames are not single lines; inputs that read a stream put each message alone."""

    grouping: Grouping


class UndecodableError(ValueError):
    """A codec can make no events of a message, which becomes a dead letter; the text is the reason, a sentence."""


@runtime_checkable
class DecodesLines(Protocol):
    """A codec of whole messages that can decode many at once, if each of them is a line."""

    def decode_lines(self, chunk: Chunk) -> Table:
        """Return the events of a chunk of lines, each a message; see ``Codec.decode``."""


@runtime_checkable
class NamesEvents(Protocol):
    """A codec that gives events ids of their own, by what they say of themselves: see ``event_id.own_id``."""

    def own_ids(self, chunk: Chunk) -> Mapping[str, int]:
        """Return the own ids of the events in a chunk, and the offsets of their frames in the stream."""


@runtime_checkable
class BringsCodec(Protocol):
    """An input that puts something else than what the codec of its config decodes."""

    @property
    def codec(self) -> Codec:
        """Decodes what the input puts; with the codec of the config, as far as that concerns it."""


def grouping_of(codec: Codec | None) -> Grouping | None:
    """Return how a codec groups a stream to messages; None: each line is a frame."""
    return codec.grouping if isinstance(codec, GroupsMessages) else None


def delimiter_of(codec: Codec | None) -> bytes:
    """Return what ends a line of a stream that a codec decodes."""
    grouping = grouping_of(codec)
    found = grouping.delimiter if grouping is not None else codec.delimiter if codec is not None else None
    return LINE_FEED if found is None else found


Piece = tuple[bytes, Stream, int, int]
"""Whole lines of a stream, where they are in it, and how many: see ``Sink.put``."""


class Sink(Protocol):
    """Where an input puts what it reads."""

    @property
    def paused(self) -> bool:
        """Whether the input must stop reading, see ``wait_until_resumed``."""

    def put(self, data: bytes, stream: Stream, offset: int) -> bool:
        """Store whole frames, see ``Chunk``; ``offset`` is where the first byte is in the stream.

        False: they were not stored, offer them again after ``wait_until_resumed``.
        """

    @property
    def joins_streams(self) -> bool:
        """Whether ``put_all`` costs less than ``put`` for each stream."""

    def put_all(self, pieces: Sequence[Piece]) -> bool:
        """Store whole lines of several streams, all or none of them; see ``put``."""

    def goes_on(self, seconds: float) -> None:
        """Note in how many seconds the input continues, if it knows that, so that outputs wait for more or do not."""

    def reject(
        self, raw: bytes, reason: str, stream: Stream, offset: int, end: int, *, size: int | None = None
    ) -> bool:
        """Make a dead letter of the bytes from ``offset`` to ``end`` of the stream, which cannot be a frame.

        However often they are read again, there is only one dead letter of them; ``serve`` then gets an offset of at
        least ``end`` as ``kept``.

        Args:
            raw: What is kept of them.
            reason: A sentence.
            stream: The stream.
            offset: Where their first byte is in the stream.
            end: Where the stream continues after them.
            size: Bytes of the whole record, if ``raw`` is only its start.

        Returns:
            False if the dead letter cannot be written: do not consume the bytes, and offer them again after
            ``wait_until_resumed``.
        """

    def note_loss(self) -> None:
        """Note that the input had to give up what it had received, which it logs; in a stop, the exit code says so."""

    async def wait_until_resumed(self) -> None:
        """Return as soon as the sink is not ``paused``."""

    async def synced(self) -> None:
        """Return as soon as everything that was put or rejected before the call is on the disk: it may be acknowledged.

        One sync serves all that wait at the time.

        Raises:
            OSError: The disk refuses. What was put may be lost in a power failure: do not acknowledge it.
        """


class HandedOver(NamedTuple):
    """Events from one record of a sender's journal: the position after it, their lines, and how many they are."""

    end: int
    lines: bytes
    events: int


class HandoverSink(Sink, Protocol):
    """Where the input ``pipeline`` puts the events of other pipelines, each once."""

    def position_of(self, stream_id: str) -> int:
        """Return the position in a sender's journal up to which it has everything; 0: nothing."""

    def take_over(self, stream_id: str, records: Sequence[HandedOver]) -> bool:
        """Store records of a sender, in the order of its journal, all or none; those it has are skipped.

        False: offer them again after ``wait_until_resumed``.
        """


StopMode = Literal["drain", "leave", "handover"]
"""How an input ends. ``drain``: everything that has arrived is put, even half a line; ``leave``: whole lines are put,
half a line is left for the next reader of the connection; ``handover``: another process reads on, so all is left."""


class Input(Protocol):
    """A source of chunks. Life: ``open``, ``run`` until the end of input or ``stop``."""

    finite: bool
    """Whether the input has an end; the daemon stops when all inputs have ended."""

    async def open(self) -> None:
        """Open the resource. Raises OSError with a message that says what to do."""

    async def run(self, sink: Sink) -> None:
        """Feed ``sink`` until the input ends or ``stop`` is called; then everything that was read has been put."""

    def stop(self, mode: StopMode) -> None:
        """Let ``run`` return."""


@runtime_checkable
class SocketInput(Input, Protocol):
    """An input that reads connections which the supervisor accepts."""

    @property
    def outlives_reader(self) -> bool:
        """Whether a connection can be read on by another process, as all that is known about it is in the kernel.

        If not, as with TLS, it is closed when its reader ends; what was not acknowledged is sent again by the client.
        """

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""

    @property
    def max_connections(self) -> int:
        """Maximum number of open connections; 0: no limit."""

    def serve(
        self,
        sock: socket.socket,
        stream: Stream,
        kept: int,
        closed: Callable[[str], None],
        client: tuple[str, int] | None = None,
        on_client: Callable[[str, int], None] | None = None,
    ) -> None:
        """Read a connection; only while ``run`` runs.

        Args:
            sock: The connection; the input closes it.
            stream: The stream that it is.
            kept: Bytes of the stream before this offset are in the journal, whether consumed or not.
            closed: Called with the reason when the input has closed the connection.
            client: Host and port of the client behind a proxy, as an earlier reader learned them.
            on_client: Called when they are learned, before the bytes that name them are consumed.
        """


class DatagramSocket(NamedTuple):
    """A socket for datagrams that an input needs.

    Attributes:
        host: Address to receive on; empty: a socket of the file system.
        port: 0 takes a free one.
        path: Of a socket of the file system.
        mode: Its permissions.
        receive_buffer_bytes: How much the kernel is asked to keep of what was not read; 0: as much as it can.
        replace: Take the place of a socket of the file system that another program receives on.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    mode: int = 0o666
    receive_buffer_bytes: int = 0
    replace: bool = False


@runtime_checkable
class DatagramInput(Input, Protocol):
    """An input that reads sockets for datagrams, which the supervisor opens; they outlive the process that reads."""

    @property
    def datagram_sockets(self) -> Sequence[DatagramSocket]:
        """What to open."""

    def serve_datagrams(self, sock: socket.socket, drops: int, on_drops: Callable[[int], None]) -> None:
        """Read a socket until ``stop``, then close it; only while ``run`` runs.

        Args:
            sock: The socket.
            drops: How many datagrams that the kernel had no room for were counted by earlier readers.
            on_drops: Called with that number when it has risen.
        """


@runtime_checkable
class ReceivesEvents(Input, Protocol):
    """An input that gets its events from other pipelines of its process, so each process has it."""

    @property
    def receive_address(self) -> str:
        """What outputs call it."""

    def attach(self, sink: HandoverSink) -> None:
        """Say where events go; before any pipeline of the process starts."""


@runtime_checkable
class ResumingInput(Input, Protocol):
    """An input that continues, after a restart, where the journal's records of its streams end."""

    @property
    def sincedb_path(self) -> Path:
        """Where it keeps which streams it has read: no two inputs may have the same."""

    def resume(self, streams: KeptStreams) -> None:
        """Take the streams of the journal; called before ``open``."""


class Rejection(NamedTuple):
    """An event that an output cannot take, and why; it becomes a dead letter."""

    reason: str
    raw: bytes
    """Its document."""
    event_id: str
    index_name: str = ""
    """The index that it was meant for; an attribute named ``index`` would hide a method of tuples."""


P = TypeVar("P")


class Prepared(NamedTuple, Generic[P]):
    """What an output made of a batch: a payload of its own kind, its size, and the events that it rejected."""

    payload: P
    size: int
    """Bytes of text in the payload, about as many as a request with it has."""
    rejected: Sequence[Rejection] = ()


class Output(Protocol[P]):
    """A destination. One call of ``deliver`` at a time, or ``concurrency`` of them."""

    concurrency: int
    """How many calls of ``deliver`` may run at once; 1 keeps the order."""

    batch_bytes: int
    """How many bytes of payloads one call should carry; smaller payloads are sent together up to this size."""

    async def open(self) -> None:
        """Open it. Raises OSError or ValueError, with a message that says what to do, if it can never work."""

    def prepare(self, batch: Batch) -> Prepared[P]:
        """Return what is to be sent of ``batch``, which is not kept, and what cannot be sent.

        Called right after the filters, while the records are in the processor's cache: documents cost half of what
        they do later, and take less memory than events while they wait.
        """

    async def deliver(self, payloads: Sequence[P]) -> Sequence[Tally] | None:
        """Return when every event is delivered or kept as a dead letter. What can heal is retried inside.

        Returns for each payload what became of its events: ``delivered``, ``duplicates`` and ``dead`` add up to their
        number, ``indices`` where they are known. None: all of them were delivered.
        """

    async def close(self) -> None:
        """Close the resource; nothing is in flight any more."""


@runtime_checkable
class SkipsRepeats(Protocol):
    """An output that can look up whether it has an event, at some cost."""

    repeats: bool
    """Whether any event may be one that it has already: how far delivery came is not known."""


@runtime_checkable
class HandsOver(Protocol):
    """An output that hands its events over to other pipelines.

    Its payloads come in order. Their attribute ``end`` is the position in the journal after the record that a payload
    was made of.
    """

    @property
    def addresses(self) -> Sequence[str]:
        """What the inputs of those pipelines are called."""

    def resume(self, stream_id: str) -> Iterable[int]:
        """Return for each receiver up to which position it has everything that was handed over as ``stream_id``."""


@runtime_checkable
class Preloads(Protocol):
    """An output that needs a lot of code, which all processes can share."""

    def preload(self) -> None:
        """Import it: called in the supervisor, once it listens and before it forks workers."""


@runtime_checkable
class WithRetries(Protocol):
    """An output that tries again inside of ``deliver`` what waiting may heal."""

    def retry_reason(self) -> str:
        """Return why it tries again now, empty if it does not."""


@runtime_checkable
class WithProblems(Protocol):
    """An input or output that knows what needs attention although it works; ``/health`` shows it."""

    def problems(self) -> list[str]:
        """Return what it is, in sentences."""
