"""How fields are indexed, as ``_field_caps`` tells, and so how they can be asked.

Indices need not be made by our template: Logstash's own has texts with a keyword beside them, and each year or
program may have indexed a field in another way. So a field has a list of ways, each with the indices that have it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ingestd.event.fields import parse_path


class Kind(Enum):
    """What a field can be asked."""

    KEYWORD = "keyword"
    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    IP = "ip"
    DATE = "date"
    OTHER = "other"


_KINDS = {
    **dict.fromkeys(("keyword", "constant_keyword", "wildcard", "flattened", "flat_object", "version"), Kind.KEYWORD),
    **dict.fromkeys(("text", "match_only_text", "pattern_text"), Kind.TEXT),
    **dict.fromkeys(("long", "integer", "short", "byte", "unsigned_long"), Kind.INTEGER),
    **dict.fromkeys(("double", "float", "half_float", "scaled_float"), Kind.FLOAT),
    **dict.fromkeys(("date", "date_nanos"), Kind.DATE),
    "boolean": Kind.BOOLEAN,
    "ip": Kind.IP,
}
_LIMITS: dict[str, tuple[float, float]] = {
    "byte": (-(1 << 7), (1 << 7) - 1),
    "short": (-(1 << 15), (1 << 15) - 1),
    "integer": (-(1 << 31), (1 << 31) - 1),
    "long": (-(1 << 63), (1 << 63) - 1),
    "unsigned_long": (0, (1 << 64) - 1),
    "half_float": (-65504.0, 65504.0),
    "float": (-3.4028234e38, 3.4028234e38),
}
"""What the types hold; a server refuses to compare with more."""
_NO_VALUES = {"object", "nested"}
_MAX_ASKED_CHARS = 3000  # a line of HTTP may have 4,096 bytes; names beyond that are asked for all at once


@dataclass(frozen=True, slots=True)
class Way:
    """``name`` is indexed as ``kind`` in ``indices``; None is all of them. ``limits`` are those of a number."""

    name: str
    kind: Kind
    indices: tuple[str, ...] | None = None
    limits: tuple[float, float] = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields that a query names."""

    ways: Mapping[str, tuple[Way, ...]]

    @classmethod
    def read(cls, answer: Any) -> Fields:
        """Read an answer of ``_field_caps``; ``unmapped`` and what cannot be searched is left out."""
        found: dict[str, tuple[Way, ...]] = {}
        for name, types in answer.get("fields", {}).items():
            ways = tuple(
                _way(name, type_name, caps)
                for type_name, caps in types.items()
                if type_name not in _NO_VALUES and caps["searchable"]
            )
            if ways:
                found[name] = ways
        return cls(found)

    def values(self, field: str) -> tuple[Way, ...]:
        """Return the ways to ask for a field's values: a text is asked by the keyword beside it, if it has one."""
        name = dotted(field)
        ways = self.ways.get(name, ())
        keywords = {way.indices for way in self.ways.get(f"{name}.keyword", ()) if way.kind is Kind.KEYWORD}
        return tuple(
            Way(f"{name}.keyword", Kind.KEYWORD, way.indices) if way.kind is Kind.TEXT and keywords else way
            for way in ways
        )

    def own(self, field: str) -> tuple[Way, ...]:
        """Return the ways in which the field itself is indexed."""
        return self.ways.get(dotted(field), ())

    def below(self, field: str) -> list[str]:
        """Return the names of the fields in an object; what is beside a text is none of them."""
        name = dotted(field)
        is_text = any(way.kind is Kind.TEXT for way in self.ways.get(name, ()))
        beside = f"{name}.keyword" if is_text else ""
        return [other for other in self.ways if other.startswith(f"{name}.") and other != beside]


def _way(name: str, type_name: str, caps: Any) -> Way:
    indices = tuple(caps["indices"]) if caps.get("indices") else None
    limits = _LIMITS.get(type_name, (-math.inf, math.inf))
    return Way(name, _KINDS.get(type_name, Kind.OTHER), indices, limits)


def dotted(field: str) -> str:
    """Return the servers' name of a field: ``a.b`` of ``[a][b]``.

    Raises:
        FieldError: The brackets do not pair.
    """
    return ".".join(parse_path(field)) if field.startswith("[") else field


def asked(names: Iterable[str]) -> str:
    """Return the parameter ``fields`` of ``_field_caps`` for fields, their keywords and what is in them."""
    wanted = sorted({part for name in names if name for part in (dotted(name), dotted(name) + ".*")})
    text = ",".join(wanted)
    return text if len(text.encode()) <= _MAX_ASKED_CHARS else "*"
