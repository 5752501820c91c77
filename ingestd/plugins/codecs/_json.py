"""The common part of the JSON codecs: decode whole chunks at once, only the fields that the pipeline touches.

The fast path decodes a chunk of lines with one object each to raw records and projected fields. Lines that are no
objects are sorted out first; if that does not help, all are decoded one by one. A line that is not JSON becomes an
event with the text as ``message`` and the tag ``_jsonparsefailure``, as in Logstash.
"""

from __future__ import annotations

import contextlib
import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from functools import lru_cache
from io import BytesIO
from itertools import accumulate
from operator import itemgetter
from typing import Annotated, Any, TypedDict

import msgspec
from msgspec.structs import astuple

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import Key
from ingestd.event.fields import Event, FieldError, FieldRef, legal_tags
from ingestd.event.jsontext import MAX_DEPTH, NotJsonError, loads
from ingestd.event.table import ABSENT, Table
from ingestd.event.timestamp import is_canonical
from ingestd.plugins.charsets import find_charset, text_decoder
from ingestd.plugins.codecs._events import EventCollector, complete, receive_time
from ingestd.protocols.framing.lines import LINE_FEED, count_line_ends, split_texts

_DAY, _MILLISECONDS = len("2026-11-22"), len("2026-11-22T10:00:00.000Z")
_MAX_DAYS = 10_000
"""How many days to cache as valid: 1 MB."""

_all_milliseconds = re.compile(
    r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z)*+"
).fullmatch

_day = itemgetter(slice(_DAY))
_first, _last_but_one = itemgetter(0), itemgetter(-2)
_OPEN, _CLOSE = {ord("{")}, {ord("}")}

_ORIGINAL = FieldRef("[event][original]")

_NO_VALUE = Annotated[int, msgspec.Meta(gt=0, lt=0)]
"""Matches no value: a decoder rejects a record that has such a field."""

_JSONS_OWN = frozenset('{}[]:,"\\/+-. \t\r\n0123456789abcdefABCDEFtruefalsen')
"""Characters that JSON has outside of strings, or after a backslash."""

_REQUIRED: dict[str, Any] = {"@timestamp": str, "@version": Any}
"""What a record must have to stay text."""


