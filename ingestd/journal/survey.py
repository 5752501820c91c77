"""Reading a journal without its lock and without changing it, even while a daemon writes to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ingestd.event.chunk import Chunk
from ingestd.event.jsontext import loads
from ingestd.journal.base import START, Entry, Pending, Position, Repair
from ingestd.journal.folders import copy_folder
from ingestd.journal.format import FILE_HEADER_BYTES, Bad, decode, decode_file_header, find_base, walk
from ingestd.journal.positions import FILE_NAME, load_positions, or_copy
from ingestd.journal.recovery import missing_head, missing_tail, positions_lost
from ingestd.journal.segment import segment_files

Again = Callable[[], None]
"""Called before a torn end is read again: it waits for a write to complete."""


class Found(NamedTuple):
    """A record of the segment file ``path``."""

    path: Path
    entry: Entry


def look(folder: Path, again: Again) -> Iterator[Found | Repair]:
    """Yield every record of the journal in ``folder``, in order, and the damage between them.

    A ``Repair`` is what the next opening would do. Files that are freed meanwhile are left out. Raises
    OSError. Memory: one segment.
    """
    end, number_before, number_now = START, 0, 0
    for number, path in segment_files(folder):
        number_before, number_now = number_now, number
        data = _content(path, again)
        if not data:
            number_now = 0  # it was just freed, so nothing is missing
            continue
        header = decode_file_header(data)
        base = header or find_base(data)
        if header is None and len(data) <= FILE_HEADER_BYTES:
            yield Repair("torn", path.name, 0, len(data), 0, "")
            continue
        if base is None or base.offset < end.offset:
            yield Repair("unreadable", path.name, 0, len(data), None, "")
            continue
        if end.offset and number_before not in {0, number - 1} and base.offset > end.offset:
            gone, events = base.offset - end.offset, max(base.events - end.events, 0)
            yield Repair("missing", path.name, 0, gone, events, "")
        if header is None:
            yield Repair("damaged", path.name, 0, FILE_HEADER_BYTES, None, "")
        first = Position(base.offset + FILE_HEADER_BYTES, base.events)
        for item in _records(path, data[FILE_HEADER_BYTES:], FILE_HEADER_BYTES, first, again):
            if isinstance(item, Found):
                end = item.entry.end
            yield item


def _content(path: Path, again: Again) -> bytes:
    """Return the content of a file; empty if it is gone, or was just created."""
    try:
        data = path.read_bytes()
        if len(data) < FILE_HEADER_BYTES:
            again()
            data = path.read_bytes()
    except FileNotFoundError:
        return b""
    return data


def _records(path: Path, data: bytes, start: int, base: Position, again: Again | None) -> Iterator[Found | Repair]:
    """Yield what is in ``data``, which is the file from ``start`` on; ``base`` is the position there."""
    view, events = memoryview(data), base.events
    for part in walk(data, 0, base):
        if not isinstance(part, Bad):
            yield Found(path, Entry(decode(view, part.at, part.header), part.header.end))
            events = part.header.end.events
        elif part.events is None and again is not None:
            again()
            at = start + part.at
            yield from _records(path, _rest(path, at), at, Position(base.offset + part.at, events), None)
        else:
            kind = "torn" if part.events is None else "damaged"
            yield Repair(kind, path.name, start + part.at, part.size, part.events, "")


def _rest(path: Path, at: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(at)
            return file.read()
    except FileNotFoundError:
        return b""


@dataclass(slots=True)
class Survey:
    """The content of a journal. ``bytes``: disk space of its segments; ``raw_bytes``: what inputs received."""

    worker: str
    segments: int = 0
    bytes: int = 0
    records: int = 0
    events: int = 0
    raw_bytes: int = 0
    oldest_ns: int | None = None
    newest_ns: int | None = None
    connections: int = 0
    consumers: dict[str, Pending] = field(default_factory=dict)
    states: dict[str, Any] = field(default_factory=dict)
    faults: list[Repair] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    """Files with bytes that an earlier repair set aside."""


def survey(folder: Path, again: Again) -> Survey:
    """Read a whole journal, with every CRC. Raises OSError."""
    found, connections = Survey(folder.name), set[str]()
    own = load_positions(folder)  # before the records: the daemon may continue meanwhile
    loaded = or_copy(own, copy_folder(folder))
    files = segment_files(folder)
    found.segments, base, end = len(files), None, START
    for item in look(folder, again):
        if isinstance(item, Repair):
            found.faults.append(item)
            continue
        chunk, end = item.entry
        if base is None:
            base = _base_of(item.path)
        found.records += 1
        found.events += chunk.events
        found.raw_bytes += len(chunk.data)
        times = [ns for ns in (found.oldest_ns, found.newest_ns, chunk.time_ns) if ns is not None]
        found.oldest_ns, found.newest_ns = min(times), max(times)
        connections.add(chunk.stream_id)
    found.connections = len(connections)
    if positions_lost(files, own) or loaded is not own:
        found.faults.append(Repair("positions" if loaded is own else "copied", FILE_NAME, 0, 0, None, ""))
    if missing_tail(end, loaded) or missing_head(base, loaded):
        again()  # or it was delivered and freed meanwhile
        loaded = or_copy(load_positions(folder), copy_folder(folder))
    if tail := missing_tail(end, loaded):
        found.faults.append(Repair("missing", files[-1][1].name if files else FILE_NAME, 0, *tail, ""))
    if head := missing_head(base, loaded):
        found.faults.append(Repair("missing", files[0][1].name, 0, *head, ""))
    end = max(end, loaded.end) if loaded else end
    for name, commit in loaded.commits.items() if loaded else ():
        at = commit.position
        found.consumers[name] = Pending(max(end.events - at.events, 0), max(end.offset - at.offset, 0))
        found.states[name] = loads(commit.state)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix == ".seg":
            found.bytes += _size(path)
        elif ".seg." in path.name:
            found.set_aside.append(path.name)
    found.set_aside.sort()
    return found


def _base_of(path: Path) -> Position | None:
    """Return the position of the first byte of a segment, None if it has just been freed."""
    data = _content(path, lambda: None)
    return (decode_file_header(data) or find_base(data)) if data else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def newest_chunks(folder: Path, count: int) -> list[Chunk]:
    """Return the last ``count`` chunks that the journal still holds, oldest first. Raises OSError.

    The newest file is read, and those before it as far as needed. Damage is skipped.
    """
    found: list[Chunk] = []
    for _, path in reversed(segment_files(folder)):
        data = _content(path, lambda: None)
        base = decode_file_header(data) or find_base(data) if data else None
        if base is None:
            continue
        start = Position(base.offset + FILE_HEADER_BYTES, base.events)
        records = _records(path, data[FILE_HEADER_BYTES:], FILE_HEADER_BYTES, start, None)
        chunks = deque((item.entry.chunk for item in records if isinstance(item, Found)), maxlen=count - len(found))
        found = [*chunks, *found]
        if len(found) >= count:
            break
    return found
