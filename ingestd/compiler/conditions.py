"""Translate the conditions of a config to Python expressions, which call the functions in ``namespace``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ingestd.compiler.namespace import GlobalNames, identifier
from ingestd.config.errors import ConfigError
from ingestd.config.nodes import (
    ArrayLiteral,
    Compare,
    Condition,
    Logic,
    Negation,
    NumberLiteral,
    Operand,
    RegexLiteral,
    Selector,
    StringLiteral,
    Truth,
)
from ingestd.event.fields import FieldError, FieldRef
from ingestd.event.sprintf import to_text
from ingestd.grok.errors import GrokTimeoutError, PatternError
from ingestd.logs import get_logger

log = get_logger(__name__)

_TIMEOUT_S = 1.0
"""Limit of one search; shorter than for grok, because a condition has no failure tag."""


def matcher(pattern: str) -> tuple[Callable[[Any], bool], str, str]:
    """Return a function that searches a text for ``pattern``, a warning, and a text that every match contains.

    Other values than texts never match. A search that takes longer than ``_TIMEOUT_S`` is logged and counts as no
    match. The warning is empty unless a search may take long.

    Raises:
        PatternError: The pattern is not valid.
    """
    from ingestd.grok.compile import compile_regex  # noqa: PLC0415 -- most configs have no regex in a condition
    from ingestd.grok.searches import shortened  # noqa: PLC0415

    regex = compile_regex(shortened(pattern))
    search = regex.matcher(_TIMEOUT_S).search

    def matches(value: Any) -> bool:
        try:
            return type(value) is str and search(value) is not None
        except GrokTimeoutError:
            log.warning("a regex of a condition took too long; it counts as no match", regex=pattern, chars=len(value))
            return False

    return matches, "" if regex.safety.degree == 1 else regex.safety.describe(), regex.program.required


def _advice(pattern: str) -> str:
    from ingestd.grok.advice import advise_regex  # noqa: PLC0415 -- few regexes are slow
    from ingestd.grok.searches import shortened  # noqa: PLC0415

    return advise_regex(shortened(pattern))


class ConditionWriter:
    """Translates conditions to expressions over columns and ``row``.

    ``names`` receives the values that the expressions refer to; ``reads`` collects the fields, ``errors`` the errors.
    ``columns`` has the expressions of the columns that the conditions since the last ``clear`` need, by their names.
    """

    def __init__(self, names: GlobalNames, errors: list[ConfigError]) -> None:
        self._names, self._errors = names, errors
        self.reads: set[str] = set()
        self.columns: dict[str, str] = {}

    def expression(self, node: Condition) -> str:
        """Return the Python text of a condition."""
        if isinstance(node, Truth):
            return f"truthy({self._operand(node.operand)})"
        if isinstance(node, Negation):
            return f"not ({self.expression(node.condition)})"
        if isinstance(node, Logic):
            return self._logic(node)
        return self._compare(node)

    def _logic(self, node: Logic) -> str:
        left, right = self.expression(node.left), self.expression(node.right)
        if node.op == "xor":
            return f"bool({left}) is not bool({right})"
        if node.op == "nand":
            return f"not (({left}) and ({right}))"
        return f"({left}) {node.op} ({right})"

    def _compare(self, node: Compare) -> str:
        left, right = self._operand(node.left), self._operand(node.right)
        match node.op:
            case "==" | "!=":
                test = self._equality(node, left, right)
                return test if node.op == "==" else f"not ({test})"
            case "<" | ">" | "<=" | ">=":
                return self._order(node, left, right)
            case "=~":
                return self._search(node, left)
            case "!~":
                return f"not ({self._search(node, left)})"
        if isinstance(node.right, ArrayLiteral):
            texts = frozenset(
                to_text(item.value) for item in node.right.items if isinstance(item, StringLiteral | NumberLiteral)
            )
            test = f"among({left}, {self._names.add('words', texts)})"
        elif isinstance(node.left, StringLiteral) and isinstance(node.right, Selector):  # without a call for text
            test = f"({left} in {right} if type({right}) is str else contains({right}, {left}))"
        else:
            test = f"contains({right}, {left})"
        return test if node.op == "in" else f"not ({test})"

    @staticmethod
    def _equality(node: Compare, left: str, right: str) -> str:
        if isinstance(node.left, StringLiteral) or isinstance(node.right, StringLiteral):
            return f"{left} == {right}"
        return f"equal({left}, {right})"

    @staticmethod
    def _order(node: Compare, left: str, right: str) -> str:
        types = {StringLiteral: "texts", NumberLiteral: "numbers"}
        if type(node.right) in types and isinstance(node.left, Selector):  # usually, and without a call
            return f"type({left}) in {types[type(node.right)]} and {left} {node.op} {right}"
        function = "less" if node.op in "<>" else "at_most"
        return f"{function}({left}, {right})" if node.op[0] == "<" else f"{function}({right}, {left})"

    def _search(self, node: Compare, left: str) -> str:
        pattern = node.right.pattern if isinstance(node.right, RegexLiteral) else None
        if pattern is None:
            what = "the right side of =~ must be a regex, /like this/"
            self._errors.append(ConfigError(what, node.right.span, 'write a regex between slashes or "quotes"'))
            return "False"
        try:
            matches, warning, required = matcher(pattern)
        except PatternError as error:
            self._errors.append(ConfigError(f"invalid regex: {error}", node.right.span))
            return "False"
        if warning and (hint := _advice(pattern)):
            text = f"regex /{pattern}/: {warning}; long values are searched under a time-out"
            self._errors.append(ConfigError(text, node.right.span, hint, "warning"))
        test = f"{self._names.add('matches', matches)}({left})"
        return test if not required else f"type({left}) is str and {required!r} in {left} and {test}"

    def _operand(self, node: Operand) -> str:
        if isinstance(node, Selector):
            try:
                ref = FieldRef(node.text)
            except FieldError as error:
                self._errors.append(ConfigError(str(error), node.span, "write [outer][inner]"))
                return "None"
            self.reads.add(ref.text)
            return self._value(ref)
        if isinstance(node, StringLiteral | NumberLiteral):
            return repr(node.value)
        if isinstance(node, ArrayLiteral):
            return repr([item.value for item in node.items if isinstance(item, StringLiteral | NumberLiteral)])
        return "None"

    def _value(self, ref: FieldRef) -> str:
        """Return the expression of a field's value in ``row``, and note the column that it needs."""
        column = f"table.column({ref.top!r})"
        if len(ref.path) > 1:
            column = f"table.values({self._names.add('field_' + '_'.join(ref.path), ref)})"
        name = f"{identifier('_'.join(ref.path))}_values"
        while self.columns.setdefault(name, column) != column:
            name += "_"
        return f"{name}[row]"
