"""Conditions as text again."""

from __future__ import annotations

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


def condition_text(node: Condition, outer: str = "") -> str:
    """Return a condition as it may be written in a config; ``outer`` is the operator around it."""
    if isinstance(node, Truth):
        return _operand(node.operand)
    if isinstance(node, Negation):
        return f"!({condition_text(node.condition)})"
    if isinstance(node, Compare):
        return f"{_operand(node.left)} {node.op} {_operand(node.right)}"
    text = f"{condition_text(node.left, node.op)} {node.op} {condition_text(node.right, node.op)}"
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


def _operand(node: Operand | ConfigValue) -> str:
    if isinstance(node, Selector):
        return node.text
    if isinstance(node, RegexLiteral):
        return f"/{node.pattern.replace('/', chr(92) + '/')}/"
    if isinstance(node, NumberLiteral):
        return str(node.value)
    if isinstance(node, ArrayLiteral):
        return f"[{', '.join(map(_operand, node.items))}]"
    value = str(getattr(node, "value", ""))
    return f"'{value}'" if '"' in value else f'"{value}"'
