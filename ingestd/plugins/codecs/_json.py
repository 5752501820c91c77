"""The common part of the JSON codecs: decode whole chunks at once, only the fields that the pipeline touches.

The fast path decodes a chunk of lines with one object each to raw records and projected fields. Other chunks are
decoded line by line, and a line that is not JSON becomes an event with the text as ``message`` and the tag
``_jsonparsefailure``, as in Logstash.
"""

from __future__ import annotations

import contextlib
from io import BytesIO
from itertools import accumulate
from typing import Annotated, Any, Required, TypedDict

import msgspec

from ingestd.event.chunk import Chunk
from ingestd.event.fields import Event, FieldError, FieldRef
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.event.record import Batch
from ingestd.event.timestamp import is_canonical
from ingestd.plugins.charsets import find_charset, text_decoder
from ingestd.plugins.codecs._events import complete, receive_time
from ingestd.plugins.interfaces import Decoded

_MAX_SECONDS = 100_000
"""How many distinct seconds to cache as valid: about a day of them, 10 MB."""

_FRACTIONS = frozenset(f".{milliseconds:03}Z" for milliseconds in range(1000))
"""The end of a timestamp with milliseconds, after its seconds."""

_ORIGINAL = FieldRef("[event][original]")

_ABSENT = Annotated[int, msgspec.Meta(gt=0, lt=0)]
"""Matches no value: a decoder rejects a record that has such a field."""


