"""From the pieces of a query text to its condition, by luqum's grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from luqum import tree
from luqum.exceptions import ParseError
from luqum.head_tail import TokenValue
from luqum.parser import parser

from ingestd.stores.lucene import times
from ingestd.stores.lucene.lexer import QUOTE_IT, Token
from ingestd.stores.query import (
    LEVELS,
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
)
from ingestd.stores.words import words

MAX_DEPTH = 25
"""Elasticsearch takes 30 conditions within each other (``indices.query.bool.max_nested_depth``)."""

_ESCAPE = re.compile(r"\\([\s\S])")
_PIECE = re.compile(r"\\([\s\S])|([*?])|([^\\*?]+)")
_VALUES: dict[str, Any] = {"TERM": tree.Word, "PHRASE": tree.Phrase}
_OPERATORS = {"AND_OP", "OR_OP", "NOT", "PLUS", "MINUS"}


def read(text: str, found: list[Token]) -> Condition:
    """Return the condition of ``text``, which was cut into the tokens ``found``, at least one.

    Raises:
        QueryError: They do not follow the grammar, or state what no document can be asked.
    """
    feed = _Feed(text, found)
    try:
        root = parser.parse(lexer=feed)
    except ParseError:
        raise _misplaced(feed) from None
    return _Reader(text).condition(root, None, 0)


class _Feed:
    """Hands tokens to luqum's grammar, in the shape that it expects of its own lexer."""

    def __init__(self, text: str, found: list[Token]) -> None:
        self.handed: list[Token | None] = []
        ends = [token.at for token in found[1:]] + [len(text)]
        self._tokens = ((token, text[token.at + len(token.text) : end]) for token, end in zip(found, ends, strict=True))

    def token(self) -> Any:
        token, behind = next(self._tokens, (None, ""))
        self.handed.append(token)
        return None if token is None else _LuqumToken(token, behind)


class _LuqumToken:
    """A token of PLY: luqum wants its value as a node, or as an object with the text around it."""

    __slots__ = ("lexer", "lexpos", "lineno", "type", "value")

    def __init__(self, token: Token, behind: str) -> None:
        self.type, self.lineno, self.lexpos, self.lexer = token.kind, 1, token.at, None
        self.value = _VALUES.get(token.kind, TokenValue)(token.text)
        self.value.pos, self.value.size, self.value.tail = token.at, len(token.text), behind


