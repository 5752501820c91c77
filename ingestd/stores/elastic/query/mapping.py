"""How fields are indexed, according to ``_field_caps``, which decides how they can be queried.

Indices need not come from our template: Logstash's own has text fields with a ``.keyword`` subfield, and each year
or program may have mapped a field differently. So a field has a list of mappings, each with its indices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from ingestd.stores.elastic.query.scope import Scope
from ingestd.stores.query import INDEX_FIELD, field_path


class FieldType(Enum):
    """The type of a field, as far as it matters for queries."""

    KEYWORD = "keyword"
    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    IP = "ip"
    DATE = "date"
    OTHER = "other"


_TYPE_NAMES = {
    FieldType.KEYWORD: ("keyword", "constant_keyword", "wildcard", "flattened", "flat_object", "version"),
    FieldType.TEXT: ("text", "match_only_text", "pattern_text"),
    FieldType.INTEGER: ("long", "integer", "short", "byte", "unsigned_long"),
    FieldType.FLOAT: ("double", "float", "half_float", "scaled_float"),
    FieldType.DATE: ("date", "date_nanos"),
    FieldType.BOOLEAN: ("boolean",),
    FieldType.IP: ("ip",),
}
_TYPES = {name: field_type for field_type, names in _TYPE_NAMES.items() for name in names}
_LIMITS: dict[str, tuple[float, float]] = {
    "byte": (-(1 << 7), (1 << 7) - 1),
    "short": (-(1 << 15), (1 << 15) - 1),
    "integer": (-(1 << 31), (1 << 31) - 1),
    "long": (-(1 << 63), (1 << 63) - 1),
    "unsigned_long": (0, (1 << 64) - 1),
    "half_float": (-65504.0, 65504.0),
    "float": (-3.4028234e38, 3.4028234e38),
}
"""What the types hold; a server rejects comparisons with values outside of it."""

_NO_VALUES = {"object", "nested"}
_MAX_PARAMETER_CHARS = 3000  # a line of HTTP may have 4,096 bytes; for more names than fit all fields are asked for


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """``name`` is indexed as ``type`` in ``indices``; None is all of them. ``limits``: least and greatest number."""

    name: str
    type: FieldType
    indices: tuple[str, ...] | None = None
    limits: tuple[float, float] = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields that a query names, and the indices that it is about."""

    mappings: Mapping[str, tuple[FieldMapping, ...]]
    scope: Scope

    @classmethod
    def read(cls, answer: Any, scope: Scope) -> Fields:
        """Read an answer of ``_field_caps``; ``unmapped`` and what cannot be searched is left out."""
        fields: dict[str, tuple[FieldMapping, ...]] = {}
        for name, types in answer.get("fields", {}).items():
            mappings = tuple(
                _mapping(name, type_name, caps)
                for type_name, caps in types.items()
                if type_name not in _NO_VALUES and caps["searchable"]
            )
            if mappings:
                fields[name] = mappings
        return cls(fields, scope)

    def values(self, field: str) -> tuple[FieldMapping, ...]:
        """Return the mappings that have a field's values: of a text, those of its keyword subfield if it has one."""
        name = dotted(field)
        if not any(subfield.type is FieldType.KEYWORD for subfield in self.mappings.get(f"{name}.keyword", ())):
            return self.direct(field)
        return tuple(
            replace(mapping, name=f"{name}.keyword", type=FieldType.KEYWORD)
            if mapping.type is FieldType.TEXT
            else mapping
            for mapping in self.direct(field)
        )

    def countable(self, field: str) -> tuple[FieldMapping, ...]:
        """Return the mappings whose values the servers can count."""
        return tuple(mapping for mapping in self.values(field) if mapping.type not in {FieldType.TEXT, FieldType.OTHER})

    def direct(self, field: str) -> tuple[FieldMapping, ...]:
        """Return the mappings of the field itself."""
        if field == INDEX_FIELD:
            return (FieldMapping(INDEX_FIELD, FieldType.KEYWORD),)
        return self.mappings.get(dotted(field), ())

    def inside(self, field: str) -> list[str]:
        """Return the names of the fields in an object, but not the keyword subfield of a text."""
        name = dotted(field)
        is_text = any(mapping.type is FieldType.TEXT for mapping in self.direct(field))
        subfield = f"{name}.keyword" if is_text else ""
        return [other for other in self.mappings if other.startswith(f"{name}.") and other != subfield]


def _mapping(name: str, type_name: str, caps: Any) -> FieldMapping:
    indices = tuple(caps["indices"]) if caps.get("indices") else None
    limits = _LIMITS.get(type_name, (-math.inf, math.inf))
    return FieldMapping(name, _TYPES.get(type_name, FieldType.OTHER), indices, limits)


def dotted(field: str) -> str:
    """Return the servers' name of a field: ``a.b`` of ``[a][b]``.

    Raises:
        FieldError: The brackets do not pair.
    """
    return ".".join(field_path(field))


def fields_parameter(names: Iterable[str]) -> str:
    """Return the parameter ``fields`` of ``_field_caps`` for these fields and what is inside them."""
    wanted = sorted({part for name in names if name for part in (dotted(name), dotted(name) + ".*")})
    text = ",".join(wanted)
    return text if len(text.encode()) <= _MAX_PARAMETER_CHARS else "*"
