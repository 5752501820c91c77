"""The JSON codecs' common part: whole chunks decoded at once, only the fields that the pipeline touches.

The fast path takes a chunk whose lines each hold one object and hands out raw record and projected fields.
Whatever does not fit is taken line by line, and a line that no JSON parser takes becomes an event with the
text as ``message`` and the tag ``_jsonparsefailure``, as in Logstash.
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
"""How many different seconds are remembered as valid: about a day of them, 10 MB."""

_FRACTIONS = frozenset(f".{milliseconds:03}Z" for milliseconds in range(1000))
"""How a timestamp of milliseconds goes on behind its second."""

_ORIGINAL = FieldRef("[event][original]")

_ABSENT = Annotated[int, msgspec.Meta(gt=0, lt=0)]
"""What no value is: a decoder refuses a record that has such a field."""


class JsonDecoder:
    """Decodes JSON records.

    Args:
        fields: The top-level names to decode, None for all.
        charset: Encoding of the text, by Python's or Ruby's name.
        target: Field to put a record into; None: the event is the record.
        ecs: Keep the text of a record in ``[event][original]``.
    """

    def __init__(
        self,
        fields: frozenset[str] | None,
        charset: str,
        *,
        target: FieldRef | None = None,
        ecs: bool = False,
    ) -> None:
        self._target, self._ecs = target, ecs
        self._utf8 = find_charset(charset) == "utf-8"
        self._text = text_decoder(charset)
        self._projected: msgspec.json.Decoder[Any] | None = None
        self._usual: msgspec.json.Decoder[Any] | None = None  # refuses what cannot stay raw, but for wrong timestamps
        if fields is not None and target is None and not ecs:
            # ``tags`` that are not texts make the decoder refuse a record, so that ``complete`` sees it.
            names = dict.fromkeys(sorted(fields), Any) | {"tags": list[str] | str | None}
            self._projected = msgspec.json.Decoder(TypedDict("Projected", names, total=False))  # type: ignore[operator]
            names |= {"@timestamp": Required[str], "@version": Required[Any], "@metadata": _ABSENT, "@fields": _ABSENT}
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
        lines = BytesIO(chunk.data).readlines()  # quicker than split: it looks for line ends with memchr
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
        """Decode the records that need more than their filters touch in full; they have no raw text any more."""
        for index, (raw, event) in enumerate(zip(raws, events, strict=True)):
            if raw is not None and not _plain(event):
                raws[index], events[index] = None, self._in_full(raw, now)

    def _all_canonical(self, events: list[Event]) -> bool:
        """Return whether all timestamps are right, to the millisecond; False if that takes a closer look."""
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
        begin, now = 0, receive_time(chunk)
        for line in chunk.data.split(b"\n"):
            if line.strip():
                self._line(line.removesuffix(b"\r"), chunk.offset + begin, now, decoded)
            begin += len(line) + 1
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
        """Return the event of a record that is decoded in full; ``text`` is what it came as."""
        if self._target is not None:
            event: Event = {}
            self._target.set(event, record)
            record = event
        if self._ecs and text is not None and not _ORIGINAL.exists(record):
            with contextlib.suppress(FieldError):  # ``event`` may be a text
                _ORIGINAL.set(record, text.decode())
        return complete(record, now)

    def _project(self, text: bytes) -> Event | None:
        """Return the projected fields of one line, None if it needs to be decoded in full."""
        if self._projected is None or not (text.startswith(b"{") and text.endswith(b"}") and b"\n" not in text):
            return None
        try:
            text.decode()
            event: Event = self._projected.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return event if _plain(event) else None

    def _in_full(self, raw: bytes, now: str) -> Event:
        """Return the whole event of a line whose projected fields could be decoded."""
        try:
            return complete(loads(raw), now)
        except NotJsonError:  # nested too deeply
            return self._failure(raw, now)

    def _failure(self, line: bytes, now: str) -> Event:
        return complete({"message": self._text(line), "tags": ["_jsonparsefailure"]}, now)


def _plain(event: Event) -> bool:
    """Return whether a record can stay raw: nothing has to be added to it but what filters add."""
    stamp = event.get("@timestamp")
    if type(stamp) is not str or not is_canonical(stamp):
        return False
    return "@version" in event and "@metadata" not in event and "@fields" not in event


def _texts(lines: list[bytes]) -> list[bytes] | None:
    """Return as many records without the blanks around them, None if not each of the lines can be one.

    A record that goes on in the next line leaves a line that does not begin and end as an object does.
    """
    if {line[0] for line in lines} == {ord("{")} and {line[-2:] for line in lines} == {b"}\n"}:
        return [line[:-1] for line in lines]
    texts = [line.strip() for line in lines]
    one_each = {text[:1] for text in texts} <= {b"{"} and {text[-1:] for text in texts} <= {b"}"}
    return texts if one_each else None


def _append(out: Decoded, raw: bytes | None, event: Event, key: int) -> None:
    out.raws.append(raw)
    out.events.append(event)
    out.keys.append(key)


def encode_lines(batch: Batch) -> bytes:
    """Return the documents of ``batch``, one a line."""
    documents = batch.documents()
    return b"\n".join([*documents, b""]) if documents else b""
