"""What a search asks for: conditions on documents, the same for every store.

``lucene.parse`` makes them of a query text; a store turns them into its own language. What a condition means is
told here, and held to by the tests that all stores share.

A field is ``name``, ``[a][b]`` or ``a.b``; of an array, one element must fulfil the condition. Values are text:
a number is compared as a number with fields that hold one, ``true`` and ``false`` as truth values. The names of
levels are the same in upper, lower and title case; all other values are compared letter for letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "WARN": 30, "ERROR": 40, "CRITICAL": 50, "FATAL": 50}
"""The severities of Python's logging; ``WARN`` and ``FATAL`` are its own aliases."""


class Gap(Enum):
    """What a pattern leaves open."""

    ONE = "?"
    MANY = "*"


@dataclass(frozen=True, slots=True)
class Text:
    """``message`` or ``stack_trace`` holds these words next to each other, in any case.

    The first may be the end of a longer word there and the last the begin of one, as Korean puts particles and
    endings behind its words; between words any blanks and punctuation are the same.
    """

    value: str


@dataclass(frozen=True, slots=True)
class Equal:
    """A field has a value."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Like:
    """A field has a value of a pattern: pieces of text and what is open between them."""

    field: str
    pattern: tuple[str | Gap, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A field lies between two values; None is no bound. Numbers if both bounds are, else texts."""

    field: str
    low: str | None
    high: str | None
    low_inclusive: bool = True
    high_inclusive: bool = True


@dataclass(frozen=True, slots=True)
class Exists:
    """A field is there and not null."""

    field: str


@dataclass(frozen=True, slots=True)
class Not:
    """A condition does not hold; it does not of a document without the field."""

    part: Condition


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; of none, true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One part holds at least; of none, false."""

    parts: tuple[Condition, ...]


Condition = Text | Equal | Like | Range | Exists | Not | And | Or


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents; None does not restrict.

    Attributes:
        since: The earliest ``@timestamp``, inclusive.
        until: The end of the range, exclusive.
        where: What must hold.
    """

    since: str | None = None
    until: str | None = None
    where: Condition | None = None


class QueryError(ValueError):
    """A query text is wrong: ``column`` from 1 and ``length`` of what is wrong in it, ``hint`` what to do."""

    def __init__(self, message: str, column: int = 1, length: int = 1, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.column, self.length, self.hint = message, column, length, hint


def level_at_least(level: str) -> Condition:
    """Return the condition of a level or one above it: ``warn`` is WARNING and above. Other names: just this one."""
    least = LEVELS.get(level.upper())
    names = [level] if least is None else [name for name, severity in LEVELS.items() if severity >= least]
    return Or(tuple(Equal("level", name) for name in names))