class JsonDecoder:
    """Decodes JSON records.

    Args:
        fields: The top-level names to decode, None for all.
        charset: Encoding of the text, by Python's or Ruby's name.
        fallback_charset: Encoding of what is not valid UTF-8; empty: none.
        target: Field for the record; None: the record becomes the event.
        ecs: Keep the text of a record in ``[event][original]``.
        whole: A record with one of these top-level fields is decoded in full.
        reads: Top-level fields that records get of their stream if they lack them.
    """

    def __init__(  # noqa: PLR0913 -- declarations, each by name
        self,
        fields: frozenset[str] | None,
        charset: str,
        fallback_charset: str = "",
        *,
        target: FieldRef | None = None,
        ecs: bool = False,
        whole: frozenset[str] = frozenset(),
        reads: frozenset[str] = frozenset(),
    ) -> None:
        self.stream_fields = sorted(reads)
        self._target, self._ecs = target, ecs
        self._not_raw = frozenset({"@metadata", "@fields", *whole})
        self._utf8 = find_charset(charset) == "utf-8"
        self._text = text_decoder(charset, fallback_charset)
        self._names: tuple[str, ...] = ()
        self._projected: msgspec.json.Decoder[Any] | None = None
        self._usual: msgspec.json.Decoder[Any] | None = None
        """Rejects records that cannot stay text, except for bad timestamps."""
        if fields is not None and target is None and not ecs:
            # ``tags`` that are not text make the decoder reject a record, so that ``complete`` sees it.
            self._names = tuple(sorted(fields | self._not_raw | _REQUIRED.keys()))
            types = dict.fromkeys(self._names, Any) | {"tags": list[str] | str | None}
            self._projected = msgspec.json.Decoder(TypedDict("Projected", types, total=False))  # type: ignore[operator]
            self._usual = msgspec.json.Decoder(_columns_type(types, self._not_raw))
        self._days: set[str] = set()

    def lines(self, chunk: Chunk) -> Table:
        """Return the records of a chunk of lines; blank lines are not records."""
        return self._with_stream_fields(self._lines(chunk), chunk)

    def parts(self, chunk: Chunk, delimiter: bytes) -> Table:
        """Return the records of a chunk in which each ends with ``delimiter``, not a line feed: they may have lines.

        Of a record that is not JSON all bytes are text, those of line ends too.
        """
        parts = split_texts(chunk.data, delimiter)
        lines = b"\n".join(parts)
        if b"\r" in lines or count_line_ends(lines) >= len(parts):
            return self._with_stream_fields(self._parts(parts, len(delimiter), chunk), chunk)
        if len(delimiter) == 1:
            return self.lines(chunk._replace(data=lines))
        table = self._lines(chunk._replace(data=lines, offset=0))
        starts = [*accumulate([len(part) + 1 for part in parts[:-1]], initial=0)]
        moved = {start: start + number * (len(delimiter) - 1) + chunk.offset for number, start in enumerate(starts)}
        table.keys = [moved.get(key) or _moved(key, starts, moved) for key in table.keys]  # type: ignore[arg-type]
        return self._with_stream_fields(table, chunk)

    def _parts(self, parts: Sequence[bytes], end_bytes: int, chunk: Chunk) -> Table:
        records, now, start = EventCollector(), receive_time(chunk), chunk.offset
        for part in parts:
            if part.strip():
                self._line(part, start, now, records)
            start += len(part) + end_bytes
        return records.table(self._names)

    def _with_stream_fields(self, table: Table, chunk: Chunk) -> Table:
        for name in self.stream_fields:
            if name in chunk.fields:
                table.fill(name, table.rows, [chunk.fields[name]] * len(table))
        return table

    def _lines(self, chunk: Chunk) -> Table:
        table: Table | None = None
        if self._target is not None or self._ecs:
            return self._line_by_line(chunk)
        if self._is_utf8(chunk.data):
            if self._projected is None or self._usual is None:
                table = self._whole_objects(chunk)
            else:
                table = self._objects(chunk, self._usual, self._projected)
        return self._sorted_out(chunk) if table is None else table

    def _whole_objects(self, chunk: Chunk) -> Table | None:
        """Return the records of a chunk in which every line is an object, in full; None if it is not such a chunk."""
        try:
            events = _decode_objects(chunk.data)
        except (msgspec.DecodeError, RecursionError):
            return None
        lines = BytesIO(chunk.data).readlines()
        if not events or len(events) != len(lines) or _open_records(lines) is None or _may_be_too_deep(chunk, lines):
            return None
        return Table.of_events(self._all_complete(events, receive_time(chunk)), _keys(lines, chunk.offset))

    def _all_complete(self, events: list[Event], now: str) -> list[Event]:
        """Complete events as ``complete`` does, unless all of them are already."""
        names = frozenset().union(*events)
        stamps: list[Any] = [event.get("@timestamp") for event in events]
        done = (
            "@fields" not in names
            and {*map(type, stamps)} == {str}
            and self._all_canonical(stamps)
            and all("@version" in event for event in events)
            and all(legal_tags(event.get("tags")) for event in events)
        )
        return events if done else [complete(event, now) for event in events]

    def _objects(
        self, chunk: Chunk, usual: msgspec.json.Decoder[Any], projected: msgspec.json.Decoder[Any]
    ) -> Table | None:
        """Return the records of a chunk in which every line is an object; None if it is not such a chunk."""
        try:
            try:
                records = usual.decode_lines(chunk.data)
            except msgspec.ValidationError:
                return self._completed(chunk, projected.decode_lines(chunk.data))
        except (msgspec.DecodeError, RecursionError):
            return None
        lines = BytesIO(chunk.data).readlines()  # faster than split: it finds line ends with memchr
        raws = _open_records(lines)
        if raws is None or len(records) != len(raws) or not records:
            return None
        columns = dict(zip(self._names, zip(*map(astuple, records), strict=True), strict=True))
        if not self._all_canonical(columns["@timestamp"]):
            return self._completed(chunk, projected.decode_lines(chunk.data))
        return Table(raws, [None] * len(raws), _keys(lines, chunk.offset), columns)

    def _sorted_out(self, chunk: Chunk) -> Table:
        """Return the records of a chunk: those of its objects, decoded at once, among those of other lines."""
        lines = BytesIO(chunk.data).readlines()
        keys = _keys(lines, chunk.offset) if lines else []
        utf8 = self._is_utf8(chunk.data)
        objects = [
            number
            for number, line in enumerate(lines)
            if ((line[:1] == b"{" and line[-2:] == b"}\n") or _looks_like(line, b"{", b"}"))
            and (utf8 or self._is_utf8(line))
        ]
        if not objects or len(objects) == len(lines):
            return self._line_by_line(chunk)
        table = self._lines(chunk._replace(data=b"".join([lines[number] for number in objects])))
        table.keys = [keys[number] for number in objects]
        others, now = EventCollector(), receive_time(chunk)
        for number in sorted({*range(len(lines))}.difference(objects)):
            if lines[number].strip():
                self._line(lines[number].removesuffix(b"\n").removesuffix(b"\r"), keys[number], now, others)
        return Table.joined([table, others.table(self._names)], by_key=True)

    def _completed(self, chunk: Chunk, events: list[Event]) -> Table | None:
        """Return the records of a chunk, those in full that need more than the touched fields: they lose their text."""
        lines = BytesIO(chunk.data).readlines()
        raws = _open_records(lines)
        if raws is None or len(events) != len(raws):
            return None
        now = receive_time(chunk)
        for index, (raw, event) in enumerate(zip(raws, events, strict=True)):
            if raw is not None and not self._plain(event):
                raws[index], events[index] = None, self._in_full(raw + b"}", now)
        return Table.of_records(raws, events, _keys(lines, chunk.offset), self._names)

    def message(self, chunk: Chunk) -> Table:
        """Return the records of one message: an object, or an array of them."""
        records = EventCollector()
        if chunk.data.strip():
            self._line(chunk.data, chunk.offset, receive_time(chunk), records)
        return self._with_stream_fields(records.table(self._names), chunk)

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

    def _all_canonical(self, stamps: Sequence[str]) -> bool:
        """Return whether all timestamps are canonical with milliseconds; False if each must be checked."""
        days = {*map(_day, stamps)}
        if not days <= self._days:
            if len(self._days) > _MAX_DAYS:
                self._days.clear()
            self._days.update(day for day in days if is_canonical(f"{day}T00:00:00.000Z"))
        text = "".join(stamps)
        return days <= self._days and len(text) == _MILLISECONDS * len(stamps) and _all_milliseconds(text) is not None

    def _line_by_line(self, chunk: Chunk) -> Table:
        records = EventCollector()
        start, now = 0, receive_time(chunk)
        for line in chunk.data.split(b"\n"):
            if line.strip():
                self._line(line.removesuffix(b"\r"), chunk.offset + start, now, records)
            start += len(line) + 1
        return records.table(self._names)

    def _line(self, line: bytes, key: int, now: str, out: EventCollector) -> None:
        """Append the records of one JSON text; the n-th element of an array has the key ``key + n``."""
        text = line.strip()
        if self._utf8 and not _looks_like(text, b"{[\xef", b"}]"):  # \xef: a byte order mark
            out.add(None, self._failure(line, now), key)
            return
        if not self._is_utf8(text):
            text = self._text(text).encode()
        projected = self._project(text)
        if projected is not None:
            out.add(text[:-1], projected, key)
            return
        try:
            value = loads(text)
        except NotJsonError:
            value = None
        if type(value) is dict:
            out.add(None, self._whole(value, text, now), key)
        elif type(value) is list and value and all(type(item) is dict for item in value):
            for number, item in enumerate(value):
                out.add(None, self._whole(item, text if len(value) == 1 else None, now), key + number)
        elif value != []:
            out.add(None, self._failure(line, now), key)

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
        return {"message": self._text(line), "tags": ["_jsonparsefailure"], "@timestamp": now, "@version": "1"}

    def _plain(self, event: Event) -> bool:
        """Return whether a record can stay raw: only filters change it."""
        stamp = event.get("@timestamp")
        if type(stamp) is not str or not is_canonical(stamp):
            return False
        return "@version" in event and self._not_raw.isdisjoint(event)


