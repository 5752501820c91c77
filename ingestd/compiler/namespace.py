"""The global names of generated code: the functions that conditions call, and names for values.

Conditions follow https://www.elastic.co/docs/reference/logstash/event-dependent-configuration#conditionals as Logstash
evaluates it: a missing field equals nothing and is not ``in`` anything; a comparison of a missing field, or of two
values without an order, is false (Logstash logs it; here ``>`` and ``<=`` are then both false).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import compress
from operator import not_
from typing import Any

from ingestd.event.sprintf import to_text
from ingestd.event.table import ABSENT, Rows

_UNSAFE = re.compile(r"[^a-z0-9_]+")


class GlobalNames:
    """Global names and their values. Names are generated identifiers, never the user's text."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = dict(values or {})

    def add(self, stem: str, value: Any) -> str:
        """Bind ``value`` to a new name that starts with ``stem`` and return the name."""
        number = 0
        while (name := f"{identifier(stem)}_{number}") in self.values:
            number += 1
        self.values[name] = value
        return name


def identifier(text: str) -> str:
    """Return a part of a Python identifier that resembles ``text``."""
    name = _UNSAFE.sub("_", text.lower()).strip("_") or "value"
    return f"n{name}" if name[0].isdigit() else name


def truthy(value: Any) -> bool:
    """Return whether a value counts as true: it exists, and is neither false nor empty text nor ``"false"``."""
    return value is not None and value is not False and value is not ABSENT and value not in ("", "false")


def equal(left: Any, right: Any) -> bool:
    """Return whether two values are the same, of the same type: as in Logstash, 1 is neither 1.0 nor true."""
    if left is ABSENT or right is ABSENT:  # the same as null
        return left in _MISSING and right in _MISSING
    return type(left) is type(right) and bool(left == right)


_MISSING = (None, ABSENT)


def contains(container: Any, item: Any) -> bool:
    """Return ``item in container``: a member of an array, a substring of a text, else an equal value."""
    if item in _MISSING or container in _MISSING or type(item) in (list, dict):
        return False
    if type(container) is list:
        return any(equal(member, item) for member in container)
    if type(container) is str and type(item) is str:
        return item in container
    return equal(container, item)


def among(item: Any, texts: frozenset[str]) -> bool:
    """Return whether the text of ``item`` is one of the texts of an array in the config."""
    return item not in _MISSING and type(item) not in (list, dict) and to_text(item) in texts


def less(left: Any, right: Any) -> bool:
    """Return ``left < right`` for two numbers or two texts; other values have no order."""
    if type(left) is str and type(right) is str:
        return left < right
    if type(left) in (int, float) and type(right) in (int, float):
        return bool(left < right)
    return False


def at_most(left: Any, right: Any) -> bool:
    """Return ``left <= right`` for two numbers or two texts; other values have no order."""
    return less(left, right) or (less(right, left) is False and _ordered(left, right))


def _ordered(left: Any, right: Any) -> bool:
    return (type(left) is str and type(right) is str) or (type(left) in (int, float) and type(right) in (int, float))


def split(rows: Rows, hits: Sequence[bool]) -> tuple[list[int], list[int]]:
    """Return the rows that a condition is true of, and the others."""
    return [*compress(rows, hits)], [*compress(rows, map(not_, hits))]


HELPERS: dict[str, Any] = {
    "split": split,
    "truthy": truthy,
    "equal": equal,
    "contains": contains,
    "among": among,
    "less": less,
    "at_most": at_most,
    "numbers": (int, float),
    "texts": (str,),
}
