"""Reading records of one segment from a position on, around damage."""

from __future__ import annotations

from typing import NamedTuple

from ingestd.journal.base import Entry, Position
from ingestd.journal.format import RECORD_HEADER_BYTES, Bad, check, decode, peek, walk
from ingestd.journal.segment import Segment, read_part


class Damage(NamedTuple):
    """Damaged bytes of a segment; ``bad.at`` is their offset in the file."""

    bad: Bad
    data: bytes


def read_segment(segment: Segment, position: Position, max_bytes: int) -> tuple[list[Entry], Damage | None]:
    """Return entries after ``position``, and the damage found before the first of them.

    Args:
        segment: Ends after ``position``.
        position: Where to start, not before the segment's first record.
        max_bytes: Of data; at least one entry is returned.

    Memory: ``max_bytes`` or one record; after damage the rest of the segment. Raises OSError.
    """
    start, rest = position.offset - segment.base.offset, segment.end.offset - position.offset
    try:
        data = read_part(segment.path, start, min(max_bytes + RECORD_HEADER_BYTES, rest))
        header = peek(memoryview(data), 0)
        if header and len(data) < header.size <= rest:
            data = read_part(segment.path, start, header.size)
        if entries := _entries(data, position.offset, max_bytes):
            return entries, None
        data = read_part(segment.path, start, rest)
    except FileNotFoundError:  # it was freed meanwhile: every consumer has committed it
        return [], None
    return _after_damage(data, start, position, max_bytes)


def _after_damage(data: bytes, start: int, position: Position, max_bytes: int) -> tuple[list[Entry], Damage | None]:
    """Read ``data``, the rest of a segment from ``start`` on, which does not start with a good record."""
    damage = None
    for part in walk(data, 0, position):
        if not isinstance(part, Bad):
            return _entries(data[part.at :], position.offset + part.at, max_bytes), damage
        damage = Damage(Bad(start + part.at, part.size, part.events), data[part.at : part.at + part.size])
    return [], damage


def _entries(data: bytes, journal_offset: int, max_bytes: int) -> list[Entry]:
    """Return the good records at the beginning of ``data``, whose first byte has this offset in the journal."""
    view, at, size, entries = memoryview(data), 0, 0, list[Entry]()
    while header := check(view, at, journal_offset):
        size += header.data_size
        if entries and size > max_bytes:
            break
        entries.append(Entry(decode(view, at, header), header.end))
        at += header.size
    return entries
