"""What a search asks for: conditions on documents, the same for every store.

``lucene.parse`` makes them of a query text; a store turns them into its own language. What a condition means is
told here, and held to by the questions that all stores must answer alike (``tests/stores/suite.py``).

Fields
    A field is ``name``, ``[a][b]`` or ``a.b`` (the field of this name, or ``b`` in ``a``). Of an array, one element
    must fulfil the condition. A field that is missing, null, an empty array or an object fulfils none.

Values
    Values are text. A number in a document is compared as a number if the value is one: ``404`` is ``404.0``.
    ``true`` and ``false`` are the truth values. Texts are compared letter for letter, and ordered by code points;
    the values of ``level`` are the same in upper, lower and title case.

Text
    `Text` and `Word` look at ``message`` and ``stack_trace``, word by word. A word is what ``words.words`` makes of
    a text: the segments of Unicode's UAX #29 as Lucene's standard tokenizer takes them, in lower case. So
    ``example.com``, ``foo_bar``, ``it's``, ``3.14`` and ``서울역에서`` are one word each, ``/search?q=`` two, ``10:05``
    two, and each ideograph or Hiragana is a word of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

TEXT_FIELDS = ("message", "stack_trace")
"""The fields that are searched word by word; all others have values."""

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "WARN": 30, "ERROR": 40, "CRITICAL": 50, "FATAL": 50}
"""The severities of Python's logging; ``WARN`` and ``FATAL`` are its own aliases."""


class Gap(Enum):
    """What a pattern leaves open: one character (a code point), or any number of them."""

    ONE = "?"
    MANY = "*"


@dataclass(frozen=True, slots=True)
class Text:
    """One of ``fields`` holds these words next to each other, in any case.

    Between words, blanks and punctuation are all the same: only the words count. A single word may be any part
    of a word there. Of several, the first may be the end of a longer word there and the last the begin of one, as
    Korean puts particles and endings behind its words; those between must be whole. All of them stand in one
    field, of an array in one element. A text without words is found nowhere.

    The reference is ``words.holds``. Examples, wanted -> found in:
        ``time`` -> ``timeout``, ``Runtime``, ``my_time.py``
        ``서울 맛집`` -> ``서울 맛집을``, ``동서울, 맛집!``, ``q=서울+맛집``; not ``서울의 맛집``
        ``/search?q=`` -> ``GET /search?q=1``, ``research Q``; not ``/searches?q=``
        ``example.com`` -> ``www.example.com``; not ``example com``
        ``東京`` -> ``東京都``, ``東 京``; not ``東の京``
    """

    value: str
    fields: tuple[str, ...] = TEXT_FIELDS


@dataclass(frozen=True, slots=True)
class Word:
    """A word in one of ``fields`` has a part of this pattern, in any case.

    ``("time", Gap.MANY, "t")`` is in ``runtimeout``, and not in ``time out``, which are two words.
    """

    pattern: tuple[str | Gap, ...]
    fields: tuple[str, ...] = TEXT_FIELDS


@dataclass(frozen=True, slots=True)
class Equal:
    """A field has a value."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Like:
    """A field has a value of a pattern: pieces of text and what is open between them. Of a number, its digits."""

    field: str
    pattern: tuple[str | Gap, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A field lies between two values; None is no bound.

    Bounds of ``@timestamp`` are times in UTC. Of other fields: if each bound that is given is a number, what is a
    number in the document, or a text that reads as one, is compared as such. Otherwise texts are compared as texts.
    """

    field: str
    low: str | None
    high: str | None
    low_inclusive: bool = True
    high_inclusive: bool = True


@dataclass(frozen=True, slots=True)
class Exists:
    """A field is there: it is not null, and not an array without values. An object is there if one of its fields is."""

    field: str


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold; so a document without the field fulfils ``Not(Equal(...))``."""

    part: Condition


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; of none, true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One part holds at least; of none, false."""

    parts: tuple[Condition, ...]


Condition = Text | Word | Equal | Like | Range | Exists | Not | And | Or


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


def level_spellings(value: str) -> tuple[str, ...]:
    """Return the spellings of a level that count as the same, the one given among them, in a fixed order."""
    return tuple(dict.fromkeys((value, value.upper(), value.lower(), value.title())))


def as_number(value: str) -> float | int | None:
    """Return what a value is as a number of JSON, None if it is none; ``nan`` and ``1_000`` are none."""
    if not value or value.strip() != value or not value.isascii() or "_" in value:
        return None
    try:
        return int(value)
    except ValueError:
        pass
    try:
        number = float(value)
    except ValueError:
        return None
    return number if number - number == 0 else None  # neither NaN nor infinite
