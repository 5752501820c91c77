"""The files of events that the output ``s3`` uploads: see ``_s3_spool`` for where they are.

A segment is a line of JSON (`Header`), then frames: one for each delivery, written at once and synced before the
journal forgets the events. A frame is ``<CRC-32 of the rest in hex> <bytes of the index> <bytes of the texts> LF``, the
index, and the texts of its blocks. The index, JSON, lists for each block the folder of its object, the size of its text
and the ids of its events.

Kill -9 can leave half a frame at the end, which was not acknowledged: it is put aside. A frame that is whole may come
again if the process ended before the journal knew of it: the ids of the last frames show which events are there.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from ingestd.files import sync_folder, write_synced

OPEN, CLOSED = ".open", ".closed"

UPLOADS = ".uploads"
"""Of the file beside a segment that says how far the uploads of its large objects are: see ``_s3_resume``."""

_HEAD_BYTES = 64


class Header(msgspec.Struct, frozen=True):
    """The first line of a segment: where its objects go, and how they are made.

    ``bucket`` and ``endpoint`` say whose events they are if no output of this name is left.
    """

    bucket: str
    endpoint: str
    format: str
    encoding: str
    extension: str

    def as_lines(self) -> Header:
        """Return the header for events that cannot be written in Parquet."""
        return msgspec.structs.replace(self, format="ndjson", encoding="gzip", extension=".ndjson.gz")


class Block(NamedTuple):
    """Events for one object: its folder in the bucket, their text and their ids."""

    folder: str
    text: bytes
    ids: list[str]


class Piece(NamedTuple):
    """Where the text of a block is in a segment, in bytes."""

    offset: int
    size: int


class DamagedSegmentError(Exception):
    """A segment cannot be read from the byte ``offset`` on."""

    def __init__(self, path: Path, offset: int) -> None:
        super().__init__(f"{path} cannot be read from byte {offset} on")
        self.offset = offset


FrameIds = list[tuple[int, list[str]]]
"""Frames in order: for each its size in bytes, and the ids of its events."""

_Index = list[tuple[str, int, list[str]]]
_index = msgspec.json.Decoder(_Index)
_header = msgspec.json.Decoder(Header)


def put_aside(path: Path, offset: int) -> Path:
    """Move what a segment has from a byte on to a file of its own, which is returned. Raises OSError."""
    kept = path.with_suffix(f".damaged-{offset}")
    with path.open("r+b") as file:
        file.seek(offset)
        write_synced(kept, file.read())
        file.truncate(offset)
        os.fsync(file.fileno())
    sync_folder(path.parent)
    return kept


def read_header(path: Path) -> Header:
    """Return the header of a segment.

    Raises:
        DamagedSegmentError: It has none.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return _read_header(path, file)


def _read_header(path: Path, file: IO[bytes]) -> Header:
    line = file.readline()
    try:
        if line.endswith(b"\n"):
            return _header.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    raise DamagedSegmentError(path, 0)


def read_index(path: Path) -> dict[str, list[Piece]]:
    """Return where the texts for each folder are.

    Raises:
        DamagedSegmentError: A frame is damaged.
        OSError: It cannot be read.
    """
    pieces: dict[str, list[Piece]] = {}
    for start, index in frames(path):
        offset = start
        for folder, size, _ in index:
            pieces.setdefault(folder, []).append(Piece(offset, size))
            offset += size
    return pieces


def read_texts(path: Path, pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Yield the texts of pieces. Raises OSError."""
    with path.open("rb") as file:
        for piece in pieces:
            file.seek(piece.offset)
            yield file.read(piece.size)


def read_blocks(path: Path, folder: str) -> Iterator[Block]:
    """Yield the blocks for a folder. Raises DamagedSegmentError, OSError."""
    with path.open("rb") as file:
        for start, index in frames(path):
            offset = start
            for name, size, ids in index:
                if name == folder:
                    file.seek(offset)
                    yield Block(folder, file.read(size), ids)
                offset += size


def last_ids(path: Path, max_bytes: int) -> FrameIds:
    """Return the ids in the last frames of a segment: as many frames as have ``max_bytes``, and one more.

    Raises:
        OSError: It cannot be read.
    """
    found: FrameIds = []
    with path.open("rb") as file, contextlib.suppress(DamagedSegmentError):  # reported when it is uploaded
        size = os.fstat(file.fileno()).st_size
        _read_header(path, file)
        while file.tell() < size:
            _, index_bytes, text_bytes = _read_head(path, file, size)
            end = file.tell() + index_bytes + text_bytes
            if end >= size - max_bytes:
                try:
                    index = _index.decode(file.read(index_bytes))
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    break
                found.append((index_bytes + text_bytes, [event_id for _, _, ids in index for event_id in ids]))
            file.seek(end)
    return found


def object_stem(path: Path) -> str:
    """Return the name of a segment's objects, without an extension."""
    return path.stem.partition("-")[2]


def segment_number(path: Path) -> int:
    """Return the number of a segment: the highest is the newest."""
    number = path.name.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def frame(blocks: Iterable[Block]) -> bytes:
    """Return the frame of blocks."""
    blocks = list(blocks)
    index = msgspec.json.encode([(block.folder, len(block.text), block.ids) for block in blocks])
    rest = b"".join([index, *(block.text for block in blocks)])
    return b"%08x %d %d\n" % (zlib.crc32(rest), len(index), len(rest) - len(index)) + rest


def frames(path: Path) -> Iterator[tuple[int, _Index]]:
    """Yield for each frame of a segment where its texts start, and its index. Raises DamagedSegmentError, OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:  # all of it was put aside
            return
        _read_header(path, file)
        while (start := file.tell()) < size:
            checksum, index_bytes, text_bytes = _read_head(path, file, size)
            at = file.tell()
            rest = file.read(index_bytes + text_bytes)
            if zlib.crc32(rest) != checksum:
                raise DamagedSegmentError(path, start)
            try:
                yield at + index_bytes, _index.decode(rest[:index_bytes])
            except (msgspec.MsgspecError, UnicodeDecodeError):
                raise DamagedSegmentError(path, start) from None


def _read_head(path: Path, file: IO[bytes], size: int) -> tuple[int, int, int]:
    """Read the first line of a frame: its checksum, and the sizes of its index and its texts."""
    start = file.tell()
    try:
        checksum, index_bytes, text_bytes = file.readline(_HEAD_BYTES).split()
        head = int(checksum, 16), int(index_bytes), int(text_bytes)
    except ValueError:
        raise DamagedSegmentError(path, start) from None
    if min(head) < 0 or file.tell() + head[1] + head[2] > size:
        raise DamagedSegmentError(path, start)
    return head
