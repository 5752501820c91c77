"""The indices of an aggregation, in groups that map its fields alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ingestd.stores.aggregation import TIME, Aggregation, Value
from ingestd.stores.elastic.query.mapping import FieldMapping, Fields, FieldType

TypedKey = tuple[tuple[str, Value], ...]
"""The values of a key with their types: 1 and true are different."""

_NUMBERS = (FieldType.INTEGER, FieldType.FLOAT)
_NO_NUMBERS_IN = (FieldType.KEYWORD, FieldType.TEXT, FieldType.OTHER)
"""Types of fields that may hold numbers which the server does not know as such."""


@dataclass(slots=True)
class IndexPart:
    """``indices`` that map the fields of an aggregation alike; ``keys``: those of each level that were found there."""

    indices: str
    mappings: Mapping[str, FieldMapping]
    numbers: frozenset[str]
    keys: list[Counter[TypedKey]] = field(default_factory=list)


def _numbers_of(name: str) -> tuple[FieldType, ...]:
    return (FieldType.DATE,) if name == TIME else _NUMBERS


def unknown_numbers(fields: Fields, aggregation: Aggregation) -> Iterator[str]:
    """Yield a sentence for each field whose numbers the server does not know, as its index has them as texts."""
    for name in dict.fromkeys((*aggregation.number_fields, *aggregation.percentile_fields)):
        for mapping in fields.direct(name):
            if mapping.type in _NO_NUMBERS_IN:
                where = "" if mapping.indices is None else f" in {', '.join(mapping.indices)}"
                yield f"{name} is mapped as {mapping.type.value}{where}: numbers in it are not computed"


def index_parts(fields: Fields, aggregation: Aggregation) -> Iterator[IndexPart]:
    """Yield the groups of indices; in the last are those that have none of the fields, or map them all alike."""
    by_value = dict.fromkeys([*(terms.field for terms in aggregation.terms), *aggregation.distinct_fields])
    numbers = dict.fromkeys((*aggregation.number_fields, *aggregation.percentile_fields))
    known = {name: fields.countable(name) for name in by_value}
    numeric = {name: [of for of in fields.direct(name) if of.type in _numbers_of(name)] for name in numbers}
    every = [mapping for mappings in (*known.values(), *numeric.values()) for mapping in mappings]
    named = sorted({index for mapping in every for index in mapping.indices or ()})

    def part(index: str | None) -> tuple[tuple[tuple[str, FieldMapping], ...], frozenset[str]]:
        mappings = tuple((name, of) for name, found in known.items() for of in found if _holds(of, index))
        return mappings, frozenset(name for name, found in numeric.items() if any(_holds(of, index) for of in found))

    alike: dict[Any, tuple[list[str], Any]] = {}
    for index in named:
        mappings, in_numbers = part(index)
        signature = tuple((name, of.name, of.type) for name, of in mappings), in_numbers
        alike.setdefault(signature, ([], (mappings, in_numbers)))[0].append(index)
    for indices, (mappings, in_numbers) in alike.values():
        yield IndexPart(",".join(indices), dict(mappings), in_numbers)
    mappings, in_numbers = part(None)
    yield IndexPart(",".join([fields.scope.indices, *(f"-{index}" for index in named)]), dict(mappings), in_numbers)


def _holds(mapping: FieldMapping, index: str | None) -> bool:
    return mapping.indices is None or index in mapping.indices