def _misplaced(feed: _Feed) -> QueryError:
    """Return the error for the last token that was handed out, which the grammar does not take there."""
    before, wrong = [None, *feed.handed][-2:]
    if before is not None and before.kind == "COLUMN":
        name = next((token for token in reversed(feed.handed[:-2]) if token), before)
        return name.error(f"no value for the field {name.text}", f'write {name.text}:VALUE, or {name.text}:"" for none')
    if before is not None and before.kind in _OPERATORS:
        return before.error(f"nothing to search for behind {before.text}", QUOTE_IT.format(before.text))
    if wrong is None:
        return QueryError("the query is not complete")
    if wrong.kind == "RPAREN":
        return wrong.error("nothing in these brackets", QUOTE_IT.format("()"))
    if wrong.kind == "COLUMN":
        return wrong.error("a colon stands behind the name of a field", QUOTE_IT.format(":"))
    return wrong.error(f"nothing to search for before {wrong.text}", QUOTE_IT.format(wrong.text))


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The ends of a range, None if open."""

    low: str | None
    high: str | None
    low_inclusive: bool = True
    high_inclusive: bool = True


def _bounds(node: tree.Item) -> _Bounds:
    """Return the bounds of a range or comparison; an open end is inclusive."""
    if isinstance(node, tree.From):
        low, high = _bound(node.a), None
        return _Bounds(low, high, node.include or low is None)
    if isinstance(node, tree.To):
        high = _bound(node.a)
        return _Bounds(None, high, True, node.include or high is None)
    low, high = _bound(node.low), _bound(node.high)
    return _Bounds(low, high, node.include_low or low is None, node.include_high or high is None)


def _bound(node: tree.Term) -> str | None:
    return None if node.value == "*" else _literal(node)


class _Reader:
    """Makes conditions of luqum's tree."""

    def __init__(self, text: str) -> None:
        self._query = text

    def condition(self, node: tree.Item, field: str | None, depth: int) -> Condition:
        """Return the condition of a node; ``field`` is the one whose value it is."""
        if depth > MAX_DEPTH:
            raise self._error(node, f"more than {MAX_DEPTH} conditions within each other")
        match node:
            case tree.OrOperation():
                return Or(self._parts(node, Or, field, depth))
            case tree.AndOperation() | tree.UnknownOperation():
                return And(self._parts(node, And, field, depth))
            case tree.Not() | tree.Prohibit():
                return Not(self.condition(node.a, field, depth + 1))
            case tree.Plus():
                return self.condition(node.a, field, depth + 1)
            case tree.BaseGroup():
                return self.condition(node.expr, field, depth + 1)
            case tree.SearchField():
                return self._of_field(node, field, depth)
            case tree.Range() | tree.From() | tree.To():
                return self._range(node, field, _bounds(node))
        return self._value(node, field)

    def _parts(
        self, node: tree.Item, kind: type[And] | type[Or], field: str | None, depth: int
    ) -> tuple[Condition, ...]:
        """Return the parts of an operation; what is one of the same kind is taken apart."""
        parts: list[Condition] = []
        for child in node.children:
            part = self.condition(child, field, depth + 1)
            parts.extend(part.parts if isinstance(part, kind) and part.parts else (part,))
        return tuple(parts)

    def _of_field(self, node: tree.SearchField, field: str | None, depth: int) -> Condition:
        name = _plain(node.name)
        if field is not None:
            raise self._error(node, f"a field within the field {field}", QUOTE_IT.format(f"{name}:…"))
        pieces = _pieces(node.name)
        if any(isinstance(piece, Gap) for piece in pieces):
            if node.name == "*" and str(node.expr).strip() == "*":
                return And(())
            raise self._error(node, "the name of a field has no wildcards", "write \\* for the sign itself")
        if name == "_exists_":
            return Exists(self._name_of(node.expr))
        return self.condition(node.expr, name, depth + 1)

    def _name_of(self, node: tree.Item) -> str:
        name = _literal(node)
        if not name:
            raise self._error(node, "_exists_ has the name of one field behind it", "as in _exists_:user")
        return name

    def _value(self, node: tree.Term, field: str | None) -> Condition:
        pattern = (_unquoted(node.value),) if node.value.startswith('"') else _pieces(node.value)
        is_plain = all(isinstance(piece, str) for piece in pattern)
        if pattern == (Gap.MANY,):
            return And(()) if field is None else Exists(field)
        if field is None or field in TEXT_FIELDS:
            return self._text(node, pattern, TEXT_FIELDS if field is None else (field,))
        if field == "@timestamp":
            return self._time(node, _Bounds(_literal(node), _literal(node)))
        return Equal(field, "".join(map(str, pattern))) if is_plain else Like(field, pattern)

    def _text(self, node: tree.Term, pattern: tuple[str | Gap, ...], fields: tuple[str, ...]) -> Condition:
        """A part of words may begin and end anywhere, so that ``*`` there says nothing."""
        while pattern and pattern[0] is Gap.MANY:
            pattern = pattern[1:]
        while pattern and pattern[-1] is Gap.MANY:
            pattern = pattern[:-1]
        written = "".join(piece.value if isinstance(piece, Gap) else piece for piece in pattern)
        stand_in = "".join("x" if isinstance(piece, Gap) else piece for piece in pattern)
        if not words(written):
            raise self._error(node, "no word in this to search for", "only words are searched, not the signs between")
        if all(isinstance(piece, str) for piece in pattern):
            return Text(written, fields)
        if words(stand_in) == [stand_in.lower()]:
            return Word(pattern, fields)
        if Gap.MANY in pattern:
            raise self._error(node, "a wildcard here stands within one word", "put it beside letters")
        return Text(written, fields)  # the ? of /search?q=1

    def _range(self, node: tree.Item, field: str | None, bounds: _Bounds) -> Condition:
        if field is None:
            hint = QUOTE_IT.format(self._query[node.pos : node.pos + 1] + "…")
            raise self._error(node, "a range needs a field, as in status_code:>=400", hint)
        if field in TEXT_FIELDS:
            raise self._error(node, f"{field} is a text: it has words and no order")
        if bounds.low is None and bounds.high is None:
            return Exists(field)
        if field == "level":
            return self._levels(node, bounds)
        if field == "@timestamp":
            return self._time(node, bounds)
        return Range(field, bounds.low, bounds.high, bounds.low_inclusive, bounds.high_inclusive)

    def _levels(self, node: tree.Item, bounds: _Bounds) -> Condition:
        """Return the levels between two, by severity."""
        for bound in (bounds.low, bounds.high):
            if bound is not None and bound.upper() not in LEVELS:
                raise self._error(node, f"{bound} is no level with an order", f"these are: {', '.join(LEVELS)}")
        low = 0 if bounds.low is None else LEVELS[bounds.low.upper()] + (not bounds.low_inclusive)
        high = 99 if bounds.high is None else LEVELS[bounds.high.upper()] - (not bounds.high_inclusive)
        return Or(tuple(Equal("level", name) for name, severity in LEVELS.items() if low <= severity <= high))

    def _time(self, node: tree.Item, bounds: _Bounds) -> Condition:
        try:
            return times.time_range(bounds.low, bounds.high, bounds.low_inclusive, bounds.high_inclusive)
        except ValueError as error:
            raise self._error(node, str(error), times.FORM) from None

    def _error(self, node: tree.Item, message: str, hint: str = "") -> QueryError:
        at = node.pos or 0
        return QueryError(message, at + 1, max(len(self._query[at : at + (node.size or 1)].rstrip()), 1), hint)


def _pieces(text: str) -> tuple[str | Gap, ...]:
    """Read escapes and wildcards; neighbouring texts become one."""
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


def _plain(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)


def _unquoted(text: str) -> str:
    return _plain(text[1:-1])


def _literal(node: tree.Item) -> str:
    """Return what a term or phrase says without looking for wildcards; nothing for other nodes."""
    value = getattr(node, "value", None)
    if not isinstance(value, str):
        return ""
    return _unquoted(value) if value.startswith('"') else _plain(value)
