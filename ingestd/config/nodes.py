"""The syntax tree of a pipeline config. Every node has its span in the text.

Follows the Logstash config language: https://www.elastic.co/docs/reference/logstash/configuration-file-structure
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from ingestd.config.errors import ConfigError, Span


class StringLiteral(Struct, frozen=True):
    """A string, already unquoted, or a bareword (``bare``); ``${VAR}`` is already replaced (see ``variables``).

    ``unset``: a variable in it is not set, and stays as it was written.
    """

    value: str
    span: Span
    bare: bool = False
    unset: bool = False


class NumberLiteral(Struct, frozen=True):
    """An integer or a float."""

    value: int | float
    span: Span


class ArrayLiteral(Struct, frozen=True):
    """``[ a, b ]``."""

    items: tuple[Value, ...]
    span: Span


class HashLiteral(Struct, frozen=True):
    """``{ key => value ... }`` in the order of the text; a key may come twice. ``${VAR}`` in keys is not replaced."""

    items: tuple[tuple[StringLiteral | NumberLiteral, Value], ...]
    span: Span


class PluginSetting(Struct, frozen=True):
    """``name => value`` inside a plugin; ``span`` is the name's."""

    name: str
    value: Value
    span: Span


class PluginBlock(Struct, frozen=True):
    """``name { settings }``; as a value it is a codec. ``span`` is the name's."""

    name: str
    settings: tuple[PluginSetting, ...]
    span: Span


def texts(node: PluginSetting | Value) -> Iterator[StringLiteral]:
    """Yield the texts of a setting or value, those in arrays and in the values of hashes included, in order."""
    match node:
        case PluginSetting():
            yield from texts(node.value)
        case StringLiteral():
            yield node
        case ArrayLiteral():
            for item in node.items:
                yield from texts(item)
        case HashLiteral():
            for _, item in node.items:
                yield from texts(item)


Value = StringLiteral | NumberLiteral | ArrayLiteral | HashLiteral | PluginBlock


class Selector(Struct, frozen=True):
    """A field reference in a condition, as written: ``[a][b]``; as in Logstash, ``["a"]`` is one, too."""

    text: str
    span: Span


class RegexLiteral(Struct, frozen=True):
    """``/pattern/`` (without the slashes, ``\\/`` is ``/``), or the string on the right of ``=~``."""

    pattern: str
    span: Span


Operand = Selector | StringLiteral | NumberLiteral | ArrayLiteral | RegexLiteral
Comparison = Literal["==", "!=", "<", ">", "<=", ">=", "=~", "!~", "in", "not in"]


class Compare(Struct, frozen=True):
    """``left op right``; right of ``=~`` and ``!~`` is a ``RegexLiteral``, or a ``Selector`` of a field with a pattern.

    ``span`` is the whole comparison (on its first line).
    """

    op: Comparison
    left: Operand
    right: Operand
    span: Span


class Truth(Struct, frozen=True):
    """An operand alone: true if the field exists and is neither null nor false. ``span`` is the operand's."""

    operand: Operand
    span: Span


class Negation(Struct, frozen=True):
    """``! condition``; ``span`` is the exclamation mark's."""

    condition: Condition
    span: Span


class Logic(Struct, frozen=True):
    """``left and right``; ``span`` is the operator's.

    ``and`` binds tighter than ``or``, ``xor`` and ``nand``, which have equal rank and group to the right, but
    ``a and b and c or d`` is ``a and ((b and c) or d)``: ``precedence`` follows Logstash in that too. Long runs of one
    operator are balanced, so that no tree is deeper than 100 levels.
    """

    op: Literal["and", "or", "xor", "nand"]
    left: Condition
    right: Condition
    span: Span


Condition = Compare | Truth | Negation | Logic


class Branch(Struct, frozen=True):
    """``if``, its ``else if``s in order, and the ``else`` block (empty if there is none); ``span`` is the ``if``'s."""

    tests: tuple[tuple[Condition, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]
    span: Span


Statement = PluginBlock | Branch


class Config(Struct, frozen=True):
    """A whole pipeline: the plugins of each section, sections of the same kind joined in order.

    ``sources`` maps each file name to its text, for error messages and tracebacks. ``warnings`` are of severity
    ``warning``: Logstash, and so ingestd, does something unexpected there. ``errors``: the config cannot run, but the
    rest of it can be checked: variables that are not set. ``ecs_compatibility``: instead of the setting; empty: none.
    """

    inputs: tuple[Statement, ...]
    filters: tuple[Statement, ...]
    outputs: tuple[Statement, ...]
    sources: dict[str, str]
    warnings: tuple[ConfigError, ...] = ()
    errors: tuple[ConfigError, ...] = ()
    ecs_compatibility: str = ""