class JsonDecoder:
    """Decodes JSON records.

    Args:
        fields: The top-level names to decode, None for all.
        charset: Encoding of the text, by Python's or Ruby's name.
        target: Field for the record; None: the record becomes the event.
        ecs: Keep the text of a record in ``[event][original]``.
        whole: A record with one of these top-level fields is decoded in full.
    """

    def __init__(
        self,
        fields: frozenset[str] | None,
        charset: str,
        *,
        target: FieldRef | None = None,
        ecs: bool = False,
        whole: frozenset[str] = frozenset(),
    ) -> None:
        self._target, self._ecs = target, ecs
        self._not_raw = frozenset({"@metadata", "@fields", *whole})
        self._utf8 = find_charset(charset) == "utf-8"
        self._text = text_decoder(charset)
        self._projected: msgspec.json.Decoder[Any] | None = None
        self._usual: msgspec.json.Decoder[Any] | None = (
            None  # rejects records that cannot stay raw, except for bad timestamps
        )
        if fields is not None and target is None and not ecs:
            # ``tags`` that are not text make the decoder reject a record, so that ``complete`` sees it.
            names = dict.fromkeys(sorted(fields | whole), Any) | {"tags": list[str] | str | None}
            self._projected = msgspec.json.Decoder(TypedDict("Projected", names, total=False))  # type: ignore[operator]
            names |= {"@timestamp": Required[str], "@version": Required[Any]} | dict.fromkeys(self._not_raw, _ABSENT)
            self._usual = msgspec.json.Decoder(TypedDict("Usual", names, total=False))  # type: ignore[operator]
        self._seconds: set[str] = set()

    def lines(self, chunk: Chunk) -> Decoded:
        """Return the records of a chunk of lines; blank lines are no records."""
        if self._projected is None or self._usual is None or not self._is_utf8(chunk.data):
            return self._line_by_line(chunk)
        try:
            try:
                events: list[Event] = self._usual.decode_lines(chunk.data)
                plain = self._all_canonical(events)
            except msgspec.ValidationError:
                events, plain = self._projected.decode_lines(chunk.data), False
        except (msgspec.DecodeError, RecursionError):
            return self._line_by_line(chunk)
        lines = BytesIO(chunk.data).readlines()  # faster than split: it finds line ends with memchr
        texts = _texts(lines)
        if texts is None or len(events) != len(texts):
            return self._line_by_line(chunk)
        keys = list(accumulate(map(len, lines), initial=chunk.offset))
        keys.pop()  # the end of the last line
        raws: list[bytes | None] = [*texts]
        if not plain:
            self._complete(raws, events, receive_time(chunk))
        return Decoded(raws, events, keys)

    def message(self, chunk: Chunk) -> Decoded:
        """Return the records of one message: an object, or an array of them."""
        decoded = Decoded([], [], [])
        if chunk.data.strip():
            self._line(chunk.data, chunk.offset, receive_time(chunk), decoded)
        return decoded

    def _is_utf8(self, data: bytes) -> bool:
        if data.isascii():
            return True
        if not self._utf8:
            return False
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
        return True

    def _complete(self, raws: list[bytes | None], events: list[Event], now: str) -> None:
        """Decode in full the records that need more than the touched fields; they lose their raw text."""
        for index, (raw, event) in enumerate(zip(raws, events, strict=True)):
            if raw is not None and not self._plain(event):
                raws[index], events[index] = None, self._in_full(raw, now)

    def _all_canonical(self, events: list[Event]) -> bool:
        """Return whether all timestamps are canonical with milliseconds; False if each must be checked."""
        stamps = [event["@timestamp"] for event in events]
        seconds, fractions = {stamp[:19] for stamp in stamps}, {stamp[19:] for stamp in stamps}
        new = seconds - self._seconds
        if not fractions <= _FRACTIONS or not all(is_canonical(f"{second}.000Z") for second in new):
            return False
        if len(self._seconds) >= _MAX_SECONDS:
            self._seconds.clear()
        self._seconds |= new
        return True

    def _line_by_line(self, chunk: Chunk) -> Decoded:
        decoded = Decoded([], [], [])
        start, now = 0, receive_time(chunk)
        for line in chunk.data.split(b"\n"):
            if line.strip():
                self._line(line.removesuffix(b"\r"), chunk.offset + start, now, decoded)
            start += len(line) + 1
        return decoded

    def _line(self, line: bytes, key: int, now: str, out: Decoded) -> None:
        """Append the records of one JSON text; the n-th element of an array has the key ``key + n``."""
        text = line.strip()
        if not self._utf8 and not text.isascii():
            text = self._text(text).encode()
        projected = self._project(text)
        if projected is not None:
            _append(out, text, projected, key)
            return
        try:
            value = loads(text)
        except NotJsonError:
            value = None
        if type(value) is dict:
            _append(out, None, self._whole(value, text, now), key)
        elif type(value) is list and value and all(type(item) is dict for item in value):
            for number, item in enumerate(value):
                _append(out, None, self._whole(item, text if len(value) == 1 else None, now), key + number)
        elif value != []:
            _append(out, None, self._failure(line, now), key)

    def _whole(self, record: Event, text: bytes | None, now: str) -> Event:
        """Return the event of a record that is decoded in full; ``text`` is its original text."""
        if self._target is not None:
            event: Event = {}
            self._target.set(event, record)
            record = event
        if self._ecs and text is not None and not _ORIGINAL.exists(record):
            with contextlib.suppress(FieldError):  # ``event`` may be text
                _ORIGINAL.set(record, text.decode())
        return complete(record, now)

    def _project(self, text: bytes) -> Event | None:
        """Return the projected fields of one line, None if it must be decoded in full."""
        if self._projected is None or not (text.startswith(b"{") and text.endswith(b"}") and b"\n" not in text):
            return None
        try:
            text.decode()
            event: Event = self._projected.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return event if self._plain(event) else None

    def _in_full(self, raw: bytes, now: str) -> Event:
        """Return the whole event of a line whose projected fields could be decoded."""
        try:
            return complete(loads(raw), now)
        except NotJsonError:  # nested too deeply
            return self._failure(raw, now)

    def _failure(self, line: bytes, now: str) -> Event:
        return complete({"message": self._text(line), "tags": ["_jsonparsefailure"]}, now)

    def _plain(self, event: Event) -> bool:
        """Return whether a record can stay raw: only filters change it."""
        stamp = event.get("@timestamp")
        if type(stamp) is not str or not is_canonical(stamp):
            return False
        return "@version" in event and self._not_raw.isdisjoint(event)


def _texts(lines: list[bytes]) -> list[bytes] | None:
    """Return the records, stripped, None unless every line is one record.

    A record that spans lines leaves a line that does not start and end as an object does.
    """
    if {line[0] for line in lines} == {ord("{")} and {line[-2:] for line in lines} == {b"}\n"}:
        return [line[:-1] for line in lines]
    texts = [line.strip() for line in lines]
    objects = {text[:1] for text in texts} <= {b"{"} and {text[-1:] for text in texts} <= {b"}"}
    return texts if objects else None


def _append(out: Decoded, raw: bytes | None, event: Event, key: int) -> None:
    out.raws.append(raw)
    out.events.append(event)
    out.keys.append(key)


def encode_lines(batch: Batch) -> bytes:
    """Return the documents of ``batch``, one per line."""
    documents = batch.documents()
    return b"\n".join([*documents, b""]) if documents else b""
