"""Turn the parser's tree into nodes: unquote strings, replace variables, group conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from ingestd.config._lark import Token, Tree
from ingestd.config.conditions import MAX_DEPTH, Operator, TooDeepError, group, surprises
from ingestd.config.errors import ConfigError
from ingestd.config.lexer import Places, end_of, start_of
from ingestd.config.nodes import (
    Array,
    Branch,
    Compare,
    Comparison,
    Condition,
    Field,
    Hash,
    Not,
    Number,
    Operand,
    Plugin,
    Regex,
    Setting,
    Statement,
    Text,
    Truth,
    Value,
)
from ingestd.config.variables import UndefinedVariableError, has_reference, is_reference, substitute

_Node = Tree[Token]

_BAREWORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}
#: Longer than any number that a plugin takes; Python itself refuses 4,300 digits.
_LONGEST_NUMBER: Final = 100


class Builder:
    """Makes nodes of one file's trees; errors and warnings gather in ``errors`` and ``warnings``."""

    def __init__(self, places: Places, variables: Mapping[str, str], *, support_escapes: bool) -> None:
        self.errors: list[ConfigError] = []
        self.warnings: list[ConfigError] = []
        self._places, self._variables, self._support_escapes = places, variables, support_escapes

    def sections(self, tree: _Node) -> Iterator[tuple[str, tuple[Statement, ...]]]:
        """Yield the kind (``input``, ``filter``, ``output``) and the statements of each section."""
        for section in _trees(tree):
            yield str(section.children[0]), self._statements(section)

    def _statements(self, tree: _Node) -> tuple[Statement, ...]:
        return tuple(
            self._branch(child) if child.data == "branch" else self._plugin(child)
            for child in _trees(tree)
            if child.data != "condition"
        )

    def _branch(self, tree: _Node) -> Branch:
        tests: list[tuple[Condition, tuple[Statement, ...]]] = []
        otherwise: tuple[Statement, ...] = ()
        for child in _trees(tree):
            if child.data == "case":
                condition = next(_trees(child))
                tests.append((self._condition(condition), self._statements(child)))
            else:
                otherwise = self._statements(child)
        return Branch(tuple(tests), otherwise, self._places.of(_first(tree)))

    def _plugin(self, tree: _Node) -> Plugin:
        name = _first(tree)
        settings = tuple(self._setting(child) for child in _trees(tree))
        return Plugin(_bare(name), settings, self._places.of(name))

    def _setting(self, tree: _Node) -> Setting:
        name, value = tree.children
        return Setting(_bare(_token(name)), self._value(value), self._places.of(_token(name)))

    # Values

    def _value(self, node: _Node | Token) -> Value:
        if isinstance(node, Token):
            return self._number(node) if node.type == "NUMBER" else self._text(node)
        if node.data == "codec":
            return self._plugin(node)
        span = self._places.span(start_of(_first(node)), end_of(_token(node.children[-1])))
        if node.data == "array":
            return Array(tuple(self._value(child) for child in node.children[1:-1]), span)
        return Hash(tuple(self._entry(entry) for entry in _trees(node)), span)

    def _entry(self, tree: _Node) -> tuple[Text | Number, Value]:
        key, value = tree.children
        token = _token(key)
        if token.type == "NUMBER":
            return self._number(token), self._value(value)
        if has_reference(token):
            self._warn(f"{token} is not replaced: variables in the keys of a hash stay as they are", token)
        return self._literal(token), self._value(value)

    def _literal(self, token: Token) -> Text:
        """Return a string or bareword, with its variables still in it."""
        span = self._places.of(token)
        if token.type == "STRING":
            value = token[1:-1]
            return Text(_unescape(value) if self._support_escapes else value, span)
        if token.type == "NAME" and not _BAREWORD.fullmatch(token):
            self._fail(f"'{token}' needs quotes", token, f'write "{token}"')
        return Text(str(token), span, bare=True)

    def _text(self, token: Token) -> Text:
        literal = self._literal(token)
        return Text(self._substitute(literal.value, token), literal.span, literal.bare)

    def _substitute(self, value: str, token: Token) -> str:
        try:
            return substitute(value, self._variables)
        except UndefinedVariableError as undefined:
            for name in undefined.names:
                self._undefined(name, token)
            return value

    def _undefined(self, name: str, token: Token) -> None:
        reference = f"${{{name}}}"
        start = start_of(token) + max(token.find(reference), 0)
        self.errors.append(
            ConfigError(
                f"the environment variable '{name}' is not set",
                self._places.span(start, start + len(reference)),
                f"set it, or give a default: ${{{name}:value}}",
            )
        )

    def _number(self, token: Token) -> Number:
        return Number(self._numeral(token), self._places.of(token))

    def _numeral(self, token: Token) -> int | float:
        digits = token.lstrip("-")
        if len(digits) > _LONGEST_NUMBER:
            self._fail(f"a number of {len(digits)} characters is too long", token, "put it in quotes if it is a text")
            return 0
        if "." in token:
            return float(token)
        if len(digits) == 1 or digits[0] != "0":
            return int(token)
        try:  # as in Ruby, a leading zero means octal: file_mode => 0640
            return int(token, 8)
        except ValueError:
            self._fail(f"'{token}' is not an octal number", token, "leave out the leading zero, or put it in quotes")
            return 0

    # Conditions

    def _condition(self, tree: _Node) -> Condition:
        operands = [self._expression(child) for child in _trees(tree)]
        operators = [
            (cast(Operator, str(token)), self._places.of(token)) for token in tree.children if isinstance(token, Token)
        ]
        if span := surprises(operators):
            self.warnings.append(
                ConfigError(
                    "as in Logstash, two 'and's before this operator do not group as usual: "
                    "a and b and c or d is a and ((b and c) or d)",
                    span,
                    "write parentheses",
                    "warning",
                )
            )
        try:
            return group(operands, operators)
        except TooDeepError as error:
            message = f"'and', 'or', 'xor' and 'nand' alternate in more than {MAX_DEPTH} levels"
            self.errors.append(ConfigError(message, error.span, 'write a condition on an array: [a] in ["x", "y"]'))
            return operands[0]

    def _expression(self, tree: _Node) -> Condition:
        match tree.data:
            case "condition":
                return self._condition(tree)
            case "negation":
                return self._negation(tree)
            case "truth":
                operand = self._operand(tree.children[0])
                return Truth(operand, operand.span)
        left = self._operand(tree.children[0])
        operators = [str(child) for child in tree.children[1:-1]]
        matching = operators[0] in ("=~", "!~")
        right = self._pattern(_token(tree.children[-1])) if matching else self._operand(tree.children[-1])
        span = self._places.span(_start(tree.children[0]), _end(tree.children[-1]))
        return Compare(cast(Comparison, " ".join(operators)), left, right, span)

    def _negation(self, tree: _Node) -> Not:
        mark, negated = tree.children
        if isinstance(negated, Token):
            field = Field(str(negated), self._places.of(negated))
            return Not(Truth(field, field.span), self._places.of(_token(mark)))
        return Not(self._condition(negated), self._places.of(_token(mark)))

    def _pattern(self, token: Token) -> Regex | Field:
        if token.type == "STRING":
            literal = self._literal(token)
            return Regex(literal.value, literal.span)
        return cast(Regex | Field, self._operand(token))

    def _operand(self, node: _Node | Token) -> Operand:
        if not isinstance(node, Token):
            items = (
                self._condition_text(item) if isinstance(item, Token) and item.type == "STRING" else self._value(item)
                for item in node.children[1:-1]
            )
            return Array(tuple(items), self._places.span(_start(node), _end(node)))
        match node.type:
            case "FIELD":
                self._check_field(node)
                return Field(str(node), self._places.of(node))
            case "REGEX":
                return Regex(_ESCAPE.sub(_unescape_slash, node[1:-1]), self._places.of(node))
            case "NUMBER":
                return self._number(node)
        return self._condition_text(node)

    def _condition_text(self, token: Token) -> Text:
        literal = self._literal(token)
        if is_reference(literal.value):
            return Text(self._substitute(literal.value, token), literal.span)
        if has_reference(literal.value):
            self._warn("as in Logstash, a condition replaces a variable only if it is the whole string", token)
        return literal

    def _check_field(self, token: Token) -> None:
        inner = token[1:-1].strip()
        if len(inner) > 1 and inner[0] in "\"'" and inner[-1] == inner[0]:
            self._warn(
                f"as in Logstash, {token} is the field with that name, not an array of one string",
                token,
                f"compare with == {inner}, or add a second element",
            )

    # Errors

    def _fail(self, message: str, token: Token, hint: str) -> None:
        self.errors.append(ConfigError(message, self._places.of(token), hint))

    def _warn(self, message: str, token: Token, hint: str = "") -> None:
        self.warnings.append(ConfigError(message, self._places.of(token), hint, "warning"))


def _unescape(value: str) -> str:
    r"""Return a string as with Logstash's ``config.support_escapes``: ``\n``, ``\r``, ``\t``, else the character."""
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), value)


def _unescape_slash(match: re.Match[str]) -> str:
    return "/" if match[1] == "/" else match[0]


def _bare(name: Token) -> str:
    return name[1:-1] if name.type == "STRING" else str(name)


def _trees(tree: _Node) -> Iterator[_Node]:
    return (child for child in tree.children if isinstance(child, Tree))


def _token(node: _Node | Token) -> Token:
    return cast(Token, node)


def _first(tree: _Node) -> Token:
    """Return the first token of a tree."""
    node: _Node | Token = tree
    while not isinstance(node, Token):
        node = node.children[0]
    return node


def _start(node: _Node | Token) -> int:
    return start_of(node if isinstance(node, Token) else _first(node))


def _end(node: _Node | Token) -> int:
    return end_of(node if isinstance(node, Token) else _token(node.children[-1]))
