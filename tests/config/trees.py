"""Config trees without spans, and back to text: helpers of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingestd.config.nodes import (
    ArrayLiteral,
    Branch,
    Compare,
    Config,
    HashLiteral,
    Logic,
    Negation,
    NumberLiteral,
    PluginBlock,
    RegexLiteral,
    Selector,
    StringLiteral,
    Truth,
)


def plain(node: Any) -> Any:  # noqa: C901, PLR0911 - one line for each kind of node
    """Return a node as plain Python without spans, short enough to write down in a table."""
    match node:
        case StringLiteral(value=value) | NumberLiteral(value=value):
            return value
        case ArrayLiteral(items=items):
            return [plain(item) for item in items]
        case HashLiteral(items=items):
            return {"hash": [(plain(key), plain(value)) for key, value in items]}
        case PluginBlock(name=name, settings=settings):
            return (name, *((setting.name, plain(setting.value)) for setting in settings))
        case Branch(tests=tests, otherwise=otherwise):
            cases = [(plain(test), plain(body)) for test, body in tests]
            return ("if", cases, plain(otherwise))
        case Selector(text=text):
            return ("field", text)
        case RegexLiteral(pattern=pattern):
            return ("regex", pattern)
        case Compare(op=op, left=left, right=right) | Logic(op=op, left=left, right=right):
            return (op, plain(left), plain(right))
        case Truth(operand=operand):
            return ("true", plain(operand))
        case Negation(condition=condition):
            return ("!", plain(condition))
        case Config():
            return {"input": plain(node.inputs), "filter": plain(node.filters), "output": plain(node.outputs)}
        case tuple():
            return [plain(item) for item in node]
    raise TypeError(node)


def tokens(node: Any) -> Iterator[str]:
    """Yield the text of a node in pieces; any blanks may stand between two pieces, and at least one must."""
    match node:
        case StringLiteral(value=value, bare=bare):
            yield value if bare else quoted(value)
        case NumberLiteral(value=value):
            yield repr(value)
        case ArrayLiteral(items=items):
            yield "["
            for position, item in enumerate(items):
                yield from ([","] if position else [])
                yield from tokens(item)
            yield "]"
        case HashLiteral(items=items):
            yield "{"
            for key, item in items:
                yield from (*tokens(key), "=>", *tokens(item))
            yield "}"
        case PluginBlock(name=name, settings=settings):
            yield from (name, "{")
            for setting in settings:
                yield from (setting.name, "=>", *tokens(setting.value))
            yield "}"
        case Branch():
            yield from _branch(node)
        case Config(inputs=inputs, filters=filters, outputs=outputs):
            for name, statements in (("input", inputs), ("filter", filters), ("output", outputs)):
                yield from (name, *_block(statements))
        case _:
            yield from _condition(node)


def quoted(value: str) -> str:
    """Return a string literal for a text that holds at most one kind of quote and does not end in a backslash."""
    return f"'{value}'" if '"' in value else f'"{value}"'


def _branch(node: Branch) -> Iterator[str]:
    for position, (test, body) in enumerate(node.tests):
        yield from (["else"] if position else [])
        yield from ("if", *tokens(test), *_block(body))
    if node.otherwise:
        yield from ("else", *_block(node.otherwise))


def _block(statements: tuple[Any, ...]) -> Iterator[str]:
    yield "{"
    for statement in statements:
        yield from tokens(statement)
    yield "}"


def _condition(node: Any) -> Iterator[str]:
    match node:
        case Selector(text=text):
            yield text
        case RegexLiteral(pattern=pattern):
            yield "/" + pattern.replace("/", "\\/") + "/"
        case Compare(op=op, left=left, right=right):
            yield from (*tokens(left), op, *tokens(right))
        case Logic(op=op, left=left, right=right):
            yield from ("(", *tokens(left), ")", op, "(", *tokens(right), ")")
        case Truth(operand=operand):
            yield from tokens(operand)
        case Negation(condition=condition):
            yield from ("!", "(", *tokens(condition), ")")
