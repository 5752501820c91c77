"""The records of a JSON body as lines, so that a request of 1,000 records is stored and decoded as 1,000 frames.

Clients send one object, an array of them, objects on lines (NDJSON) or just one after the other, often under the same
media type.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec


class _AnyObject(msgspec.Struct):
    """Any JSON object: what a struct does not have is skipped."""


_check_object = msgspec.json.Decoder(_AnyObject).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_values = msgspec.json.Decoder(msgspec.Raw).decode_lines
_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")
_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class JsonLines(NamedTuple):
    """Records as lines."""

    data: bytes
    """A record on each line; the last line lacks its end."""
    records: int


def json_lines(body: bytes) -> JsonLines | None:
    """Return the records of a body as lines; None: it has none of these forms, so it is judged as a whole.

    Line ends within a record become spaces: a JSON text has them only between its tokens. If some lines of NDJSON are
    damaged, all lines are returned as they are.
    """
    text = body.strip(b" \t\r\n")
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


def _joined(records: Iterable[msgspec.Raw]) -> JsonLines | None:
    lines = [*map(bytes, records)]
    data = b"\n".join(lines)
    if b"\r" in data or data.count(b"\n") >= len(lines):
        lines = [line.translate(_LINE_ENDS) for line in lines]
        data = b"\n".join(lines)
    objects = bool(lines) and all(line.startswith(b"{") for line in lines)
    return JsonLines(data, len(lines)) if objects else None


def _is_object(text: bytes) -> bool:
    try:
        _check_object(text)
    except _ERRORS:
        return False
    return True
