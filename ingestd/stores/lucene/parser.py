"""From the tokens of a query to its syntax tree, by recursive descent.

::

    expression = operand { [ "AND" | "OR" ] operand }     AND binds closest, then OR, then no operator
    operand    = { "NOT" | "-" | "!" | "+" | TERM ":" } ( TERM | PHRASE | RANGE | "(" expression ")" )

Only brackets recurse, and the lexer limits how deep they nest.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.stores.lucene.lexer import QueryToken
from ingestd.stores.query import QueryError

_BINDING = {"END": 0, ")": 0, "OR": 2, "AND": 3}
_NO_OPERATOR = 1


@dataclass(frozen=True, slots=True)
class QueryNode:
    """A part of a query: from the start of ``token`` to ``end``, which may be after blanks.

    ======================  ===========================================================
    ``kind``                ``token``, ``parts``
    ======================  ===========================================================
    TERM, PHRASE, RANGE     the token that it consists of
    FIELD                   the field's name; what is after the colon
    ``(``, ``+``, NOT       the bracket or operator; what it stands before
    AND, OR, BLANK          the first operand's first token; two or more operands
    ======================  ===========================================================
    """

    kind: str
    token: QueryToken
    end: int
    parts: tuple[QueryNode, ...] = ()


def parse(tokens: list[QueryToken]) -> QueryNode:
    """Return the syntax tree of a query that has at least one token before END.

    Raises:
        QueryError: The tokens do not follow the grammar.
    """
    return _Parser(tokens).expression()


class _Parser:
    def __init__(self, tokens: list[QueryToken]) -> None:
        self.tokens = tokens
        self.index = 0

    @property
    def next(self) -> QueryToken:
        return self.tokens[self.index]

    def take(self) -> QueryToken:
        self.index += 1
        return self.tokens[self.index - 1]

    def expression(self, least: int = _NO_OPERATOR) -> QueryNode:
        """Read operands while the operators between them bind as closely as ``least`` (precedence climbing)."""
        left = self.operand()
        while (binding := _BINDING.get(self.next.kind, _NO_OPERATOR)) >= least:
            kind = "BLANK" if binding == _NO_OPERATOR else self.take().kind
            right = self.expression(binding + 1)
            parts = left.parts if left.kind == kind else (left,)
            left = QueryNode(kind, left.token, self.next.start, (*parts, right))
        return left

    def operand(self) -> QueryNode:
        """Read a value or group, and the operators and the field's name before it."""
        prefixes: list[tuple[str, QueryToken]] = []
        while self.next.kind in {"NOT", "+"} or self.is_field():
            kind = "FIELD" if self.is_field() else self.next.kind
            prefixes.append((kind, self.take()))
            self.index += kind == "FIELD"
        node = self.value()
        if self.next.kind == "COLON":
            raise self.unexpected()
        for kind, token in reversed(prefixes):
            node = QueryNode(kind, token, self.next.start, (node,))
        return node

    def is_field(self) -> bool:
        return self.next.kind == "TERM" and self.tokens[self.index + 1].kind == "COLON"

    def value(self) -> QueryNode:
        if self.next.kind not in {"TERM", "PHRASE", "RANGE", "("}:
            raise self.unexpected()
        token = self.take()
        if token.kind != "(":
            return QueryNode(token.kind, token, token.end)
        parts = (self.expression(),)
        return QueryNode("(", token, self.take().end, parts)

    def unexpected(self) -> QueryError:
        """Return the error that the next token cannot be here; often the one before it is to blame."""
        before = self.tokens[self.index - 1] if self.index else QueryToken("", "", 0)
        token = self.next
        if before.kind == "COLON":
            field = self.tokens[self.index - 2]
            return field.error("no_value", field=field.text)
        if before.kind in {"AND", "OR", "NOT", "+"}:
            return before.error("nothing_after")
        if token.kind == ")":
            return token.error("brackets_empty", text="()")
        if token.kind == "COLON":
            return token.error("no_field")
        return token.error("nothing_before")
