"""The format of journal files: encode, check and decode records. All numbers are little-endian.

A segment file is a header and then records, with nothing between them:

====================== ==============================================================================
header, 32 bytes       ``ingestdJ``, version (u32), CRC-32 of what follows (u32),
                       base (u64): the journal's offset of the file's first byte,
                       events (u64): how many events the journal had before this file
record                 magic (4 bytes), CRC-32 of all that follows (u32), the journal's offset of this
                       record (u64), events before it (u64), offset in the stream (u64),
                       receive time in ns (u64), frames (u32), size of data (u32), of fields (u32),
                       of the input's id (u16), of the connection's id (u16); then
                       input, connection (UTF-8), fields (JSON, nothing if there are none), data
====================== ==============================================================================

A record holds its own offset, so that after damage the next good record is found by its magic, and is not mistaken for
bytes inside of data. The magic cannot occur in UTF-8 text.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ingestd.event.chunk import Chunk
from ingestd.event.fields import Event
from ingestd.event.jsontext import dumps, loads
from ingestd.journal.base import Position

MAGIC = b"\xb5iR\xa7"
_FRONT = struct.Struct("<4sI")
_FIXED = struct.Struct("<QQQQIIIHH")
RECORD_HEADER_BYTES = _FRONT.size + _FIXED.size
"""Size of a record without its names, fields and data."""

FILE_MAGIC = b"ingestdJ"
FILE_VERSION = 1
_FILE_FRONT = struct.Struct("<8sII")
_FILE_FIXED = struct.Struct("<QQ")
FILE_HEADER_BYTES = _FILE_FRONT.size + _FILE_FIXED.size

_MAX_OFFSET = 1 << 62
"""Offsets beyond are nonsense, though a CRC may hold: arithmetic with them must not overflow the format."""


def encode_file_header(base: Position) -> bytes:
    """Return the header of a segment file that starts at ``base``."""
    fixed = _FILE_FIXED.pack(base.offset, base.events)
    return _FILE_FRONT.pack(FILE_MAGIC, FILE_VERSION, zlib.crc32(fixed)) + fixed


def decode_file_header(data: bytes) -> Position | None:
    """Return the base of a segment file, None if the header is incomplete or of another version."""
    if len(data) < FILE_HEADER_BYTES:
        return None
    magic, version, crc = _FILE_FRONT.unpack_from(data)
    fixed = data[_FILE_FRONT.size : FILE_HEADER_BYTES]
    if (magic, version, crc) != (FILE_MAGIC, FILE_VERSION, zlib.crc32(fixed)):
        return None
    base = Position(*_FILE_FIXED.unpack(fixed))
    return base if max(base) < _MAX_OFFSET else None


class RecordNames:
    """Remembers how names and fields of the last streams are written: with many connections a record has a few lines.

    Args:
        most: Maximum number of streams that are remembered; 4096 take about 1 MB.
    """

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        # By the stream's id: its fields, the input's id, both names and the fields as they are written, their sizes.
        self._known: dict[str, tuple[Event, str, bytes, tuple[int, int, int]]] = {}

    def __len__(self) -> int:
        """Return how many streams are remembered."""
        return len(self._known)

    def of(self, input_id: str, stream_id: str, fields: Event) -> tuple[bytes, tuple[int, int, int]]:
        """Return the names and fields of a stream as they are written, and the sizes of fields, input and stream."""
        known = self._known.get(stream_id)
        if known is None or known[0] is not fields or known[1] is not input_id:
            encoded = (_text(input_id), _text(stream_id), dumps(fields) if fields else b"")
            sizes = (len(encoded[2]), len(encoded[0]), len(encoded[1]))
            if len(self._known) >= self._most:
                self._known.clear()
            known = self._known[stream_id] = (fields, input_id, b"".join(encoded), sizes)
        return known[2], known[3]


def encode(chunks: Iterable[Chunk], position: Position, names: RecordNames) -> tuple[list[bytes], Position]:
    """Return what is to be written for chunks from ``position`` on, in pieces, and the position after them.

    Raises:
        ValueError: A part of a chunk is longer than the format allows.
    """
    parts: list[bytes] = []
    at, events = position
    front, pack, crc32 = _FRONT.pack, _FIXED.pack, zlib.crc32
    for input_id, stream_id, fields, offset, time_ns, frames, data in chunks:
        name, sizes = names.of(input_id, stream_id, fields)
        size = len(data)
        try:
            fixed = pack(at, events, offset, time_ns, frames, size, *sizes) + name
        except struct.error as error:
            raise ValueError(f"a chunk does not fit into the journal's format: {error}") from None
        parts += (front(MAGIC, crc32(data, crc32(fixed))) + fixed, data)
        at, events = at + _FRONT.size + len(fixed) + size, events + (frames or 1)
    return parts, Position(at, events)


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # the name of a file may not be UTF-8


class RecordHeader(NamedTuple):
    """The fixed part of a record: all of a ``Chunk`` but the names and the data, and where those are."""

    journal_offset: int
    events: int
    offset: int
    time_ns: int
    frames: int
    data_size: int
    fields_size: int
    input_size: int
    stream_size: int

    @property
    def size(self) -> int:
        """Bytes of the whole record."""
        return RECORD_HEADER_BYTES + self.data_size + self.fields_size + self.input_size + self.stream_size

    @property
    def end(self) -> Position:
        """The position after the record."""
        return Position(self.journal_offset + self.size, self.events + (self.frames or 1))


def peek(data: memoryview, at: int) -> RecordHeader | None:
    """Return the header of a possible record at ``at``: only its magic is checked."""
    if at + RECORD_HEADER_BYTES > len(data) or data[at : at + len(MAGIC)] != MAGIC:
        return None
    return RecordHeader._make(_FIXED.unpack_from(data, at + _FRONT.size))


def check(data: memoryview, at: int, base: int | None) -> RecordHeader | None:
    """Return the header of the record at ``at`` if it is complete and undamaged.

    ``base`` is the journal's offset of the first byte of ``data``; None: unknown, any will do.
    """
    header = peek(data, at)
    if header is None or at + header.size > len(data) or max(header.journal_offset, header.events) >= _MAX_OFFSET:
        return None
    if header.journal_offset != (header.journal_offset if base is None else base + at):
        return None
    (crc,) = struct.unpack_from("<I", data, at + len(MAGIC))
    return header if zlib.crc32(data[at + _FRONT.size : at + header.size]) == crc else None


def decode(data: memoryview, at: int, header: RecordHeader) -> Chunk:
    """Return the chunk of the record at ``at`` whose checked header is ``header``."""
    first = at + RECORD_HEADER_BYTES
    second = first + header.input_size
    third = second + header.stream_size
    fourth = third + header.fields_size
    return Chunk(
        str(data[first:second], "utf-8", "surrogatepass"),
        str(data[second:third], "utf-8", "surrogatepass"),
        loads(bytes(data[third:fourth])) if header.fields_size else {},
        header.offset,
        header.time_ns,
        header.frames,
        bytes(data[fourth : fourth + header.data_size]),
    )


def stream_of(data: memoryview, at: int, header: RecordHeader) -> str:
    """Return the id of the stream of the record at ``at`` without decoding the rest."""
    first = at + RECORD_HEADER_BYTES + header.input_size
    return str(data[first : first + header.stream_size], "utf-8", "surrogatepass")


class Good(NamedTuple):
    """A record at ``at``, checked."""

    at: int
    header: RecordHeader


class Bad(NamedTuple):
    """Bytes that are not a record. ``events``: how many were in them; None: unknown, no good record follows."""

    at: int
    size: int
    events: int | None


def walk(data: bytes, at: int, base: Position) -> Iterator[Good | Bad]:
    """Yield the records and the damage in ``data`` from ``at`` on, without gaps.

    Args:
        data: A segment file, or a part of one.
        at: Where to start: after a header or record.
        base: The journal's offset of the first byte of ``data``, and the events before ``at``.
    """
    view, events = memoryview(data), base.events
    while at < len(data):
        if header := check(view, at, base.offset):
            yield Good(at, header)
            at, events = at + header.size, header.end.events
            continue
        start, found = at, None
        while found is None and (at := data.find(MAGIC, at + 1)) >= 0:
            found = check(view, at, base.offset)
        if found is None:
            yield Bad(start, len(data) - start, None)
            return
        yield Bad(start, at - start, max(found.events - events, 0))


def find_base(data: bytes) -> Position | None:
    """Return the base of a segment with a damaged header, from its first good record; None: it has none.

    The events are those before that record.
    """
    view, at = memoryview(data), data.find(MAGIC)
    while at >= 0:
        if (header := check(view, at, None)) and header.journal_offset >= at:
            return Position(header.journal_offset - at, header.events)
        at = data.find(MAGIC, at + 1)
    return None
