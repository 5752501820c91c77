"""The tree of a parsed pipeline config. Every node knows its place in the text.

Follows the Logstash config language: https://www.elastic.co/docs/reference/logstash/configuration-file-structure
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ingestd.config.errors import ConfigError, Span


class Text(Struct, frozen=True):
    """A string, already unquoted, or a bareword (``bare``); ``${VAR}`` is already replaced (see variables.py)."""

    value: str
    span: Span
    bare: bool = False


class Number(Struct, frozen=True):
    """An integer or a float."""

    value: int | float
    span: Span


class Array(Struct, frozen=True):
    """``[ a, b ]``."""

    items: tuple[Value, ...]
    span: Span


class Hash(Struct, frozen=True):
    """``{ key => value ... }`` in the order of the text; a key may come twice. ``${VAR}`` in keys stays as it is."""

    items: tuple[tuple[Text | Number, Value], ...]
    span: Span


class Setting(Struct, frozen=True):
    """``name => value`` inside a plugin; ``span`` is the name's."""

    name: str
    value: Value
    span: Span


class Plugin(Struct, frozen=True):
    """``name { settings }``; as a value it is a codec. ``span`` is the name's."""

    name: str
    settings: tuple[Setting, ...]
    span: Span


Value = Text | Number | Array | Hash | Plugin


class Field(Struct, frozen=True):
    """A field reference in a condition, as written: ``[a][b]``; as in Logstash ``["a"]`` is one, too."""

    text: str
    span: Span


class Regex(Struct, frozen=True):
    """``/pattern/`` (slashes taken off, ``\\/`` is ``/``), or the string on the right of ``=~``."""

    pattern: str
    span: Span


Operand = Field | Text | Number | Array | Regex
Comparison = Literal["==", "!=", "<", ">", "<=", ">=", "=~", "!~", "in", "not in"]


class Compare(Struct, frozen=True):
    """``left op right``; for ``=~`` and ``!~`` the right side is a ``Regex``, or a ``Field`` that holds a pattern.

    ``span`` is the whole comparison (its first line).
    """

    op: Comparison
    left: Operand
    right: Operand
    span: Span


class Truth(Struct, frozen=True):
    """An operand alone: true if the field exists and is neither null nor false. ``span`` is the operand's."""

    operand: Operand
    span: Span


class Not(Struct, frozen=True):
    """``! condition``; ``span`` is the exclamation mark's."""

    condition: Condition
    span: Span


class Logic(Struct, frozen=True):
    """``left and right``; ``span`` is the operator's.

    ``and`` binds stronger than ``or``, ``xor`` and ``nand``, which have one rank and group to the right, but
    ``a and b and c or d`` is ``a and ((b and c) or d)``: conditions.py follows Logstash in that too. Long runs of one
    operator are balanced, so that no tree is deeper than 100 levels.
    """

    op: Literal["and", "or", "xor", "nand"]
    left: Condition
    right: Condition
    span: Span


Condition = Compare | Truth | Not | Logic


class Branch(Struct, frozen=True):
    """``if``, its ``else if``s in order, and the ``else`` block (empty if there is none); ``span`` is the ``if``'s."""

    tests: tuple[tuple[Condition, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]
    span: Span


Statement = Plugin | Branch


class Config(Struct, frozen=True):
    """A whole pipeline: the plugins of each section, sections of the same kind joined in order.

    ``sources`` maps each file name to its text, for error messages and tracebacks. ``warnings`` are of severity
    ``warning``: places where Logstash, and so ingestd, does something else than one would think.
    """

    inputs: tuple[Statement, ...]
    filters: tuple[Statement, ...]
    outputs: tuple[Statement, ...]
    sources: dict[str, str]
    warnings: tuple[ConfigError, ...] = ()
