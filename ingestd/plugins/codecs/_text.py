"""The common part of the text codecs: a frame becomes ``message``; events are written with a format."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Protocol

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import Key
from ingestd.event.fields import Event
from ingestd.event.sprintf import Template
from ingestd.event.table import Table
from ingestd.plugins.charsets import find_charset, text_decoder
from ingestd.plugins.codecs._events import complete, receive_time
from ingestd.plugins.registry import Touch
from ingestd.protocols.framing.lines import LINE_FEED

_DEFAULT_FORMAT = "%{@timestamp} %{host} %{message}"
"""Logstash's format."""


_COMPLETED = frozenset({"message", "tags", "@timestamp", "@version", "@metadata", "@fields", "@message"})
"""Fields of a stream that ``complete`` looks at."""


class TextDecoder:
    """Converts frames to events, with the fields of the stream (host, port) added.

    ``ecs``: also keep the text in ``[event][original]``. ``in_columns``: filters touch only fields that they state.
    """

    def __init__(self, charset: str, fallback_charset: str, *, ecs: bool, in_columns: bool = False) -> None:
        self._text, self._ecs = text_decoder(charset, fallback_charset), ecs
        self._in_columns = in_columns and not ecs
        self._utf8 = find_charset(charset) == "utf-8"

    @property
    def keeps_text(self) -> bool:
        """Whether text in UTF-8 becomes ``message`` as it is, and nothing else."""
        return self._utf8 and not self._ecs

    def event(self, frame: bytes, chunk: Chunk) -> Event:
        """Return the event of one frame of a chunk; invalid bytes are written as ``\\xNN``."""
        text = self._text(frame)
        event: Event = {"message": text, **chunk.fields}
        if self._ecs:
            event["event"] = {**chunk.fields.get("event", {}), "original": text}
        return complete(event, receive_time(chunk))

    def table(self, frames: Sequence[bytes], keys: Sequence[Key], chunk: Chunk, separator: bytes = LINE_FEED) -> Table:
        """Return the events of frames, in which ``separator`` is not, as columns if that makes no difference."""
        if not self._in_columns or not _COMPLETED.isdisjoint(chunk.fields):
            return Table.of_events([self.event(frame, chunk) for frame in frames], keys)
        columns = {"message": self._texts(frames, separator), "@timestamp": [receive_time(chunk)] * len(keys)}
        return Table.of_columns(columns | {name: [value] * len(keys) for name, value in chunk.fields.items()}, keys)

    def _texts(self, frames: Sequence[bytes], separator: bytes) -> list[str]:
        if self._utf8 and frames:
            with contextlib.suppress(UnicodeDecodeError):
                return separator.join(frames).decode().split(separator.decode())
        return [self._text(frame) for frame in frames]


class HasFormat(Protocol):
    """The options of a codec that writes events with a format."""

    @property
    def format(self) -> str:
        """Empty: the default one."""


def format_reads(options: HasFormat) -> Touch:
    """Return the fields that the format of an output's codec reads."""
    return Touch(reads=Template(options.format or _DEFAULT_FORMAT).reads)


class TextEncoder:
    """Writes events with a format."""

    def __init__(self, format_: str) -> None:
        self._render = Template(format_ or _DEFAULT_FORMAT).render

    def encode(self, batch: Batch, end: bytes) -> bytes:
        """Return the text of all events, ``end`` after each."""
        return b"".join([self._render(event).encode("utf-8", "replace") + end for event in batch.events()])
