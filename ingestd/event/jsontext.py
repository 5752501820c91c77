"""JSON in and out: exact numbers, and text that every JSON parser accepts.

Read with msgspec, which keeps integers of any size; what it rejects (``NaN``, ``Infinity``, lone
surrogates) is read by the standard library and repaired. Written with orjson, the fastest; integers
beyond 64 bits with msgspec.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from unicodedata import category

import msgspec
import orjson

MAX_DEPTH = 250
"""Maximum nesting of arrays and objects: orjson writes 254 levels, Elasticsearch accepts 20."""

_decode = msgspec.json.Decoder().decode
_SURROGATE = re.compile("[\ud800-\udfff]")


class NotJsonError(ValueError):
    """The text is not a JSON document."""


def loads(data: bytes) -> Any:
    """Return the value of a JSON text in UTF-8.

    ``NaN`` and the infinities become ``None``, lone surrogates U+FFFD, a byte order mark is skipped.

    Raises:
        NotJsonError: It is not JSON, not UTF-8, or nested too deeply.
    """
    try:
        value = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            value = mend(json.loads(data.decode("utf-8-sig")))
        except (ValueError, RecursionError) as error:
            raise NotJsonError(str(error)) from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _too_deep(value):
        raise NotJsonError(f"nested deeper than {MAX_DEPTH} levels")
    return value


def _too_deep(value: Any) -> bool:
    """Return whether ``value`` nests deeper than ``MAX_DEPTH``; level by level, because recursion would fail."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [item for item in level if type(item) in (dict, list)]
        if not level:
            return False
        level = [child for item in level for child in (item.values() if type(item) is dict else item)]
    return True


def mend(value: Any) -> Any:
    """Replace what JSON cannot represent: NaN and infinities by ``None``, lone surrogates by U+FFFD."""
    if type(value) is str:
        return value if value.isascii() else _SURROGATE.sub("\ufffd", value)
    if type(value) is float:
        return value if math.isfinite(value) else None
    if type(value) is list:
        return [mend(item) for item in value]
    if type(value) is dict:
        return {mend(key): mend(item) for key, item in value.items()}
    return value


_ESCAPE = re.compile(rb"(?:\\u[0-9A-Fa-f]{4})+|\\[^u]")
_SEPARATORS = [(mark.encode(), b"\\u%04x" % ord(mark)) for mark in "\x85\u2028\u2029"]


def readable_line(document: bytes) -> bytes:
    """Return a JSON text in one line with its escapes ``\\uXXXX`` as readable text; its value stays the same.

    Control characters, line separators and lone surrogates stay escaped. Text that is not JSON is returned as it is.
    """
    if b"\n" in document or b"\r" in document:  # white space between tokens; in strings they are escaped
        document = document.replace(b"\r", b" ").replace(b"\n", b" ")
    if b"\\u" in document:
        document = _ESCAPE.sub(_readable, document)
    for mark, escape in _SEPARATORS:
        if mark in document:
            document = document.replace(mark, escape)
    return document


def _readable(match: re.Match[bytes]) -> bytes:
    if match[0][1:2] != b"u":
        return match[0]
    text = json.loads(b'"' + match[0] + b'"')
    return "".join(map(_readable_char, text)).encode()


def _readable_char(char: str) -> str:
    """Return a character as in JSON: readable, or escaped if it has to be or cannot be seen."""
    if char in '"\\' or not (char.isprintable() or category(char) == "Zs"):
        return json.dumps(char)[1:-1] if char in '"\\' or ord(char) > 0xFFFF else f"\\u{ord(char):04x}"
    return char


_TEXT = rb'"(?:[^"\\]++|\\.)*+"'
_VALUE = rb'(?:%b|[^\s,\[\]{}"]++|\[(?:[^\[\]{}"]++|%b)*+\]|\{(?:[^\[\]{}"]++|%b)*+\})' % (_TEXT, _TEXT, _TEXT)
_BLANKS = rb"[ \t\r]*+"
_escaped_ascii = re.compile(rb"\\(?:u00[2-7]|/)").search


def without_member(records: Sequence[bytes], name: str) -> list[bytes | None]:
    """Return the texts of objects without the member ``name``; None where it cannot be cut out, or nothing is left.

    It cannot if it is an array or object that contains others, or if its name may stand in the text more than once, or
    with escapes.

    Args:
        records: Each a valid object in one line, without its last brace, that has the member.
        name: Plain ASCII.
    """
    text = b"\n".join(records)  # all at once takes half of the time
    if text.count(b'"%b"' % name.encode()) == len(records) and not _may_escape_names(text):
        cut, count = _member(name).subn(b"", text)
        if count == len(records):
            texts = [record.rstrip(b", \t\r") for record in cut.split(b"\n")]  # the comma before the last member
            return [None if record == b"{" else record for record in texts] if b"{" in texts else [*texts]
    return [None] if len(records) == 1 else [without_member([record], name)[0] for record in records]


def _may_escape_names(text: bytes) -> bool:
    return (b"\\u00" in text or b"\\/" in text) and _escaped_ascii(text) is not None


@lru_cache(1024)
def _member(name: str) -> re.Pattern[bytes]:
    pattern = rb'"%b"%b:%b%b%b(?:,%b|$)' % (re.escape(name.encode()), _BLANKS, _BLANKS, _VALUE, _BLANKS, _BLANKS)
    return re.compile(pattern, re.MULTILINE | re.DOTALL)


def dumps(value: Any) -> bytes:
    """Return ``value`` as compact JSON in UTF-8; never fails on JSON values."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, a lone surrogate, nesting beyond orjson's limit
        return msgspec.json.encode(mend(value))
