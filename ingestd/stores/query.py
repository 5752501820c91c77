"""Queries: conditions on documents, the same for every store.

``lucene.parse`` makes them from a query text; each store translates them into its own language. This module defines
what a condition means; ``tests/stores/suite.py`` checks that all stores give the same answers.

Fields
    A field is ``name``, ``[a][b]`` or ``a.b`` (the field of this name, or ``b`` in ``a``; the values of both). So a dot
    is part of a name or stands between two, in each of ``a.b.c`` as well. If ``a`` is an array of objects, the values
    of ``a.b`` are those of all of them. An array matches if one of its elements does; arrays in it are part of it. A
    field that is missing, null, an empty array or an object never matches.

    ``_index`` is the name of the index that a document is in. Only a query that names an index which was restored under
    another name finds what is in it (`names_index`).

Values
    Values are text. A number in a document is compared as a number if the value is one: ``404`` equals ``404.0``.
    ``true`` and ``false`` are booleans. Texts are compared character by character and ordered by code points; values of
    ``level`` and ``log.level`` are the same in upper, lower and title case. They are two fields: the level of an event
    is its ``level``, and its ``log.level`` only if it has none (`level_at_least`).

Text
    `Text` and `Word` search ``message``, ``stack_trace``, ``search_word`` and ``request_path``, word by word; the
    last is searched decoded (``decoded``), so that ``서울`` finds ``/search?q=%EC%84%9C%EC%9A%B8``. Words are those of
    ``words.words``: the segments of Unicode's UAX #29 as in Lucene's standard tokenizer, in lower case. So
    ``example.com``, ``foo_bar``, ``it's``, ``3.14`` and ``서울역에서`` are one word each, ``/search?q=`` and ``10:05``
    two each, and each ideograph or Hiragana is a word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote_plus

from ingestd.event.fields import FieldError, parse_path
from ingestd.stores.known_fields import LEVEL_FIELDS, LEVELS

TEXT_FIELDS = ("message", "stack_trace")
"""The fields that are searched word by word; all others have values."""

FREE_FIELDS = (*TEXT_FIELDS, "search_word", "request_path")
"""The fields that words without a field are searched in."""

DECODED_FIELDS = ("request_path",)
"""Those of `FREE_FIELDS` that are percent-encoded."""

INDEX_FIELD = "_index"
"""The field with the name of a document's index."""

MAX_FIELD_DEPTH = 50
"""Elasticsearch indexes 20 levels (``index.mapping.depth.limit``)."""


class Gap(Enum):
    """A wildcard in a pattern: one character (a code point), or any number of them."""

    ONE = "?"
    MANY = "*"


@dataclass(frozen=True, slots=True)
class Text:
    """One of ``fields`` has these words next to each other, in any case.

    Only words count; whatever separates them is ignored. A single word may match any part of a word in the field. Of
    several, the first may match the end of a longer word and the last the start of one, as Korean adds particles and
    endings to its words; those in between must match as a whole. All of them are in one field, in an array in one
    element. A text without words matches nothing.

    The reference is ``words.holds``. Examples, searched -> matches:
        ``time`` -> ``timeout``, ``Runtime``, ``my_time.py``
        ``서울 맛집`` -> ``서울 맛집을``, ``동서울, 맛집!``, ``q=서울+맛집``; not ``서울의 맛집``
        ``/search?q=`` -> ``GET /search?q=1``, ``research Q``; not ``/searches?q=``
        ``example.com`` -> ``www.example.com``; not ``example com``
        ``東京`` -> ``東京都``, ``東 京``; not ``東の京``
    """

    value: str
    fields: tuple[str, ...] = FREE_FIELDS


@dataclass(frozen=True, slots=True)
class Word:
    """Part of a word in one of ``fields`` matches this pattern, in any case.

    ``("time", Gap.MANY, "t")`` matches ``runtimeout`` but not ``time out``, which are two words.
    """

    pattern: tuple[str | Gap, ...]
    fields: tuple[str, ...] = FREE_FIELDS


@dataclass(frozen=True, slots=True)
class Equal:
    """A field has a value."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Like:
    """A field has a value that matches a pattern: texts with wildcards between them. For a number, its digits."""

    field: str
    pattern: tuple[str | Gap, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A field is between two values; None: no bound.

    Bounds of ``@timestamp`` are times in UTC. For other fields: if all given bounds are numbers, numbers in the
    document, and texts that are numbers, are compared as numbers. Otherwise texts are compared as texts.
    """

    field: str
    low: str | None
    high: str | None
    low_inclusive: bool = True
    high_inclusive: bool = True