_decode_objects = msgspec.json.Decoder(dict[str, Any]).decode_lines


def _may_be_too_deep(chunk: Chunk, lines: list[bytes]) -> bool:
    """Return whether a line has so many brackets that it may be nested deeper than ``loads`` accepts."""
    brackets = chunk.data.count(b"[") + chunk.data.count(b"{")  # each line has one or more
    return brackets - len(lines) >= MAX_DEPTH and any(line.count(b"[") + line.count(b"{") > MAX_DEPTH for line in lines)


def _columns_type(types: dict[str, Any], forbidden: Collection[str]) -> type[msgspec.Struct]:
    """Return the type of a record: a field for each name, in this order, ``ABSENT`` if the record lacks it."""
    types = types | dict.fromkeys(forbidden, _NO_VALUE)
    attributes = {name: f"f{number}" for number, name in enumerate(types)}
    fields = [
        (attributes[name], type_) if name in _REQUIRED else (attributes[name], type_ | msgspec.UnsetType, ABSENT)
        for name, type_ in (types | _REQUIRED).items()
    ]
    rename = {attribute: name for name, attribute in attributes.items()}
    return msgspec.defstruct("Record", fields, rename=rename, gc=False, kw_only=True)


def _open_records(lines: list[bytes]) -> list[bytes | None] | None:
    """Return the text of each record without its last brace, None unless each line is one record.

    A record that spans lines leaves a line that does not start and end as an object does.
    """
    if (
        lines
        and lines[-1].endswith(b"}\n")
        and {*map(_first, lines)} == _OPEN
        and {*map(_last_but_one, lines)} == _CLOSE
    ):
        return [line[:-2] for line in lines]
    texts = [line.strip() for line in lines]
    objects = {text[:1] for text in texts} <= {b"{"} and {text[-1:] for text in texts} <= {b"}"}
    return [text[:-1] for text in texts] if objects else None


