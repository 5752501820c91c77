"""Records and journals as the tests of the journal need them."""

from pathlib import Path
from typing import Any

from ingestd.journal.base import START, Entry, Position, Record, RecordQueue
from ingestd.journal.journal import Journal


def record(number: int = 0, data: bytes = b"one\ntwo\n", **parts: Any) -> Record:
    """Return the record ``number`` of a stream whose records all have this data."""
    return Record(
        **{
            "input": "tcp-1",
            "connection": "c1",
            "fields": {"host": "127.0.0.1", "port": 5959},
            "offset": number * len(data),
            "time_ns": 1_795_000_000_000_000_000 + number,
            "frames": data.count(b"\n"),
            "data": data,
            **parts,
        }
    )


def small(folder: Path, **bounds: int) -> Journal:
    return Journal(folder, **{"max_bytes": 1 << 20, "segment_bytes": 4096, **bounds})


def fill(journal: RecordQueue, count: int, data: bytes = b"one\ntwo\n", first: int = 0) -> list[Record]:
    """Append ``count`` records, one a call."""
    records = [record(number, data) for number in range(first, first + count)]
    for one in records:
        journal.append([one])
    return records


def everything(journal: RecordQueue, position: Position = START, max_bytes: int = 1 << 20) -> list[Entry]:
    """Read from ``position`` to the head."""
    entries: list[Entry] = []
    while more := journal.read(position, max_bytes):
        entries += more
        position = more[-1].end
    return entries


def records_of(entries: list[Entry]) -> list[Record]:
    return [entry.record for entry in entries]


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.seg"))
