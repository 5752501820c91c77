"""Ruby's conversions between text and values, as far as they are visible in Logstash's filters.

Follows https://docs.ruby-lang.org/en/3.1/ (``Kernel#Float``, ``Float#to_s``, ``String#inspect``,
``String#strip``, ``String#to_i``, ``String#to_f``), the Ruby of Logstash 9.
"""

from __future__ import annotations

import math
import re
from typing import Any
from unicodedata import category

BLANKS = "\0\t\n\v\f\r "
"""The characters that ``String#strip`` removes."""

_DIGITS = "[0-9]+(?:_[0-9]+)*"
_FLOAT = re.compile(rf"[+-]?(?:{_DIGITS})?(?:\.{_DIGITS})?(?:[eE][+-]?{_DIGITS})?")
_LEADING_INT = re.compile(rf"\s*([+-]?{_DIGITS})", re.ASCII)
_LEADING_FLOAT = re.compile(rf"\s*([+-]?(?:{_DIGITS}(?:\.{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?)", re.ASCII)
_MAX_DIGITS = 4_000  # Python rejects longer integers
_HEX = re.compile(r"[+-]?0x[0-9a-f]+(?:\.[0-9a-f]+)?(?:p[+-]?[0-9]+)?", re.IGNORECASE)


def to_i(text: str) -> int:
    """Return the integer that ``text`` starts with: ``12.7`` is 12, ``0x1F`` and ``abc`` are 0."""
    match = _LEADING_INT.match(text)
    return int(match[1][:_MAX_DIGITS]) if match else 0


def to_f(text: str) -> float:
    """Return the number that ``text`` starts with: ``1.5s`` is 1.5, ``abc`` is 0.0."""
    match = _LEADING_FLOAT.match(text)
    return float(match[1]) if match else 0.0


def strict_float(text: str) -> float:
    """Return the value of ``text``, all of which must be a decimal or hexadecimal number.

    Raises:
        ValueError: It is not a number, or out of range.
    """
    if text and _HEX.fullmatch(text):
        return hex_float(text)
    if not _FLOAT.fullmatch(text) or not text.strip("+-"):
        raise ValueError(f"invalid value for a float: {text!r}")
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text!r} is out of range for a float")
    return number


def hex_float(text: str) -> float:
    """Return the value of ``0x1A``, ``-0x1.8p3``.

    Raises:
        ValueError: It is not a hexadecimal number, or out of range.
    """
    if not _HEX.fullmatch(text):
        raise ValueError(f"invalid hexadecimal number: {text!r}")
    try:
        return float.fromhex(text)
    except OverflowError:
        raise ValueError(f"{text!r} is out of range for a float") from None


def to_s(value: Any) -> str:
    """Return ``value.to_s``: hashes and arrays as in Ruby, ``{"a"=>1}``."""
    if type(value) is str:
        return value
    return "" if value is None else inspect(value)


def inspect(value: Any) -> str:
    """Return ``value.inspect``."""
    if type(value) is str:
        return f'"{inspect_text(value)}"'
    if value is None:
        return "nil"
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is float:
        return _float_to_s(value)
    if type(value) is list:
        return f"[{', '.join([inspect(item) for item in value])}]"
    if type(value) is dict:
        return "{" + ", ".join([f"{inspect(key)}=>{inspect(item)}" for key, item in value.items()]) + "}"
    return str(value)


def _float_to_s(value: float) -> str:
    text = repr(value)
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}.0e{exponent}" if e and "." not in mantissa else text


_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\f": "\\f",
    "\v": "\\v",
    "\b": "\\b",
    "\a": "\\a",
    "\x1b": "\\e",
    "\x7f": "\\x7F",
}


def inspect_text(text: str) -> str:
    """Return ``text.inspect`` without its quotes; U+DC80 to U+DCFF are bytes that are not UTF-8."""
    return _INTERPOLATION.sub("\\\\#", text.translate(_INSPECTED))


def _inspect_char(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable() or category(char) == "Zs":
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # Python's surrogateescape
        return f"\\x{code - 0xDC00:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\u{{{code:X}}}"


class _Inspected(dict[int, str]):
    """A cache of ``inspect`` for characters, because binary data can come by the megabyte."""

    def __missing__(self, code: int) -> str:
        return _inspect_char(chr(code))


_INTERPOLATION = re.compile(r"#(?=[{$@])")
_INSPECTED = _Inspected({code: _inspect_char(chr(code)) for code in [*range(0x800), *range(0xDC80, 0xDD00)]})
