"""``:int`` and ``:float`` as Ruby's ``to_i`` and ``to_f`` do them: the longest number at the start, else zero."""

from __future__ import annotations

import re

_INT = re.compile(r"\s*([+-]?[0-9](?:_?[0-9])*)", re.ASCII)
_DIGITS = r"[0-9](?:_?[0-9])*"
_FLOAT = re.compile(rf"\s*([+-]?(?:{_DIGITS}(?:\.{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?)", re.ASCII)
_MAX_DIGITS = 4_000  # Python refuses to read longer integers


def to_int(text: str) -> int:
    """Return the integer that ``text`` begins with: ``12.7`` is 12, ``0x1F`` and ``abc`` are 0."""
    found = _INT.match(text)
    return int(found[1][:_MAX_DIGITS]) if found else 0


def to_float(text: str) -> float:
    """Return the number that ``text`` begins with: ``1.5s`` is 1.5, ``abc`` is 0.0."""
    found = _FLOAT.match(text)
    return float(found[1]) if found else 0.0
