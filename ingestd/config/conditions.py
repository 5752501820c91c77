"""Parse the condition of an ``if``.

::

    condition  = expression (("and" | "or" | "xor" | "nand") expression)*
    expression = "(" condition ")" | "!" (field | "(" condition ")") | comparison | operand
    comparison = operand ("==" | "!=" | "<" | ">" | "<=" | ">=") operand
               | operand ("=~" | "!~") (regex | string | field)
               | operand "not"? "in" operand
    operand    = field | string | number | regex | array

``precedence`` knows how strongly each operator binds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from ingestd.config import messages
from ingestd.config.cursor import TokenCursor
from ingestd.config.errors import Span
from ingestd.config.lexer import NUMBERS, TokenKind
from ingestd.config.literals import Literals, Scalar
from ingestd.config.messages import COMPARISONS, MATCHES
from ingestd.config.nodes import ArrayLiteral, Compare, Comparison, Condition, Negation, Operand, Selector, Truth
from ingestd.config.precedence import MAX_DEPTH, Operator, TooDeepError, group, surprises

_OPERATORS: Final = ("and", "or", "xor", "nand")
_OPERANDS: Final = (TokenKind.FIELD, TokenKind.STRING, *NUMBERS, TokenKind.REGEX, "[")
_PATTERNS: Final = (TokenKind.REGEX, TokenKind.STRING, TokenKind.FIELD)


class ConditionParser:
    """Parses conditions at a cursor; ``array`` parses an array there, given the function that converts its scalars."""

    def __init__(self, cursor: TokenCursor, literals: Literals, array: Callable[[Scalar], ArrayLiteral]) -> None:
        self._cursor, self._literals, self._array = cursor, literals, array

    def condition(self, end: str) -> Condition:
        """Parse a condition up to ``end``, ``{`` or ``)``, which is not consumed."""
        cursor = self._cursor
        operands, operators = [self._expression()], list[tuple[Operator, Span]]()
        while cursor.expect(messages.operator, *_OPERATORS, end).text != end:
            token = cursor.advance()
            operators.append((cast(Operator, token.text), cursor.source.of(token)))
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
        token = self._cursor.expect(messages.operand, "(", "!", *_OPERANDS)
        if token.text == "(":
            return self._parentheses()
        return self._negation() if token.text == "!" else self._comparison()

    def _parentheses(self) -> Condition:
        self._cursor.open("condition")
        condition = self.condition(")")
        self._cursor.close()
        return condition

    def _negation(self) -> Negation:
        cursor = self._cursor
        span = cursor.source.of(cursor.advance())
        if cursor.expect(messages.operand, "(", TokenKind.FIELD).text == "(":
            return Negation(self._parentheses(), span)
        token = cursor.advance()
        field = Selector(token.text, cursor.source.of(token))
        return Negation(Truth(field, field.span), span)

    def _comparison(self) -> Compare | Truth:
        cursor = self._cursor
        start = cursor.next.start
        left = self._operand()
        if not cursor.next.is_in((*COMPARISONS, *MATCHES, "in", "not")):
            return Truth(left, left.span)
        operator = cursor.advance().text
        if operator == "not":
            cursor.take(messages.membership, "in")
            operator = "not in"
        right = self._operand(pattern=operator in MATCHES)
        return Compare(cast(Comparison, operator), left, right, cursor.source.span(start, cursor.last.end))

    def _operand(self, *, pattern: bool = False) -> Operand:
        """Parse an operand. A ``pattern``, after ``=~``, is a regex, a string (also read as a regex) or a field."""
        if self._cursor.expect(messages.operand, *(_PATTERNS if pattern else _OPERANDS)).text == "[":
            return self._array(self._literals.compared)
        token = self._cursor.advance()
        if token.kind is TokenKind.FIELD:
            return self._literals.field(token)
        return (
            self._literals.regex(token) if pattern or token.kind is TokenKind.REGEX else self._literals.compared(token)
        )
