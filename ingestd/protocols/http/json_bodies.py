"""The records of a JSON body as lines, so that a request of 1,000 records is stored and decoded as 1,000 frames.

Clients send one object, an array of them, objects on lines (NDJSON) or just one after the other, often under the same
media type.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec


class _AnyObject(msgspec.Struct):
    """Any JSON object: what a struct does not have is skipped."""


_check_object = msgspec.json.Decoder(_AnyObject).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_values = msgspec.json.Decoder(msgspec.Raw).decode_lines
_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")
_PART_RECORDS = 10_000
_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


MAX_RECORDS = 500_000
"""Maximum number of records in a body. A small compressed one may hold millions, which need much more memory."""

_MAX_OBJECTS, _MAX_VALUES = 10 * MAX_RECORDS, 20 * MAX_RECORDS
"""Bounds that are known before the records are: of objects, and of values of any kind."""


class TooManyRecordsError(ValueError):
    """A body has more than ``MAX_RECORDS`` records."""

    def __init__(self) -> None:
        super().__init__(f"the body has too many records: at most {MAX_RECORDS:,} are allowed; send it in parts")


class JsonLines(NamedTuple):
    """Records as lines."""

    data: bytes
    """A record on each line; the last line lacks its end."""
    records: int


def json_lines(body: bytes) -> JsonLines | None:
    """Return the records of a body as lines; None: it has none of these forms, so it is judged as a whole.

    Line ends within a record become spaces: a JSON text has them only between its tokens. If some lines of NDJSON are
    damaged, all lines are returned as they are.

    Raises:
        TooManyRecordsError: There are more than ``MAX_RECORDS``.
    """
    text = body.strip(b" \t\r\n")
    if text.count(b"{") > _MAX_OBJECTS or text.count(b",") + text.count(b"\n") > _MAX_VALUES:
        raise TooManyRecordsError
    try:
        if text.startswith(b"["):
            return _joined(_decode_array(text))
        if text.startswith(b"{"):
            return _joined(_decode_values(text))
    except _ERRORS:
        first, _, rest = text.partition(b"\n")
        if rest and _is_object(first):
            return JsonLines(text, text.count(b"\n") + 1)
    return None


def _joined(records: Sequence[msgspec.Raw]) -> JsonLines | None:
    """Return records as lines; None: there are none, or others than objects.

    Some at a time: millions of short ones, which a small compressed body may hold, take 100 bytes of memory each.
    """
    if len(records) > MAX_RECORDS:
        raise TooManyRecordsError
    parts = [_part(records[at : at + _PART_RECORDS]) for at in range(0, len(records), _PART_RECORDS)]
    return JsonLines(b"\n".join(parts), len(records)) if records and all(parts) else None


def _part(records: Sequence[msgspec.Raw]) -> bytes:
    """Return records as lines, the last without its end; empty: they are not all objects."""
    lines = [*map(bytes, records)]
    data = b"\n".join(lines)
    if b"\r" in data or data.count(b"\n") >= len(lines):
        lines = [line.translate(_LINE_ENDS) for line in lines]
        data = b"\n".join(lines)
    return data if all(line.startswith(b"{") for line in lines) else b""


def _is_object(text: bytes) -> bool:
    try:
        _check_object(text)
    except _ERRORS:
        return False
    return True
