"""Lumberjack, the protocol of Beats and logstash-forwarder, versions 1 and 2: the reader's side. Sans-IO.

A writer announces a window of events, sends them, usually compressed, and waits until the reader acknowledges the last.
Follows https://github.com/logstash-plugins/logstash-input-beats/blob/main/PROTOCOL.md, and where that is silent what
Logstash does. All numbers are big-endian and unsigned, of 32 bits:

=========== ============ ==========================================================================
``2W``      window       number of events that the writer sends before it waits
``2J``      JSON         sequence number, length, an object in JSON
``2D``      data         sequence number, number of pairs, and for each: length, name, length, text
``2C``      compressed   length, frames compressed with zlib, none of which is compressed
``2A``      acknowledged sequence number of an event: it and all before it are safe; sent by the reader
=========== ============ ==========================================================================

The first byte is the version, ``1`` or ``2``. The stream has no marks to find a frame by, so after an error it is lost.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

EXCERPT_BYTES = 4096
"""How much of an event is kept that is too long."""

INFLATE_BYTES = 192 << 10
"""How much is inflated at once: about what a pipeline processes at once."""

MAX_INFLATED_BYTES = 256 << 20
"""Of a compressed frame: a window of 2,048 events has 1 to 4 MB, and zlib can make 1,000 bytes of one."""

_EVENT = struct.Struct(">HII")
_NUMBER = struct.Struct(">I")
_VERSIONS = (b"1", b"2")
_JSON_2 = int.from_bytes(b"2J", "big")
_HEAD_BYTES, _WINDOW_BYTES, _EVENT_BYTES = 2, 6, 10
_KINDS = (b"W", b"J", b"D", b"C", b"")


class LumberjackError(ValueError):
    """The bytes are not the protocol, or exceed a limit; the message says what was expected. The connection is lost."""


class Events(NamedTuple):
    """Consecutive events of a window.

    Attributes:
        documents: n >= 1 texts, JSON as it came; of data frames an object with the pairs.
    """

    documents: list[bytes]


class OversizedEvent(NamedTuple):
    """An event of ``size`` bytes, more than are allowed; ``excerpt`` is its start."""

    size: int
    excerpt: bytes


class WindowEnd(NamedTuple):
    """A window has ended: acknowledge ``sequence`` in ``version`` as soon as all events before are safe.

    ``received`` of ``size`` events have come; fewer if the writer went on with the next window.
    """

    version: int
    sequence: int
    received: int
    size: int


Item = Events | OversizedEvent | WindowEnd


@dataclass
class _Window:
    """The window that is being received; without a window frame it is a single event."""

    size: int = 1
    received: int = 0
    version: int = 2
    sequence: int = 0
    announced: bool = False

    @property
    def left(self) -> int:
        return self.size - self.received

    def start(self, version: int, size: int) -> None:
        self.version, self.size, self.received, self.sequence, self.announced = version, size, 0, 0, True

    def note(self, version: int, sequence: int, count: int) -> None:
        self.version, self.sequence, self.received = version, sequence, self.received + count

    def end(self) -> WindowEnd:
        ended = WindowEnd(self.version, self.sequence, self.received, self.size)
        self.size, self.received, self.sequence, self.announced = 1, 0, 0, False
        return ended


@dataclass
class _Pairs:
    """A data frame of which ``left`` names and texts are missing."""

    left: int
    texts: list[bytes] = field(default_factory=list)
    size: int = 0

    def document(self) -> bytes:
        texts = [str(text, "utf-8", "backslashreplace") for text in self.texts]
        return json.dumps(dict(zip(texts[::2], texts[1::2], strict=True))).encode()


class Decoder:
    """Turns the bytes of a writer into events and the ends of windows, however they are cut.

    Memory: ``max_event_bytes``, what was fed, and ``INFLATE_BYTES``, as long as the items are taken one by one.

    Args:
        max_event_bytes: Longer events are skipped and reported, and the stream continues.
        max_inflated_bytes: Of the text of one compressed frame; more is an error.
    """

    def __init__(self, max_event_bytes: int = 1 << 20, max_inflated_bytes: int = MAX_INFLATED_BYTES) -> None:
        self._window = _Window()
        self._max_event_bytes, self._max_inflated_bytes = max_event_bytes, max_inflated_bytes
        self._outer = _Frames(self._window, max_event_bytes)
        self._inner: _Frames | None = None  # of the compressed frame that is being received
        self._inflater = zlib.decompressobj()
        self._inflated = 0
        self._error: LumberjackError | None = None

    @property
    def version(self) -> int:
        """The version of the last frame that started."""
        return self._window.version

    @property
    def waits_for_window(self) -> bool:
        """Whether the stream is between two windows, where it may end."""
        return not (self._window.received or self._window.announced or self._outer.inside or self._inner)

    def feed(self, data: bytes) -> Iterator[Item]:
        """Yield what ``data`` completes; take all of it before the next call.

        Raises:
            LumberjackError: After all that came before the error; then at each call.
        """
        if self._error is not None:
            raise self._error
        try:
            yield from self._items(data)
        except LumberjackError as error:
            self._error = error
            raise

    def _items(self, data: bytes) -> Iterator[Item]:
        for item in self._outer.feed(data):
            if isinstance(item, _Deflated):
                yield from self._inflate(item)
            else:
                yield item

    def _inflate(self, deflated: _Deflated) -> Iterator[Item]:
        if self._inner is None:
            self._inner, self._inflater, self._inflated = self._new_inner(), zlib.decompressobj(), 0
        data = deflated.data
        while True:
            text = self._inflated_text(data)
            for item in self._inner.feed(text):
                assert not isinstance(item, _Deflated)  # noqa: S101 -- ``_Frames`` refuses it
                yield item
            data = self._inflater.unconsumed_tail
            if not text and not data:
                break
        if deflated.last:
            self._end_of_compressed(self._inner)

    def _new_inner(self) -> _Frames:
        return _Frames(self._window, self._max_event_bytes, nested=True)

    def _inflated_text(self, data: bytes) -> bytes:
        try:
            text = self._inflater.decompress(data, INFLATE_BYTES)
        except zlib.error as error:
            raise LumberjackError(f"expected zlib data in a compressed frame: {error}") from None
        self._inflated += len(text)
        if self._inflated > self._max_inflated_bytes:
            raise LumberjackError(f"a compressed frame holds more than {self._max_inflated_bytes} bytes")
        return text

    def _end_of_compressed(self, inner: _Frames) -> None:
        if not self._inflater.eof:
            raise LumberjackError("expected the end of the zlib data, but the compressed frame ends before it")
        if self._inflater.unused_data:
            raise LumberjackError("expected nothing after the zlib data of a compressed frame")
        if inner.inside:
            raise LumberjackError("expected whole frames in a compressed frame, but the last one is cut off")
        self._inner = None


class _Deflated(NamedTuple):
    """The next bytes of a compressed frame."""

    data: bytes
    last: bool


class _Frames:
    """Reads frames from bytes that come in any pieces. ``nested``: they come from a compressed frame."""

    def __init__(self, window: _Window, max_event_bytes: int, *, nested: bool = False) -> None:
        self._window, self._max, self._nested = window, max_event_bytes, nested
        self._buffer = b""  # starts with a frame, or with what is missing of the last one
        self._skip = 0  # bytes of an event that is too long, or of one of its texts, not received yet
        self._compressed = 0  # bytes of a compressed frame, not received yet
        self._pairs: _Pairs | None = None
        self._oversized = 0  # size of the event that is too long, as far as it is known
        self._excerpt = b""

    @property
    def inside(self) -> bool:
        """Whether a frame has started and is not complete."""
        return bool(self._buffer or self._skip or self._compressed or self._pairs)

    def feed(self, data: bytes) -> Iterator[Item | _Deflated]:
        """Yield what ``data`` completes."""
        self._buffer += data
        while self._buffer:
            before = len(self._buffer)
            yield from self._next()
            yield from self._end_of_event()
            if len(self._buffer) == before:
                return

    def _next(self) -> Iterator[Item | _Deflated]:
        if self._skip:
            self._take_skipped()
        elif self._compressed:
            yield self._take_compressed()
        elif self._pairs is not None:
            self._take_texts(self._pairs)
        elif documents := self._take_documents():
            yield Events(documents)
            yield from self._window_end()
        else:
            yield from self._take_frame()

    def _take_documents(self) -> list[bytes]:
        """Take short events in JSON from the buffer, up to the end of the window."""
        buffer, at, end, left, limit = self._buffer, 0, len(self._buffer), self._window.left, self._max
        documents: list[bytes] = []
        sequence, unpack = 0, _EVENT.unpack_from
        while end - at >= _EVENT_BYTES and len(documents) < left:
            head, number, length = unpack(buffer, at)
            stop = at + _EVENT_BYTES + length
            if head != _JSON_2 or stop > end or length > limit or not length:
                break
            documents.append(buffer[at + _EVENT_BYTES : stop])
            sequence, at = number, stop
        if documents:
            self._buffer = buffer[at:]
            self._window.note(2, sequence, len(documents))
        return documents

    def _take_frame(self) -> Iterator[Item]:
        """Take any frame from the buffer, if enough of it has come."""
        buffer = self._buffer
        version, kind = buffer[:1], buffer[1:2]
        if version not in _VERSIONS or kind not in _KINDS:
            raise LumberjackError(_not_a_frame(buffer))
        if kind == b"W" and len(buffer) >= _WINDOW_BYTES:
            yield from self._new_window(int(version), _NUMBER.unpack_from(buffer, _HEAD_BYTES)[0])
        elif kind == b"C" and len(buffer) >= _WINDOW_BYTES:
            self._start_compressed(_NUMBER.unpack_from(buffer, _HEAD_BYTES)[0])
        elif kind in (b"J", b"D") and len(buffer) >= _EVENT_BYTES:
            _, sequence, number = _EVENT.unpack_from(buffer)
            if kind == b"D":
                self._start_pairs(int(version), sequence, number)
            else:
                yield from self._take_event(int(version), sequence, number)

    def _new_window(self, version: int, size: int) -> Iterator[Item]:
        self._buffer = self._buffer[_WINDOW_BYTES:]
        if self._window.received:
            yield self._window.end()
        self._window.start(version, size)
        yield from self._window_end()

    def _window_end(self) -> Iterator[Item]:
        if self._window.left <= 0:
            yield self._window.end()

    def _start_compressed(self, size: int) -> None:
        if self._nested:
            raise LumberjackError("expected a window or an event in a compressed frame, but a compressed frame came")
        if not size:
            raise LumberjackError("expected zlib data in a compressed frame, but its length is 0")
        self._buffer, self._compressed = self._buffer[_WINDOW_BYTES:], size

    def _take_compressed(self) -> _Deflated:
        data, self._buffer = self._buffer[: self._compressed], self._buffer[self._compressed :]
        self._compressed -= len(data)
        return _Deflated(data, last=not self._compressed)

    def _take_event(self, version: int, sequence: int, length: int) -> Iterator[Item]:
        """Take an event in JSON from the buffer if it is complete, or start to skip it."""
        if not length:
            raise LumberjackError("expected an object in JSON, but the length of the event is 0")
        if length > self._max:
            self._oversized, self._skip, self._buffer = length, length, self._buffer[_EVENT_BYTES:]
        elif len(self._buffer) >= _EVENT_BYTES + length:
            document = self._buffer[_EVENT_BYTES : _EVENT_BYTES + length]
            self._buffer = self._buffer[_EVENT_BYTES + length :]
            yield Events([document])
        else:
            return
        self._window.note(version, sequence, 1)
        if not self._skip:
            yield from self._window_end()

    def _take_skipped(self) -> None:
        part, self._buffer = self._buffer[: self._skip], self._buffer[self._skip :]
        self._skip -= len(part)
        self._excerpt += part[: EXCERPT_BYTES - len(self._excerpt)]

    def _start_pairs(self, version: int, sequence: int, count: int) -> None:
        if not count:
            raise LumberjackError("expected at least one pair in a data frame, but their number is 0")
        self._buffer, self._pairs = self._buffer[_EVENT_BYTES:], _Pairs(2 * count)
        self._window.note(version, sequence, 1)

    def _take_texts(self, pairs: _Pairs) -> None:
        """Take names and texts of a data frame from the buffer, or start to skip one."""
        at, end = 0, len(self._buffer)
        while pairs.left and not self._skip and end - at >= _NUMBER.size:
            (length,) = _NUMBER.unpack_from(self._buffer, at)
            start = at + _NUMBER.size
            if self._oversized or pairs.size + length > self._max:
                self._skip_text(pairs, length)
                at = start
            elif start + length > end:
                break
            else:
                pairs.texts.append(self._buffer[start : start + length])
                pairs.size += length + _NUMBER.size  # so that empty texts are not free
                at = start + length
            pairs.left -= 1
        self._buffer = self._buffer[at:]

    def _skip_text(self, pairs: _Pairs, length: int) -> None:
        if not self._oversized:
            self._oversized, self._excerpt = pairs.size, b" ".join(pairs.texts)[:EXCERPT_BYTES]
            pairs.texts.clear()
        self._oversized += length + _NUMBER.size
        self._skip = length

    def _end_of_event(self) -> Iterator[Item]:
        """Yield the event that came in parts, if the last has come."""
        pairs = self._pairs
        if self._skip or (pairs is not None and pairs.left) or not (pairs or self._oversized):
            return
        if self._oversized:
            yield OversizedEvent(self._oversized, self._excerpt)
        elif pairs is not None:
            yield Events([pairs.document()])
        self._pairs, self._oversized, self._excerpt = None, 0, b""
        yield from self._window_end()


_NAMES = {b"\x16\x03": "the start of TLS", b"GE": "HTTP", b"PO": "HTTP", b"PU": "HTTP", b"HE": "HTTP", b'{"': "JSON"}


def _not_a_frame(head: bytes) -> str:
    if head[:1] in _VERSIONS and head[1:2] == b"A":
        return "expected a window or an event, but an acknowledgement came: only readers send it"
    name = next((f", {name}" for start, name in _NAMES.items() if head.startswith(start)), "")
    return (
        "expected a frame of the Lumberjack protocol: its version, 1 or 2, and its type, W, J, D or C; "
        f"{head[:16]!r} came{name}"
    )


def ack_frame(sequence: int, version: int = 2) -> bytes:
    """Return the acknowledgement of an event and all before it; 0 acknowledges none and keeps the writer waiting."""
    return b"%dA" % version + _NUMBER.pack(sequence)
