"""Query texts from values and conditions, the inverse of ``parse``."""

from __future__ import annotations

import re

from ingestd.stores.lucene.lexer import RESERVED
from ingestd.stores.query import FREE_FIELDS, And, Condition, Equal, Exists, Gap, Like, Not, Or, Range, Text, Word

_SPECIAL = re.compile(r'[\s:()\[\]{}"^~\\*?+\-!/<>&|]')


def quote(value: str) -> str:
    """Return a value as it is written in a query, in quotes only if it needs them."""
    if value and value not in RESERVED and value != "TO" and not _SPECIAL.search(value):
        return value
    return _quoted(value)


def render_filter(field: str, value: str, *, exclude: bool = False) -> str:
    """Return the query for documents whose field has a value, or with ``exclude`` has not: ``-level:ERROR``."""
    return f"{'-' if exclude else ''}{_name(field)}:{quote(value)}"


def render(condition: Condition) -> str:
    """Return a query text that `parse` reads as ``condition``.

    Only an ``Or`` of less than two parts, as a range of levels may be, is read as another that means the same.
    """
    match condition:
        case And(parts):
            return "(" + " AND ".join(map(render, parts)) + ")" if parts else "*:*"
        case Or(parts):
            return "(" + " OR ".join(map(render, parts)) + ")" if parts else "-*:*"
        case Not(part):
            return f"-{render(part)}"
        case Text(value, fields):
            return _scope(fields) + _quoted(value)
        case Word(pattern, fields):
            return _scope(fields) + _pattern(pattern)
        case Exists(field):
            return f"_exists_:{quote(field)}"
    return f"{_name(condition.field)}:{_value(condition)}"


def _value(condition: Equal | Like | Range) -> str:
    if isinstance(condition, Equal):
        return quote(condition.value)
    if isinstance(condition, Like):
        return _pattern(condition.pattern)
    low, high = ("*" if bound is None else quote(bound) for bound in (condition.low, condition.high))
    opening, closing = "[" if condition.low_inclusive else "{", "]" if condition.high_inclusive else "}"
    return f"{opening}{low} TO {high}{closing}"


def _name(field: str) -> str:
    name = _SPECIAL.sub(r"\\\g<0>", field)
    # AND:x would start with an operator, 10:05 is a time.
    return f"\\{name}" if name in RESERVED or name[:1].isdigit() else name


def _scope(fields: tuple[str, ...]) -> str:
    return "" if fields == FREE_FIELDS else f"{fields[0]}:"


def _pattern(pattern: tuple[str | Gap, ...]) -> str:
    return "".join(piece.value if isinstance(piece, Gap) else _SPECIAL.sub(r"\\\g<0>", piece) for piece in pattern)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
