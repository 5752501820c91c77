"""The id of an event: its stream and its place in it, ``mg7k2a1x9-00000000d2f0``.

The same bytes of the same stream always get the same id, so an event that is delivered again makes no duplicate. Ids
rise within their stream. Copies that a filter makes have a suffix: ``mg7k2a1x9-00000000d2f0-1``. A message may be
several events: those after the first have another suffix, ``mg7k2a1x9-00000000d2f0-p1``.

An event that names itself, as the lines of Filebeat do by file and offset, has an id of its own instead, whatever
stream brings it: ``b_9f86d081884c7d659a2f-0000000004d2-5f0c2a11``. See ``own_id``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, overload

from ingestd.event.chunk import Chunk

Key = int | str
"""Place of an event in its stream: the byte offset of its frame; of a copy that a filter made ``copy_key``, of a part
of a message ``part_key``. In a table of several streams it is the whole id, see ``stream_keys``; an ``own_id`` always
is."""

_OWN = "b_"
"""What ids of events that name themselves start with; no other id of a stream has an underscore, but for `KEYED`."""

KEYED = "k_"
"""What the id of a stream starts with that is made of a key that a client sends with a request, and of its content: the
same for a request that is sent again."""

OWN_PREFIXES = (_OWN, KEYED)
"""What ids start with that are the same when an event is sent again, whatever connection and worker it comes to."""

_OFFSET = "%012x"
"""How an offset stands in an id. For ``%``: ids are also made as bytes, straight into documents."""

_ID = re.compile(r"(?P<stream>.+?)-(?P<key>(?P<offset>[0-9a-f]{12,})(?:-.*)?)", re.DOTALL)


class EventId(NamedTuple):
    """The parts of an id. ``key`` is all that follows the stream, as text."""

    stream_id: str
    key: str
    offset: int


def key_text(key: Key) -> str:
    """Return a key as it stands in an id."""
    return _OFFSET % key if type(key) is int else str(key)


def copy_key(key: Key, number: int) -> str:
    """Return the key of the copy ``number`` of an event."""
    return f"{key_text(key)}-{number}"


def part_key(key: Key, number: int) -> Key:
    """Return the key of the event ``number``, from 0, of a message; no copy of another one has the same."""
    return f"{key_text(key)}-p{number}" if number else key


def own_id(source: bytes, offset: int, version: str = "") -> str:
    """Return the id of an event that names itself.

    Args:
        source: What the offset counts in, as a file of a host.
        offset: Where the event is in it: 0 or more.
        version: Distinguishes events at the same offset, as of a file that was rewritten; hexadecimal.
    """
    digest = hashlib.blake2b(source, digest_size=10).hexdigest()
    return f"{_OWN}{digest}-{_OFFSET % offset}" + (f"-{version}" if version else "")


def is_own_id(event_id: str) -> bool:
    """Return whether an id does not depend on the stream that brought the event, nor on its place there."""
    return event_id.startswith(_OWN)


def possible_originals(event_id: str) -> set[str]:
    """Return the ids that an event may have been a copy or part of, and its own: without up to two suffixes."""
    one = event_id.rpartition("-")[0]
    return {event_id, one, one.rpartition("-")[0]}


def named_by_sender(ids: Sequence[str]) -> list[int]:
    """Return which of n ids are the same when an event is sent again: see `OWN_PREFIXES`."""
    if "_" not in "".join(ids):  # a tenth of the time, and nearly always enough
        return []
    return [row for row, event_id in enumerate(ids) if event_id.startswith(OWN_PREFIXES)]


HANDED_OVER_ID = re.compile(r".*-t[0-9a-f]{8}", re.DOTALL)
"""Matches the id that an event had when its pipeline got it from another one; copies of it have more."""


def handed_over_suffix(way: str) -> str:
    """Return what the id of an event gets after ``-`` when one pipeline sends it to another; ``way``: how."""
    return "t" + hashlib.blake2b(way.encode(), digest_size=4).hexdigest()


def _prefix(stream_id: str) -> str:
    """Return what the ids of a stream start with; without a stream, keys are whole ids."""
    return f"{stream_id}-" if stream_id else ""


def event_id(stream_id: str, key: Key) -> str:
    """Return the id of an event."""
    if type(key) is str and is_own_id(key):
        return key
    return f"{_prefix(stream_id)}{key_text(key)}"


def stream_keys(keys: Iterable[Key], chunks: Sequence[Chunk]) -> list[Key]:
    """Return the keys of events that were decoded from joined chunks: their ids.

    Args:
        keys: Offsets in the joined chunk, rising.
        chunks: The chunks that were joined.
    """
    ids: list[Key] = []
    rest = iter(chunks)
    start = end = 0
    pattern, shift = "", 0
    for key in keys:
        assert type(key) is int  # noqa: S101 -- codecs make no copies
        while key >= end:
            chunk = next(rest)
            start, end = end, end + len(chunk.data)
            pattern, shift = _prefix(chunk.stream_id).replace("%", "%%") + _OFFSET, chunk.offset - start
        ids.append(pattern % (key + shift))
    return ids


class EventIds(Sequence[str]):
    """The ids of n events of one stream, each made when it is asked for: most are needed only as bytes in a line."""

    __slots__ = ("_keys", "_stream_id")

    def __init__(self, stream_id: str, keys: Iterable[Key]) -> None:
        self._stream_id, self._keys = stream_id, list(keys)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._keys)

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> EventIds: ...

    def __getitem__(self, at: int | slice) -> str | EventIds:
        """Return one id, or the ids of a slice."""
        if isinstance(at, slice):
            return EventIds(self._stream_id, self._keys[at])
        return event_id(self._stream_id, self._keys[at])

    def __iter__(self) -> Iterator[str]:
        """Return the ids in turn."""
        return (event_id(self._stream_id, key) for key in self._keys)

    def fill(self, template: bytes) -> list[bytes]:
        """Return n texts: ``template`` with its last ``%b`` replaced by each id."""
        before, _, after = template.replace(b"%", b"%%").rpartition(b"%%b")
        front = before + _prefix(self._stream_id).encode().replace(b"%", b"%%")
        offset, text = front + _OFFSET.encode() + after, front + b"%b" + after
        own, mark = before + b"%b" + after, _OWN
        return [
            offset % key if type(key) is int else (own if key.startswith(mark) else text) % key.encode()  # type: ignore[union-attr]
            for key in self._keys
        ]


def parse_event_id(text: str) -> EventId | None:
    """Return the parts of an id, None if it is none of ours."""
    match = _ID.fullmatch(text)
    return None if match is None else EventId(match["stream"], match["key"], int(match["offset"], 16))