@dataclass(frozen=True, slots=True)
class Exists:
    """A field exists: it is not null, and not an array without values. An object exists if one of its fields does."""

    field: str


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not match; so a document without the field matches ``Not(Equal(...))``."""

    part: Condition


@dataclass(frozen=True, slots=True)
class And:
    """All parts match; without parts: true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part matches; without parts: false."""

    parts: tuple[Condition, ...]


Condition = Text | Word | Equal | Like | Range | Exists | Not | And | Or


@dataclass(frozen=True, slots=True)
class Query:
    """Which documents to find; None: no restriction.

    Attributes:
        since: Start of the range of ``@timestamp``, inclusive.
        until: End of the range, exclusive.
        condition: What the documents must match.
    """

    since: str | None = None
    until: str | None = None
    condition: Condition | None = None


def names_index(condition: Condition | None, index: str) -> bool:
    """Return whether a condition asks for an index by name or pattern, as ``_index:restored-*``, or for all: ``*``."""
    match condition:
        case And(parts) | Or(parts):
            return any(names_index(part, index) for part in parts)
        case Equal() | Like() | Exists() if condition.field == INDEX_FIELD:
            return index_matches(condition, index)
    return False


def may_match_in(condition: Condition | None, index: str) -> bool:
    """Return False if no document of an index can match a condition."""
    match condition:
        case And(parts):
            return all(may_match_in(part, index) for part in parts)
        case Or(parts):
            return any(may_match_in(part, index) for part in parts)
        case Equal() | Like() if condition.field == INDEX_FIELD:
            return index_matches(condition, index)
    return True


def index_matches(condition: Equal | Like | Range | Exists, index: str) -> bool:
    """Return whether the name of an index matches a condition on `INDEX_FIELD`."""
    match condition:
        case Equal():
            return condition.value == index
        case Like():
            gaps = {Gap.ONE: ".", Gap.MANY: ".*"}
            pattern = "".join(gaps[part] if isinstance(part, Gap) else re.escape(part) for part in condition.pattern)
            return re.fullmatch(pattern, index) is not None
        case Range(_, low, high, low_inclusive, high_inclusive):
            above = low is None or low < index or (low_inclusive and low == index)
            return above and (high is None or index < high or (high_inclusive and high == index))
    return True


class QueryError(ValueError):
    """A query text is invalid: ``column`` (from 1) and ``length`` of the invalid part, ``hint``: what to do.

    ``kind`` and ``values`` say the same without words, for other languages; see ``lucene.errors``.
    """

    def __init__(
        self,
        message: str,
        column: int = 1,
        length: int = 1,
        hint: str = "",
        kind: str = "",
        values: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.column, self.length, self.hint = message, column, length, hint
        self.kind, self.values = kind, dict(values or {})


def field_path(name: str) -> tuple[str, ...]:
    """Return the parts of ``[a][b]``; any other name is a single part. Raises FieldError."""
    return parse_path(name) if name.startswith("[") else (name,)


def field_depth(name: str) -> int:
    """Return how many levels a field has: 2 for ``[a][b]`` and ``a.b``. Raises FieldError."""
    return max(len(field_path(name)), name.count(".") + 1)


def check_field(name: str) -> None:
    """Make sure that a field can be searched.

    Raises:
        FieldError: The brackets do not match, or it has too many levels.
    """
    if (depth := field_depth(name)) > MAX_FIELD_DEPTH:
        raise FieldError(f"a field may have at most {MAX_FIELD_DEPTH} levels, and this one has {depth}")


WITHOUT_LEVEL = Not(And((Exists(LEVEL_FIELDS[0]), Not(Equal(LEVEL_FIELDS[0], "")))))
"""What an event matches whose level is that of the second of `LEVEL_FIELDS`."""


def level_at_least(level: str) -> Condition:
    """Return the condition for a level and those above it (``warn``: WARNING and above); other names: only that one.

    The level of an event is its ``level``, and its ``log.level`` if it has none; of an array, each element.
    """
    least = LEVELS.get(level.upper())
    names = [level] if least is None else [name for name, severity in LEVELS.items() if severity >= least]
    first, second = (tuple(Equal(field, name) for name in names) for field in LEVEL_FIELDS)
    return Or((*first, And((Or(second), WITHOUT_LEVEL))))


def level_spellings(value: str) -> tuple[str, ...]:
    """Return the spellings of a level that are equal, including the given one, in a fixed order."""
    return tuple(dict.fromkeys((value, value.upper(), value.lower(), value.title())))


def decoded(text: str) -> str:
    """Return a percent-encoded text decoded, with ``+`` as a space; unchanged if it does not hold valid UTF-8."""
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        return text


def as_number(value: str) -> float | int | None:
    """Return a value as a JSON number, None if it is not one; ``nan`` and ``1_000`` are not."""
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