def _looks_like(line: bytes, first: bytes, last: bytes) -> bool:
    """Return whether a line starts with one of the bytes ``first`` and ends with one of ``last``, but for blanks."""
    text = line.strip()
    return text != b"" and text[0] in first and text[-1] in last


def _moved(key: int, starts: list[int], moved: dict[int, int]) -> int:
    """Return where the element of an array is now; ``moved``: where its line is."""
    start = starts[bisect_right(starts, key) - 1]
    return moved[start] + key - start


def _keys(lines: list[bytes], offset: int) -> list[Key]:
    return [*accumulate(map(len, lines[:-1]), initial=offset)]


@lru_cache
def _escape(delimiter: bytes) -> tuple[bytes, bytes] | None:
    """Return a character of a delimiter that JSON has in strings only, and its escape; None if there is none."""
    found = next((char for char in delimiter.decode("utf-8", "ignore") if char not in _JSONS_OWN), None)
    if found is None:
        return None
    units = found.encode("utf-16-be").hex()
    return found.encode(), "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4)).encode()


def encode_lines(batch: Batch, delimiter: bytes = LINE_FEED) -> bytes:
    """Return the documents of ``batch``, ``delimiter`` after each, and not within one: there it is escaped."""
    documents = batch.documents()
    if delimiter != LINE_FEED and (escape := _escape(delimiter)):
        documents = [document.replace(*escape) if delimiter in document else document for document in documents]
    return delimiter.join([*documents, b""]) if documents else b""
