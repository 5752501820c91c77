"""Opening a journal after a crash or damage: good records are kept, the rest is reported and set aside.

No state of the disk prevents a journal from opening. Nothing is ever appended to a file of an earlier process, so a
position never means two things, whatever was cut off.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingestd.event.chunk import stream_end
from ingestd.journal.base import START, Position, Repair
from ingestd.journal.format import (
    FILE_HEADER_BYTES,
    Bad,
    decode_file_header,
    find_base,
    stream_of,
    walk,
)
from ingestd.journal.positions import FILE_NAME, Commit, Loaded
from ingestd.journal.segment import Segment, highest_number, remove, segment_files, set_aside


@dataclass(slots=True)
class Recovered:
    """The segments that can be read, oldest first, what was repaired, and the offset after each stream's records."""

    segments: list[Segment] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)
    stream_ends: dict[str, int] = field(default_factory=dict)
    last_number: int = 0

    @property
    def end(self) -> Position:
        """The position after the last good record."""
        return self.segments[-1].end if self.segments else START


def recover(folder: Path) -> Recovered:
    """Read all segments of a journal and put them in order. Raises OSError."""
    found = Recovered()
    for number, path in segment_files(folder):
        _recover_segment(found, number, path)
        found.last_number = number
    found.last_number = highest_number(folder)
    return found


def _recover_segment(found: Recovered, number: int, path: Path) -> None:
    data = path.read_bytes()
    header = decode_file_header(data)
    if header is None and len(data) <= FILE_HEADER_BYTES:  # killed before its header was written
        path.unlink()
        if data:
            found.repairs.append(Repair("torn", path.name, 0, len(data), 0, ""))
        return
    base = header or find_base(data)
    if base is None or base.offset < found.end.offset:
        kept = path.with_name(path.name + ".unreadable")
        path.rename(kept)
        found.repairs.append(Repair("unreadable", path.name, 0, len(data), None, kept.name))
        return
    if found.segments and found.last_number != number - 1 and base.offset > found.end.offset:
        gone, events = base.offset - found.end.offset, max(base.events - found.end.events, 0)
        found.repairs.append(Repair("missing", path.name, 0, gone, events, ""))
    if header is None:
        found.repairs.append(Repair("damaged", path.name, 0, FILE_HEADER_BYTES, None, ""))
    segment = Segment(path, number, base, base, len(data))
    _recover_records(found, segment, data)
    if segment.end == base:  # no good record, and the rest has been set aside
        remove(segment)
    else:
        found.segments.append(segment)


def _recover_records(found: Recovered, segment: Segment, data: bytes) -> None:
    view = memoryview(data)
    for part in walk(data, FILE_HEADER_BYTES, segment.base):
        if isinstance(part, Bad):
            found.repairs.append(repair(segment, part, data[part.at : part.at + part.size]))
            continue
        header = part.header
        segment.end = header.end
        stream_id, end = stream_end(stream_of(view, part.at, header), header.offset + header.data_size)
        found.stream_ends[stream_id] = max(found.stream_ends.get(stream_id, 0), end)


def repair(segment: Segment, bad: Bad, data: bytes) -> Repair:
    """Copy the damaged bytes ``data`` of a segment into a file of their own, and cut off a torn end.

    What cannot be copied stays in place, and the segment is never deleted. Raises OSError.
    """
    kept = set_aside(segment.path, bad.at, data)
    torn = bad.events is None
    if kept is None:
        segment.keep = True
    elif torn:
        os.truncate(segment.path, bad.at)
        segment.size = bad.at
    return Repair("torn" if torn else "damaged", segment.path.name, bad.at, bad.size, bad.events, kept or "")


def positions_lost(segments: Sequence[object], loaded: Loaded | None) -> bool:
    """Return whether the positions are gone or unreadable: they are written before the first segment."""
    return bool(segments) if loaded is None else not loaded.generation


def missing_tail(end: Position, loaded: Loaded | None) -> tuple[int, int] | None:
    """Return how many bytes and events after ``end``, the last good record, are gone that an output still needs."""
    if loaded is None:
        return None
    least = max(end, min((commit.position for commit in loaded.commits.values()), default=START))
    if least.offset >= loaded.end.offset:
        return None
    return loaded.end.offset - least.offset, max(loaded.end.events - least.events, 0)


def missing_head(base: Position | None, loaded: Loaded | None) -> tuple[int, int] | None:
    """Return how many bytes and events before the oldest segment, at ``base``, are gone that an output still needs."""
    if loaded is None or base is None or not loaded.commits:
        return None
    least = min(commit.position for commit in loaded.commits.values())
    return (base.offset - least.offset, max(base.events - least.events, 0)) if least.offset < base.offset else None


def resolve_commits(commits: dict[str, Commit], found: Recovered, loaded: Loaded | None) -> Position:
    """Move ``commits``, in place, to records that can be read; return the position where the journal continues.

    That is after everything that was ever written or read, even if it is gone: no position is used twice. ``loaded``:
    the positions, or their copy.
    """
    repairs, end, recorded = found.repairs, found.end, loaded.end if loaded else START
    committed = [commit.position for commit in commits.values()]
    journal_end = Position(*map(max, zip(end, recorded, *committed, strict=True)))
    if found.segments and (tail := missing_tail(end, loaded)):
        newest = found.segments[-1]
        repairs.append(Repair("missing", newest.path.name, end.offset - newest.base.offset, *tail, ""))
    base, start = (found.segments[0].base, found.segments[0].first) if found.segments else (journal_end, journal_end)
    oldest = found.segments[0].path.name if found.segments else FILE_NAME
    for name, commit in commits.items():
        at = commit.position
        if found.segments and at.offset > max(end, recorded).offset:
            repairs.append(Repair("beyond", FILE_NAME, 0, at.offset - end.offset, None, ""))
        if at.offset < base.offset:
            gone, events = base.offset - at.offset, max(base.events - at.events, 0)
            repairs.append(Repair("missing", oldest, 0, gone, events, ""))
        if at.offset >= end.offset:
            commits[name] = Commit(journal_end, commit.state)
        elif at.offset < start.offset:
            commits[name] = Commit(start, commit.state)
    return journal_end
