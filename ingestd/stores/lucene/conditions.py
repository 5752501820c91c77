"""From the syntax tree of a query to its condition."""

from __future__ import annotations

import re

from ingestd.event.fields import FieldError
from ingestd.stores.known_fields import LEVEL_FIELDS, LEVELS
from ingestd.stores.lucene import times
from ingestd.stores.lucene.lexer import Bounds, QueryToken
from ingestd.stores.lucene.parser import QueryNode
from ingestd.stores.query import (
    FREE_FIELDS,
    MAX_FIELD_DEPTH,
    TEXT_FIELDS,
    And,
    Condition,
    Equal,
    Exists,
    Gap,
    Like,
    Not,
    Or,
    QueryError,
    Range,
    Text,
    Word,
    field_depth,
)
from ingestd.stores.words import words

MAX_DEPTH = 25
"""Elasticsearch accepts 30 levels of nested conditions (``indices.query.bool.max_nested_depth``)."""

Pattern = tuple[str | Gap, ...]

_PIECE = re.compile(r"\\([\s\S])|([*?])|([^\\*?]+)")


def condition(query: str, tree: QueryNode) -> Condition:
    """Return the condition that the text ``query``, whose syntax tree is ``tree``, states.

    Raises:
        QueryError: A value does not suit its field, or conditions are nested too deep.
    """
    return _Builder(query).condition(tree, None, 0)


class _Builder:
    def __init__(self, query: str) -> None:
        self._query = query

    def condition(self, node: QueryNode, field: str | None, depth: int) -> Condition:
        """Return the condition of a node, which is a value of ``field`` if that is given."""
        if depth > MAX_DEPTH:
            raise self._error(node, "too_many_conditions", limit=MAX_DEPTH)
        match node.kind:
            case "AND" | "BLANK":
                return And(self._parts(node, And, field, depth + 1))
            case "OR":
                return Or(self._parts(node, Or, field, depth + 1))
            case "NOT":
                return Not(self.condition(node.parts[0], field, depth + 1))
            case "(" | "+":
                return self.condition(node.parts[0], field, depth + 1)
            case "FIELD":
                return self._field(node, field, depth + 1)
            case "RANGE":
                return self._range(node, field, node.token.bounds)
        return self._value(node, field)

    def _parts(
        self, node: QueryNode, kind: type[And] | type[Or], field: str | None, depth: int
    ) -> tuple[Condition, ...]:
        """Return the conditions of the operands; one of the same kind is replaced by its parts."""
        parts: list[Condition] = []
        for operand in node.parts:
            part = self.condition(operand, field, depth)
            parts.extend(part.parts if isinstance(part, kind) and part.parts else (part,))
        return tuple(parts)

    def _field(self, node: QueryNode, outer: str | None, depth: int) -> Condition:
        name, value = node.token, node.parts[0]
        if outer is not None:
            raise self._error(node, "field_in_field", field=outer, text=f"{name.literal}:…")
        if not _is_plain(_pattern(name.text)):
            if name.text == "*" and value.kind == "TERM" and value.token.text == "*":
                return And(())
            raise self._error(node, "field_wildcard")
        if name.literal != "_exists_":
            self._check_field(name)
            return self.condition(value, name.literal, depth)
        if value.kind not in {"TERM", "PHRASE"} or not value.token.literal:
            raise self._error(value, "exists")
        self._check_field(value.token)
        return Exists(value.token.literal)

    def _value(self, node: QueryNode, field: str | None) -> Condition:
        literal = node.token.literal
        pattern = (literal,) if node.token.kind == "PHRASE" else _pattern(node.token.text)
        if pattern == (Gap.MANY,):
            return And(()) if field is None else Exists(field)
        if field is None or field in TEXT_FIELDS:
            return self._text(node, pattern, FREE_FIELDS if field is None else (field,))
        if field == "@timestamp":
            return self._time(node, Bounds(literal, literal))
        return Equal(field, literal) if _is_plain(pattern) else Like(field, pattern)

    def _text(self, node: QueryNode, pattern: Pattern, fields: tuple[str, ...]) -> Condition:
        """Text matches any part of a word, so ``*`` at its start or end changes nothing."""
        while pattern[:1] == (Gap.MANY,):
            pattern = pattern[1:]
        while pattern[-1:] == (Gap.MANY,):
            pattern = pattern[:-1]
        written = "".join(piece.value if isinstance(piece, Gap) else piece for piece in pattern)
        with_letters = "".join("x" if isinstance(piece, Gap) else piece for piece in pattern)
        if not words(written):
            raise self._error(node, "no_word")
        if _is_plain(pattern):
            return Text(written, fields)
        if words(with_letters) == [with_letters.lower()]:
            return Word(pattern, fields)
        if Gap.MANY in pattern:
            raise self._error(node, "wildcard_alone")
        return Text(written, fields)  # the ? of /search?q=1

    def _range(self, node: QueryNode, field: str | None, bounds: Bounds) -> Condition:
        if field is None:
            raise self._error(node, "range_without_field", text=f"{node.token.text[0]}…")
        if field in TEXT_FIELDS:
            raise self._error(node, "range_of_text", field=field)
        if bounds.low is None and bounds.high is None:
            return Exists(field)
        if field in LEVEL_FIELDS:
            return self._levels(node, field, bounds)
        if field == "@timestamp":
            return self._time(node, bounds)
        return Range(field, bounds.low, bounds.high, bounds.low_inclusive, bounds.high_inclusive)

    def _levels(self, node: QueryNode, field: str, bounds: Bounds) -> Condition:
        """Return the levels between two, by severity."""
        for bound in (bounds.low, bounds.high):
            if bound is not None and bound.upper() not in LEVELS:
                raise self._error(node, "unknown_level", text=bound, levels=", ".join(LEVELS))
        low = 0 if bounds.low is None else LEVELS[bounds.low.upper()] + (not bounds.low_inclusive)
        high = 99 if bounds.high is None else LEVELS[bounds.high.upper()] - (not bounds.high_inclusive)
        return Or(tuple(Equal(field, name) for name, severity in LEVELS.items() if low <= severity <= high))

    def _time(self, node: QueryNode, bounds: Bounds) -> Condition:
        try:
            return times.time_range(bounds.low, bounds.high, bounds.low_inclusive, bounds.high_inclusive)
        except times.TimeError as error:
            raise self._error(node, error.kind, text=error.text) from None

    def _check_field(self, name: QueryToken) -> None:
        try:
            depth = field_depth(name.literal)
        except FieldError:
            raise name.error("field_brackets") from None
        if depth > MAX_FIELD_DEPTH:
            raise name.error("field_depth", depth=depth, limit=MAX_FIELD_DEPTH)

    def _error(self, node: QueryNode, kind: str, **values: str | int) -> QueryError:
        text = self._query[node.token.start : node.end].rstrip()
        return QueryToken("", text, node.token.start).error(kind, **values)


def _pattern(text: str) -> Pattern:
    """Resolve escapes and wildcards; no two strings are neighbours in the result."""
    pieces: list[str | Gap] = []
    for escaped, gap, plain in _PIECE.findall(text):
        if gap:
            if gap == "?" or pieces[-1:] != [Gap.MANY]:
                pieces.append(Gap(gap))
        elif pieces and isinstance(pieces[-1], str):
            pieces[-1] += escaped or plain
        else:
            pieces.append(escaped or plain)
    return tuple(pieces)


def _is_plain(pattern: Pattern) -> bool:
    return all(isinstance(piece, str) for piece in pattern)
