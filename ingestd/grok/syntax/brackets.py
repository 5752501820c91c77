"""Parse bracket expressions: ``[a-z&&[^aeiou]]``, ``[[:alpha:]_]``, ``[^\\s"]``."""

from __future__ import annotations

import re

from ingestd.grok.errors import PatternError
from ingestd.grok.syntax import charset
from ingestd.grok.syntax.charset import CharExpr
from ingestd.grok.syntax.escapes import read_escape

_POSIX = re.compile(r"\[:(\^?)([A-Za-z]{1,20}):\]")
_MAX_DEPTH = 50


def parse_brackets(text: str, start: int, unicode_sets: bool, depth: int = 0) -> tuple[CharExpr, int]:
    """Parse the bracket expression that starts at ``start``.

    Returns:
        The set, and the offset after the closing bracket.

    Raises:
        PatternError: It is not closed, is empty, or has an invalid range.
    """
    if depth > _MAX_DEPTH:
        raise PatternError(f"brackets are nested more than {_MAX_DEPTH} deep", start)
    pos = start + 1
    negative = text.startswith("^", pos)
    pos += negative
    first = pos
    parts: list[CharExpr] = []
    left: CharExpr | None = None  # the operand of the last &&
    while pos < len(text):
        if text[pos] == "]" and (pos > first or "]" not in text[pos + 1 :]):
            if pos == first:
                raise PatternError("a bracket expression is empty", start)
            expr = charset.union(parts)
            if left is not None:
                expr = charset.intersection(left, expr)
            return (charset.negation(expr) if negative else expr), pos + 1
        if text.startswith("&&", pos):
            right = charset.union(parts)
            left = right if left is None else charset.intersection(left, right)
            parts = []
            pos += 2
        else:
            part, pos = _read_part(text, pos, unicode_sets, depth)
            parts.append(part)
    raise PatternError("a bracket expression is not closed", start)


def _read_part(text: str, pos: int, unicode_sets: bool, depth: int) -> tuple[CharExpr, int]:
    """Parse one member: a character, a range, an escape, a POSIX bracket or a nested class."""
    if text[pos] == "[":
        if posix := _POSIX.match(text, pos):
            expr = charset.POSIX.get(posix[2].lower())
            if expr is None:
                raise PatternError(f"there is no POSIX class '{posix[2]}'", pos)
            return (charset.negation(expr) if posix[1] else expr), posix.end()
        return parse_brackets(text, pos, unicode_sets, depth + 1)
    low, expr, end = _read_char(text, pos, unicode_sets)
    if not low or not text.startswith("-", end) or text[end + 1 : end + 2] in ("", "]", "["):
        return expr, end
    high, _, after = _read_char(text, end + 1, unicode_sets)
    if not high:  # [a-\d]: a literal hyphen
        return expr, end
    if low > high:
        raise PatternError(f"the range {low}-{high} is empty", pos)
    return charset.of_ranges([(ord(low), ord(high))]), after


def _read_char(text: str, pos: int, unicode_sets: bool) -> tuple[str, CharExpr, int]:
    if text[pos] != "\\":
        return text[pos], charset.of_chars(text[pos]), pos + 1
    if text.startswith("\\b", pos):
        return "\b", charset.of_chars("\b"), pos + 2
    if text.startswith("\\R", pos) or text.startswith("\\X", pos):
        return text[pos + 1], charset.of_chars(text[pos + 1]), pos + 2
    escape = read_escape(text, pos, unicode_sets)
    return escape.char, escape.expr, escape.end
