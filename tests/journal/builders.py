"""Chunks and journals as the tests of the journal need them."""

from pathlib import Path
from typing import Any

from ingestd.event.chunk import Chunk
from ingestd.journal.base import START, Entry, Position, RecordQueue
from ingestd.journal.journal import Journal


def chunk(number: int = 0, data: bytes = b"one\ntwo\n", **parts: Any) -> Chunk:
    """Return the chunk ``number`` of a stream whose chunks all have this data."""
    return Chunk(
        **{
            "input_id": "tcp-1",
            "stream_id": "c1",
            "fields": {"host": "127.0.0.1", "port": 5959},
            "offset": number * len(data),
            "time_ns": 1_795_000_000_000_000_000 + number,
            "frames": data.count(b"\n"),
            "data": data,
            **parts,
        }
    )


def small(folder: Path, max_bytes: int = 1 << 20, segment_bytes: int = 4096) -> Journal:
    return Journal(folder, max_bytes=max_bytes, segment_bytes=segment_bytes)


def fill(journal: RecordQueue, count: int, data: bytes = b"one\ntwo\n", first: int = 0) -> list[Chunk]:
    """Append ``count`` chunks, one a call."""
    chunks = [chunk(number, data) for number in range(first, first + count)]
    for item in chunks:
        journal.append([item])
    return chunks


def everything(journal: RecordQueue, position: Position = START, max_bytes: int = 1 << 20) -> list[Entry]:
    """Read from ``position`` to the end."""
    entries: list[Entry] = []
    while more := journal.read(position, max_bytes):
        entries += more
        position = more[-1].end
    return entries


def chunks_of(entries: list[Entry]) -> list[Chunk]:
    return [entry.chunk for entry in entries]


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.seg"))
