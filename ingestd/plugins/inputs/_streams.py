"""What inputs that read byte streams have in common: names of streams, and lines put into the sink."""

from __future__ import annotations

import itertools
import os
import time

from ingestd.event.fields import Event
from ingestd.plugins.interfaces import Chunk, Origin, Sink
from ingestd.protocols.lines import Cut, LineCutter

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


_process = _base36(int(time.time() * 1000)) + _base36(int.from_bytes(os.urandom(2), "big"))
_streams = itertools.count()


def new_origin(fields: Event | None = None) -> Origin:
    """Return a new stream with an id that no other has: start of the process, chance, a number.

    Ids rise with time, so that the document ids made of them are cheap for an index to take in.
    """
    return Origin(f"{_process}{_base36(next(_streams))}", fields or {})


class LineStream:
    """Feeds one stream of lines into a sink: whole lines as chunks, lines too long as dead letters."""

    def __init__(self, sink: Sink, origin: Origin, max_line_bytes: int) -> None:
        self._sink, self._origin, self._max = sink, origin, max_line_bytes
        self._cutter = LineCutter(max_line_bytes)

    def feed(self, data: bytes | memoryview) -> None:
        """Take in what was read."""
        self._put(self._cutter.feed(data))

    def feed_eof(self) -> None:
        """Take in the last line, if the stream ended without a line end."""
        self._put(self._cutter.feed_eof())

    def _put(self, cuts: list[Cut]) -> None:
        for cut in cuts:
            if cut.data:
                self._sink.put(Chunk(cut.data, self._origin, cut.offset))
            for line in cut.too_long:
                reason = f"the line is longer than max_line_bytes: {line.size} of {self._max} bytes allowed"
                self._sink.reject(line.head, reason, self._origin)
