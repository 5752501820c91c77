"""The syntax tree of a regular expression in Ruby's syntax: built by `parser`, read by `translate` and `proof`.

Nodes are named tuples, not dataclasses, because defining a dozen of those would add 8 ms to every start.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal, NamedTuple, TypeAlias

from ingestd.grok.syntax.charset import CharExpr


class Anchor(Enum):
    """Positions that a pattern can require without consuming a character."""

    LINE_START = "^"
    LINE_END = "$"
    TEXT_START = r"\A"
    TEXT_END = r"\z"
    LAST_LINE_END = r"\Z"
    WORD_EDGE = r"\b"
    NO_WORD_EDGE = r"\B"
    SEARCH_START = r"\G"


class Char(NamedTuple):
    """One character out of a set."""

    expr: CharExpr
    ignore_case: bool = False


class Assertion(NamedTuple):
    """A zero-width assertion."""

    anchor: Anchor


class Sequence(NamedTuple):
    """Items that match one after another."""

    items: tuple[Node, ...]


class Alternation(NamedTuple):
    """``a|b``: the first branch that leads to a match."""

    branches: tuple[Node, ...]


class Repeat(NamedTuple):
    """``body`` from ``low`` to ``high`` times; ``high`` None: no upper bound."""

    body: Node
    low: int
    high: int | None
    mode: Literal["greedy", "lazy", "possessive"] = "greedy"


class CaptureGroup(NamedTuple):
    """A pair of capturing parentheses, the ``order``-th one opened (from 0). ``name`` is empty for a plain one."""

    body: Node
    order: int
    name: str


class CaseGroup(NamedTuple):
    """``(?i:...)`` or ``(?-i:...)``: ``body`` with the letter case ignored or not."""

    body: Node
    ignore: bool


class AtomicGroup(NamedTuple):
    """``(?>...)``: once left, backtracking never re-enters it."""

    body: Node


class Lookaround(NamedTuple):
    """Look-ahead or look-behind."""

    body: Node
    ahead: bool
    negative: bool


class Backref(NamedTuple):
    """The text of an earlier capture, by name or by number, from 1."""

    target: str | int
    position: int


class GroupCall(NamedTuple):
    """``\\g<name>``: the expression of that group again; 0 is the whole pattern."""

    target: str | int
    position: int


class Conditional(NamedTuple):
    """``(?(group)yes|no)``."""

    target: str | int
    position: int
    yes: Node
    no: Node


class Special(NamedTuple):
    """``\\X`` (grapheme) or ``\\K`` (forget what was matched): supported by the ``regex`` package only."""

    text: str


Node: TypeAlias = (
    Char
    | Assertion
    | Sequence
    | Alternation
    | Repeat
    | CaptureGroup
    | CaseGroup
    | AtomicGroup
    | Lookaround
    | Backref
    | GroupCall
    | Conditional
    | Special
)
EMPTY = Sequence(())


class ParsedRegex(NamedTuple):
    """A parsed pattern. ``names`` has one entry for each capturing group, in the order of their opening parentheses."""

    root: Node
    names: tuple[str, ...]

    @property
    def has_names(self) -> bool:
        """Whether a group has a name: if so, plain groups do not capture in Ruby."""
        return any(self.names)


def width(node: Node) -> tuple[int, int | None]:  # noqa: PLR0911  one case for each kind
    """Return the minimum and maximum number of characters that ``node`` consumes; None: no bound."""
    match node:
        case Char():
            return 1, 1
        case Assertion() | Lookaround():
            return 0, 0
        case Sequence(items):
            return _sum_widths(items)
        case Alternation(branches):
            return _span_widths(branches)
        case Repeat(body, low, high):
            least, most = width(body)
            if most == 0:
                return 0, 0
            return least * low, None if most is None or high is None else most * high
        case CaptureGroup(body) | CaseGroup(body) | AtomicGroup(body):
            return width(body)
        case Conditional(_, _, yes, no):
            return _span_widths((yes, no))
        case Backref() | GroupCall() | Special():
            return 0, None


def _sum_widths(items: tuple[Node, ...]) -> tuple[int, int | None]:
    least, most = 0, 0
    unbounded = False
    for item in items:
        low, high = width(item)
        least += low
        most += high or 0
        unbounded = unbounded or high is None
    return least, None if unbounded else most


def _span_widths(branches: tuple[Node, ...]) -> tuple[int, int | None]:
    widths = [width(branch) for branch in branches]
    highs = [high for _, high in widths]
    return min(low for low, _ in widths), None if None in highs else max(high or 0 for high in highs)
