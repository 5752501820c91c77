"""Read the condition of an ``if``.

::

    condition  = expression (("and" | "or" | "xor" | "nand") expression)*
    expression = "(" condition ")" | "!" (field | "(" condition ")") | comparison | operand
    comparison = operand ("==" | "!=" | "<" | ">" | "<=" | ">=") operand
               | operand ("=~" | "!~") (regex | string | field)
               | operand "not"? "in" operand
    operand    = field | string | number | regex | array

``conditions`` knows how strongly each operator binds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from ingestd.config import explain
from ingestd.config.conditions import MAX_DEPTH, Operator, TooDeepError, group, surprises
from ingestd.config.cursor import Cursor
from ingestd.config.errors import Span
from ingestd.config.explain import COMPARISONS, MATCHES
from ingestd.config.lexer import NUMBERS, Kind
from ingestd.config.literals import Literals, Scalar
from ingestd.config.nodes import Array, Compare, Comparison, Condition, Field, Not, Operand, Truth

_OPERATORS: Final = ("and", "or", "xor", "nand")
_OPERANDS: Final = (Kind.FIELD, Kind.STRING, *NUMBERS, Kind.REGEX, "[")
_PATTERNS: Final = (Kind.REGEX, Kind.STRING, Kind.FIELD)


class Expressions:
    """Reads conditions at a cursor; ``array`` reads an array there, and takes what makes nodes of its scalars."""

    def __init__(self, cursor: Cursor, literals: Literals, array: Callable[[Scalar], Array]) -> None:
        self._cursor, self._literals, self._array = cursor, literals, array

    def condition(self, end: str) -> Condition:
        """Read a condition up to ``end``, ``{`` or ``)``, which is not read."""
        cursor = self._cursor
        operands, operators = [self._expression()], list[tuple[Operator, Span]]()
        while cursor.expect(explain.operator, *_OPERATORS, end).text != end:
            token = cursor.advance()
            operators.append((cast(Operator, token.text), cursor.places.of(token)))
            operands.append(self._expression())
        return self._group(operands, operators)

    def _group(self, operands: list[Condition], operators: list[tuple[Operator, Span]]) -> Condition:
        if span := surprises(operators):
            message = "as in Logstash, two 'and's before this operator do not group as usual: "
            example = "a and b and c or d is a and ((b and c) or d)"
            self._literals.warn(message + example, span, "write parentheses")
        try:
            return group(operands, operators)
        except TooDeepError as error:
            message = f"'and', 'or', 'xor' and 'nand' alternate in more than {MAX_DEPTH} levels"
            self._literals.fail(message, error.span, 'write a condition on an array: [a] in ["x", "y"]')
            return operands[0]

    def _expression(self) -> Condition:
        token = self._cursor.expect(explain.operand, "(", "!", *_OPERANDS)
        if token.text == "(":
            return self._parentheses()
        return self._negation() if token.text == "!" else self._comparison()

    def _parentheses(self) -> Condition:
        self._cursor.open("condition")
        condition = self.condition(")")
        self._cursor.close()
        return condition

    def _negation(self) -> Not:
        cursor = self._cursor
        span = cursor.places.of(cursor.advance())
        if cursor.expect(explain.operand, "(", Kind.FIELD).text == "(":
            return Not(self._parentheses(), span)
        token = cursor.advance()
        field = Field(token.text, cursor.places.of(token))
        return Not(Truth(field, field.span), span)

    def _comparison(self) -> Compare | Truth:
        cursor = self._cursor
        start = cursor.next.start
        left = self._operand()
        if not cursor.next.is_in((*COMPARISONS, *MATCHES, "in", "not")):
            return Truth(left, left.span)
        operator = cursor.advance().text
        if operator == "not":
            cursor.take(explain.membership, "in")
            operator = "not in"
        right = self._operand(pattern=operator in MATCHES)
        return Compare(cast(Comparison, operator), left, right, cursor.places.span(start, cursor.last.end))

    def _operand(self, *, pattern: bool = False) -> Operand:
        """Read an operand; a ``pattern``, after ``=~``, is less than others can be, and its strings are regexes."""
        if self._cursor.expect(explain.operand, *(_PATTERNS if pattern else _OPERANDS)).text == "[":
            return self._array(self._literals.compared)
        token = self._cursor.advance()
        if token.kind is Kind.FIELD:
            return self._literals.field(token)
        return self._literals.regex(token) if pattern or token.kind is Kind.REGEX else self._literals.compared(token)
