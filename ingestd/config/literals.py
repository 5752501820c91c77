"""Convert single tokens to nodes: unquote strings, replace variables, parse numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from ingestd.config.errors import ConfigError, Span
from ingestd.config.lexer import NUMBERS, ConfigToken, SourceText, TokenKind
from ingestd.config.nodes import NumberLiteral, RegexLiteral, Selector, StringLiteral
from ingestd.config.variables import UndefinedVariableError, has_reference, is_reference, substitute

_BAREWORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
#: Logstash's ``config.support_escapes``; any other character after a backslash stands for itself.
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}
#: Longer than any number that a plugin accepts; Python itself rejects 4,300 digits.
_LONGEST_NUMBER: Final = 100

Scalar = Callable[[ConfigToken], StringLiteral | NumberLiteral]


class Literals:
    """Converts the tokens of one file to nodes; collects ``errors`` and ``warnings``.

    ``unset``: errors about variables that are not set, which keep nothing else from being checked.
    """

    def __init__(self, source: SourceText, variables: Mapping[str, str], *, support_escapes: bool) -> None:
        self.errors: list[ConfigError] = []
        self.warnings: list[ConfigError] = []
        self.unset: list[ConfigError] = []
        self._source, self._variables, self._support_escapes = source, variables, support_escapes

    def value(self, token: ConfigToken) -> StringLiteral | NumberLiteral:
        """Return a value in a plugin."""
        literal = self._literal(token)
        return self._substitute(literal, token) if isinstance(literal, StringLiteral) else literal

    def key(self, token: ConfigToken) -> StringLiteral | NumberLiteral:
        """Return a key of a hash."""
        if has_reference(token.text):
            message = f"{token.text} is not replaced: variables in the keys of a hash stay as they are"
            self.warn(message, self._source.of(token))
        return self._literal(token)

    def compared(self, token: ConfigToken) -> StringLiteral | NumberLiteral:
        """Return a value in a condition."""
        literal = self._literal(token)
        if isinstance(literal, StringLiteral) and is_reference(literal.value):
            return self._substitute(literal, token)
        if isinstance(literal, StringLiteral) and has_reference(literal.value):
            self.warn("as in Logstash, a condition replaces a variable only if it is the whole string", literal.span)
        return literal

    def field(self, token: ConfigToken) -> Selector:
        """Return a field reference."""
        span, inner = self._source.of(token), token.text[1:-1].strip()
        if len(inner) > 1 and inner[0] in "\"'" and inner[-1] == inner[0]:
            message = f"as in Logstash, {token.text} is the field with that name, not an array of one string"
            self.warn(message, span, f"compare with == {inner}, or add a second element")
        return Selector(token.text, span)

    def regex(self, token: ConfigToken) -> RegexLiteral:
        """Return a regex, between slashes or in a string."""
        if token.kind is TokenKind.STRING:
            return RegexLiteral(self._unquoted(token), self._source.of(token))
        return RegexLiteral(_ESCAPE.sub(_unescape_slash, token.text[1:-1]), self._source.of(token))

    def fail(self, message: str, span: Span, hint: str) -> None:
        """Add an error."""
        self.errors.append(ConfigError(message, span, hint))

    def warn(self, message: str, span: Span, hint: str = "") -> None:
        """Add a warning."""
        self.warnings.append(ConfigError(message, span, hint, "warning"))

    def _literal(self, token: ConfigToken) -> StringLiteral | NumberLiteral:
        """Return a string, bareword or number, with its variables still in it."""
        span = self._source.of(token)
        if token.kind in NUMBERS:
            return NumberLiteral(self._number(token, span), span)
        if token.kind is TokenKind.NAME and not _BAREWORD.fullmatch(token.text):
            self.fail(f"'{token.text}' needs quotes", span, f'write "{token.text}"')
        return StringLiteral(self._unquoted(token), span, bare=token.kind is not TokenKind.STRING)

    def _unquoted(self, token: ConfigToken) -> str:
        if token.kind is TokenKind.STRING and self._support_escapes:
            return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), token.value)
        return token.value

    def _number(self, token: ConfigToken, span: Span) -> int | float:
        digits = token.text.lstrip("-")
        if len(digits) > _LONGEST_NUMBER:
            self.fail(f"a number of {len(digits)} characters is too long", span, "put it in quotes if it is text")
            return 0
        if token.kind is TokenKind.FLOAT:
            return float(token.text)
        try:  # as in Ruby, a leading zero means octal: file_mode => 0640
            return int(token.text, 8 if digits[0] == "0" else 10)
        except ValueError:
            hint = "leave out the leading zero, or put it in quotes"
            self.fail(f"'{token.text}' is not an octal number", span, hint)
            return 0

    def _substitute(self, literal: StringLiteral, token: ConfigToken) -> StringLiteral:
        try:
            return StringLiteral(substitute(literal.value, self._variables), literal.span, literal.bare)
        except UndefinedVariableError as undefined:
            for name in undefined.names:
                start = token.start + max(token.text.find(f"${{{name}}}"), 0)
                span = self._source.span(start, start + len(f"${{{name}}}"))
                hint = f"set it, or give a default: ${{{name}:value}}"
                self.unset.append(ConfigError(f"the environment variable '{name}' is not set", span, hint))
            return StringLiteral(literal.value, literal.span, literal.bare, unset=True)


def _unescape_slash(match: re.Match[str]) -> str:
    return "/" if match[1] == "/" else match[0]
