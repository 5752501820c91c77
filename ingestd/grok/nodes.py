"""The tree of a regular expression in Ruby's syntax. Made by `parser`, read by `translate` and `safety`.

Nodes are named tuples and not dataclasses, because defining a dozen of those would cost 8 ms of every start.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal, NamedTuple, TypeAlias

from ingestd.grok.charset import CharExpr


class At(Enum):
    """Places that a pattern can ask for without taking a character."""

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


class Place(NamedTuple):
    """A zero-width assertion."""

    at: At


class Sequence(NamedTuple):
    """One after the other."""

    items: tuple[Node, ...]


class Choice(NamedTuple):
    """The first branch that leads to a match."""

    branches: tuple[Node, ...]


class Repeat(NamedTuple):
    """``body`` from ``low`` to ``high`` times; ``high`` None: without end."""

    body: Node
    low: int
    high: int | None
    mode: Literal["greedy", "lazy", "possessive"] = "greedy"


class Group(NamedTuple):
    """A pair of capturing parentheses, the ``order``-th one opened (from 0). ``name`` is empty for a plain one."""

    body: Node
    order: int
    name: str


class Case(NamedTuple):
    """``body`` with the letter case ignored or not."""

    body: Node
    ignore: bool


class Atomic(NamedTuple):
    """``(?>...)``: once left, never entered again by backtracking."""

    body: Node


class Look(NamedTuple):
    """Look-ahead or look-behind."""

    body: Node
    ahead: bool
    negative: bool


class Backref(NamedTuple):
    """The text captured before: by a name, or by a number from 1."""

    target: str | int
    position: int


class Call(NamedTuple):
    """``\\g<name>``: the group's expression once more; 0 is the whole pattern."""

    target: str | int
    position: int


class Condition(NamedTuple):
    """``(?(group)yes|no)``."""

    target: str | int
    position: int
    yes: Node
    no: Node


class Special(NamedTuple):
    """``\\X`` (grapheme) or ``\\K`` (forget what was matched): known to the ``regex`` package only."""

    text: str


Node: TypeAlias = (
    Char | Place | Sequence | Choice | Repeat | Group | Case | Atomic | Look | Backref | Call | Condition | Special
)
EMPTY = Sequence(())


class Regex(NamedTuple):
    """A parsed pattern. ``names`` has one entry for each capturing group, in the order they open."""

    root: Node
    names: tuple[str, ...]

    @property
    def has_names(self) -> bool:
        """Whether a group has a name: then, in Ruby, plain groups do not capture."""
        return any(self.names)


def width(node: Node) -> tuple[int, int | None]:  # noqa: PLR0911  one case for each kind
    """Return the least and the greatest number of characters that ``node`` takes; None: no bound."""
    match node:
        case Char():
            return 1, 1
        case Place() | Look():
            return 0, 0
        case Sequence(items):
            return _sum_widths(items)
        case Choice(branches):
            return _span_widths(branches)
        case Repeat(body, low, high):
            least, most = width(body)
            if most == 0:
                return 0, 0
            return least * low, None if most is None or high is None else most * high
        case Group(body) | Case(body) | Atomic(body):
            return width(body)
        case Condition(_, _, yes, no):
            return _span_widths((yes, no))
        case Backref() | Call() | Special():
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
