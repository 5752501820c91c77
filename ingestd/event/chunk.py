"""The bytes of events on their way from an input to a codec: one type for the input, the journal and the codec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ingestd.event.fields import Event

STREAM_FIELDS = frozenset({"host", "port", "proxy_host", "proxy_port", "sequence"})
"""Names of fields that inputs know of their streams."""


DATAGRAMS = "@datagrams"
"""Name of the field of a stream whose lines are datagrams, each with its sender: see `protocols.framing.datagrams`."""

HANDOVER = "@"
"""What ids of streams start with that are events of another pipeline."""


class Stream(NamedTuple):
    """One stream of frames: a connection, a file, a generator."""

    id: str
    """Unique over all processes and restarts; with an offset it names an event forever. At most 65,535 bytes."""
    fields: Event
    """What an input knows about every line of the stream (``STREAM_FIELDS``).

    Events of text get all of them, JSON records of network inputs those that the config reads and that they lack.
    """


def handover_stream(sender: str, position: int) -> str:
    """Return the id of the stream of what one pipeline hands over to another.

    Args:
        sender: An output's name for it, which starts with ``HANDOVER``.
        position: Of the sender's journal, after the record that the events come from.
    """
    return f"{sender}/{position:x}"


def stream_end(stream_id: str, end: int) -> tuple[str, int]:
    """Return a stream's id and how far it has come with a chunk that ends at ``end``.

    For ``handover_stream`` these are the sender and its position.
    """
    if stream_id.startswith(HANDOVER):
        sender, _, position = stream_id.rpartition("/")
        return sender, int(position, 16)
    return stream_id, end


class Chunk(NamedTuple):
    """Whole frames of one stream, as they came.

    If the codec has a ``delimiter``, ``data`` is frames that each end with it (the last of a stream may lack it); else
    ``data`` is one message. A chunk without data is the trace of a line that was rejected.
    """

    input_id: str
    """The id of the input that received it."""
    stream_id: str
    """``Stream.id``."""
    fields: Event
    """``Stream.fields``."""
    offset: int
    """Where ``data`` begins in the stream, in bytes."""
    time_ns: int
    """When it was received: nanoseconds since the epoch."""
    frames: int
    """How many frames ``data`` holds; 0: unknown."""
    data: bytes

    @property
    def events(self) -> int:
        """How many events it counts as before it is decoded: one for each frame, one if their number is unknown."""
        return self.frames or 1


def join_chunks(chunks: Sequence[Chunk]) -> Chunk:
    """Return chunks as one, to decode them together; several become a chunk without a stream, at offset 0.

    They came to one input at one time, and each ends with the delimiter. See ``event_id.stream_keys`` for their ids.
    """
    if len(chunks) == 1:
        return chunks[0]
    return summary(chunks)._replace(data=b"".join([chunk.data for chunk in chunks]))


def summary(chunks: Sequence[Chunk]) -> Chunk:
    """Return a chunk without data that stands for chunks as `join_chunks` returns them, for what only counts them."""
    first = chunks[0]
    if len(chunks) == 1:
        return first._replace(data=b"")
    events = sum([chunk.frames or 1 for chunk in chunks])
    return Chunk(first.input_id, "", {}, 0, first.time_ns, events, b"")
