"""The common part of the text codecs: a frame becomes ``message``; events are written with a format."""

from __future__ import annotations

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.fields import Event
from ingestd.event.sprintf import Template
from ingestd.plugins.charsets import text_decoder
from ingestd.plugins.codecs._events import complete, receive_time

_DEFAULT_FORMAT = "%{@timestamp} %{host} %{message}"
"""Logstash's format."""


class TextDecoder:
    """Converts frames to events, with the fields of the stream (host, port) added.

    ``ecs``: also keep the text in ``[event][original]``.
    """

    def __init__(self, charset: str, fallback_charset: str, *, ecs: bool) -> None:
        self._text, self._ecs = text_decoder(charset, fallback_charset), ecs

    def event(self, frame: bytes, chunk: Chunk) -> Event:
        """Return the event of one frame of a chunk; invalid bytes are written as ``\\xNN``."""
        text = self._text(frame)
        event: Event = {"message": text, **chunk.fields}
        if self._ecs:
            event["event"] = {"original": text}
        return complete(event, receive_time(chunk))


class TextEncoder:
    """Writes events with a format."""

    def __init__(self, format_: str) -> None:
        self._render = Template(format_ or _DEFAULT_FORMAT).render

    def encode(self, batch: Batch, end: bytes) -> bytes:
        """Return the text of all events, ``end`` after each."""
        return b"".join([self._render(event).encode("utf-8", "replace") + end for event in batch.events()])
