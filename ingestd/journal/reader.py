"""Reading records of one segment from a position on, around damage."""

from __future__ import annotations

from typing import NamedTuple

from ingestd.journal.base import Entry, Position
from ingestd.journal.format import HEAD_BYTES, Bad, check, decode, peek, walk
from ingestd.journal.segment import Segment, read_part


class Damage(NamedTuple):
    """Damaged bytes of a segment; ``bad.at`` is their place in the file."""

    bad: Bad
    data: bytes


def read_segment(segment: Segment, position: Position, max_bytes: int) -> tuple[list[Entry], Damage | None]:
    """Return records behind ``position``, and the damage found before the first of them.

    Args:
        segment: It ends behind ``position``.
        position: Where to begin, not before the segment's first record.
        max_bytes: Of data; one record is returned nevertheless.

    Memory: ``max_bytes`` or one record; where there is damage, the rest of the segment. Raises OSError.
    """
    begin, rest = position.offset - segment.base.offset, segment.end.offset - position.offset
    try:
        data = read_part(segment.path, begin, min(max_bytes + HEAD_BYTES, rest))
        head = peek(memoryview(data), 0)
        if head and len(data) < head.size <= rest:
            data = read_part(segment.path, begin, head.size)
        if entries := _entries(data, position.offset, max_bytes):
            return entries, None
        data = read_part(segment.path, begin, rest)
    except FileNotFoundError:  # it was freed meanwhile: everybody has committed it
        return [], None
    return _behind_damage(data, begin, position, max_bytes)


def _behind_damage(data: bytes, begin: int, position: Position, max_bytes: int) -> tuple[list[Entry], Damage | None]:
    """Read ``data``, the rest of a segment from ``begin`` on, which does not start with a good record."""
    damage = None
    for one in walk(data, 0, position):
        if not isinstance(one, Bad):
            return _entries(data[one.at :], position.offset + one.at, max_bytes), damage
        damage = Damage(Bad(begin + one.at, one.size, one.events), data[one.at : one.at + one.size])
    return [], damage


def _entries(data: bytes, place: int, max_bytes: int) -> list[Entry]:
    """Return the good records at the beginning of ``data``, whose first byte has the journal's offset ``place``."""
    view, at, taken, entries = memoryview(data), 0, 0, list[Entry]()
    while head := check(view, at, place):
        taken += head.data_size
        if entries and taken > max_bytes:
            break
        entries.append(Entry(decode(view, at, head), head.end))
        at += head.size
    return entries
