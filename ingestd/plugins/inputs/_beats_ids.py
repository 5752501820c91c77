"""The ids of events that Beats send: made from fields of the event, so that one that is sent again gets the same id.

- ``[@metadata][_id]``, which Filebeat's processors `add_id` and `fingerprint` set, and clients may;
- of a line of a file: the agent, the file and the offset, as in ``[agent][id]``, ``[log][file]`` and ``[log][offset]``,
  or in ``beat``, ``source`` and ``offset`` of Filebeat 5 and 6. A file may be rewritten, and the number of its inode
  is used again, so the time and the text of the event are part of the id as well.

Other events get the id of their connection and their place in it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import msgspec

from ingestd.event.event_id import own_id

_MAX_SOURCES = 10_000
"""Maximum number of files whose part of the ids is remembered: about 4 MB."""

_OFFSETS = range(2**63)

_Text = str | int | None


class _Names(msgspec.Struct, gc=False):
    """``agent`` or ``beat``."""

    id: _Text = None
    name: _Text = None
    hostname: _Text = None


class _File(msgspec.Struct, gc=False):
    path: _Text = None
    device_id: _Text = None
    inode: _Text = None
    fingerprint: _Text = None
    vol: _Text = None
    idxhi: _Text = None
    idxlo: _Text = None


class _Log(msgspec.Struct, gc=False):
    offset: int | None = None
    file: _File | None = None


class _Metadata(msgspec.Struct, gc=False):
    id: str | None = msgspec.field(name="_id", default=None)


_NONE = msgspec.Raw(b"")


class _Event(msgspec.Struct, gc=False):
    """What of an event may be part of its id."""

    metadata: _Metadata | None = msgspec.field(name="@metadata", default=None)
    log: _Log | None = None
    agent: _Names | None = None
    beat: _Names | None = None
    source: _Text = None
    offset: int | None = None
    message: msgspec.Raw = _NONE
    timestamp: msgspec.Raw = msgspec.field(name="@timestamp", default=_NONE)


_decode = msgspec.json.Decoder(_Event).decode
_Source = tuple[Any, ...]


class BeatsIds:
    """Makes ids of events; those of a file share a part, which is made once."""

    def __init__(self) -> None:
        self._prefixes: dict[_Source, str] = {}

    def of_lines(self, lines: Sequence[bytes]) -> list[str | None]:
        """Return the own id of each of n events in JSON; None: it says too little of itself, or is not JSON."""
        try:
            events = [*map(_decode, lines)]
        except (msgspec.DecodeError, RecursionError):
            return [*map(self._of_line, lines)]
        return [*map(self._of_event, events)]

    def _of_line(self, line: bytes) -> str | None:
        try:
            return self._of_event(_decode(line))
        except (msgspec.DecodeError, RecursionError):
            return None

    def _of_event(self, event: _Event) -> str | None:
        metadata = event.metadata
        if metadata is not None and metadata.id:
            return own_id(b"_id\0" + metadata.id.encode("utf-8", "surrogatepass"), 0)
        found = _file_of(event)
        if found is None:
            return None
        source, offset = found
        prefix = self._prefixes.get(source)
        if prefix is None:
            prefix = self._new_prefix(source)
        return f"{prefix}{offset:012x}-{zlib.crc32(event.message, zlib.crc32(event.timestamp)):08x}"

    def _new_prefix(self, source: _Source) -> str:
        if len(self._prefixes) >= _MAX_SOURCES:
            self._prefixes.clear()
        prefix = self._prefixes[source] = own_id(msgspec.json.encode(source), 0).removesuffix("0" * 12)
        return prefix


def _file_of(event: _Event) -> tuple[_Source, int] | None:
    """Return what an offset counts in, and the offset; None: the event names no agent, file or offset."""
    names, log = event.agent or event.beat, event.log
    agent = names and (names.id or names.hostname or names.name)
    if not agent:
        return None
    if log is not None and log.file is not None and (offset := log.offset) is not None and offset in _OFFSETS:
        return (agent, *msgspec.structs.astuple(log.file)), offset
    if event.source and (offset := event.offset) is not None and offset in _OFFSETS:
        return (agent, event.source), offset
    return None
