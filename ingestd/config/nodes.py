"""The tree of a parsed pipeline config. Every node knows its place in the text.

Follows the Logstash config language: https://www.elastic.co/docs/reference/logstash/configuration-file-structure
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ingestd.config.errors import ConfigError, Span


@dataclass(frozen=True, slots=True)
class Text:
    """A string, already unquoted, or a bareword (``bare``); ``${VAR}`` is already replaced (see variables.py)."""

    value: str
    span: Span
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """An integer or a float."""

    value: int | float
    span: Span


@dataclass(frozen=True, slots=True)
class Array:
    """``[ a, b ]``."""

    items: tuple[Value, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Hash:
    """``{ key => value ... }`` in the order of the text; a key may come twice. ``${VAR}`` in keys stays as it is."""

    items: tuple[tuple[Text | Number, Value], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Setting:
    """``name => value`` inside a plugin; ``span`` is the name's."""

    name: str
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class Plugin:
    """``name { settings }``; as a value it is a codec. ``span`` is the name's."""

    name: str
    settings: tuple[Setting, ...]
    span: Span


Value = Text | Number | Array | Hash | Plugin


@dataclass(frozen=True, slots=True)
class Field:
    """A field reference in a condition, as written: ``[a][b]``; as in Logstash ``["a"]`` is one, too."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Regex:
    """``/pattern/`` (slashes taken off, ``\\/`` is ``/``), or the string on the right of ``=~``."""

    pattern: str
    span: Span


Operand = Field | Text | Number | Array | Regex
Comparison = Literal["==", "!=", "<", ">", "<=", ">=", "=~", "!~", "in", "not in"]


@dataclass(frozen=True, slots=True)
class Compare:
    """``left op right``; for ``=~`` and ``!~`` the right side is a ``Regex``, or a ``Field`` that holds a pattern.

    ``span`` is the whole comparison (its first line).
    """

    op: Comparison
    left: Operand
    right: Operand
    span: Span


@dataclass(frozen=True, slots=True)
class Truth:
    """An operand alone: true if the field exists and is neither null nor false. ``span`` is the operand's."""

    operand: Operand
    span: Span


@dataclass(frozen=True, slots=True)
class Not:
    """``! condition``; ``span`` is the exclamation mark's."""

    condition: Condition
    span: Span


@dataclass(frozen=True, slots=True)
class Logic:
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


@dataclass(frozen=True, slots=True)
class Branch:
    """``if``, its ``else if``s in order, and the ``else`` block (empty if there is none); ``span`` is the ``if``'s."""

    tests: tuple[tuple[Condition, tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]
    span: Span


Statement = Plugin | Branch


@dataclass(frozen=True, slots=True)
class Config:
    """A whole pipeline: the plugins of each section, sections of the same kind joined in order.

    ``sources`` maps each file name to its text, for error messages and tracebacks. ``warnings`` are of severity
    ``warning``: places where Logstash, and so ingestd, does something else than one would think.
    """

    inputs: tuple[Statement, ...]
    filters: tuple[Statement, ...]
    outputs: tuple[Statement, ...]
    sources: dict[str, str]
    warnings: tuple[ConfigError, ...] = ()
