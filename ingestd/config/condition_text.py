"""Conditions as text again."""

from __future__ import annotations

from collections.abc import Mapping

from ingestd.config.errors import Span
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
    Truth,
)
from ingestd.config.nodes import Value as ConfigValue


def condition_text(node: Condition, sources: Mapping[str, str]) -> str:
    """Return a condition as it may be written in a config; variables, which may be secrets, stay as they are written.

    ``sources``: the texts of the config by file name.
    """
    return _condition(node, sources, "")


def _condition(node: Condition, sources: Mapping[str, str], outer: str) -> str:
    """Return the text of a condition inside of the operator ``outer``."""
    if isinstance(node, Truth):
        return _operand(node.operand, sources)
    if isinstance(node, Negation):
        return f"!({_condition(node.condition, sources, '')})"
    if isinstance(node, Compare):
        return f"{_operand(node.left, sources)} {node.op} {_operand(node.right, sources)}"
    text = f"{_condition(node.left, sources, node.op)} {node.op} {_condition(node.right, sources, node.op)}"
    return f"({text})" if outer not in {"", node.op} else text


def selectors(node: Condition) -> list[str]:
    """Return the field references in a condition, in the order of the text, each once."""
    if isinstance(node, Logic):
        found = [*selectors(node.left), *selectors(node.right)]
    elif isinstance(node, Negation):
        found = selectors(node.condition)
    else:
        operands = (node.operand,) if isinstance(node, Truth) else (node.left, node.right)
        found = [operand.text for operand in operands if isinstance(operand, Selector)]
    return [*dict.fromkeys(found)]


def _operand(node: Operand | ConfigValue, sources: Mapping[str, str]) -> str:
    if isinstance(node, Selector):
        return node.text
    if isinstance(node, RegexLiteral):
        return f"/{node.pattern.replace('/', chr(92) + '/')}/"
    if isinstance(node, NumberLiteral):
        return str(node.value)
    if isinstance(node, ArrayLiteral):
        return f"[{', '.join(_operand(item, sources) for item in node.items)}]"
    written = _written(node.span, sources)
    if "${" in written:
        return written
    value = str(getattr(node, "value", ""))
    return f"'{value}'" if '"' in value else f'"{value}"'


def _written(span: Span, sources: Mapping[str, str]) -> str:
    """Return the text at a place of the config; of several lines the first."""
    lines = sources.get(span.file, "").split("\n")
    line = lines[span.line - 1] if span.line <= len(lines) else ""
    return line[span.column - 1 :][: span.length]
