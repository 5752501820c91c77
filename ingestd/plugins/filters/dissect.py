"""``dissect``: cut a text into fields at fixed delimiters.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-dissect and the plugin's version 1.2.
Unlike there, the common options run once, after the conversions; text may start with a delimiter, so that the first
field is empty; and `->` also accepts a delimiter that is there just once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from ingestd.event.fields import Event, FieldRef
from ingestd.event.table import ABSENT, Column, Rows, Table
from ingestd.plugins.filters._dissection import (
    Assignment,
    Dissection,
    Indirect,
    compile_dissection,
    missing_delimiter,
)
from ingestd.plugins.filters._ruby import to_s
from ingestd.plugins.filters._targets import plain_name, target
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MAX_EXPONENT = 400  # floats end at 308; ``1e999999999`` must not exhaust the memory
_TYPES = ("int", "float")


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``dissect``."""

    mapping: dict[str, str] = option({}, "Fields to cut, each with its pattern: `%{ts} %{+ts} %{host}: %{message}`.")
    convert_datatype: dict[str, str] = option({}, "Fields to convert after that, to `int` or `float`.")
    tag_on_failure: list[str] = option(["_dissectfailure"], "Tags for an event whose field lacks a delimiter.")


_compile = lru_cache(maxsize=256)(compile_dissection)  # shared by ``touches`` and ``build``


def _touches(options: Options) -> Touch:
    patterns = [_compile(text) for text in options.mapping.values() if text]
    if any(pattern.indirect for pattern in patterns):
        return Touch(unknown="dissect takes the name of a field from a text")
    set_names = {assignment.ref.text for pattern in patterns for assignment in pattern.assignments}
    changed = set_names | {FieldRef(name).text for name in options.convert_datatype}
    reads = changed | {FieldRef(name).text for name in options.mapping}
    return Touch(reads=frozenset(reads), sets=frozenset(changed | {"tags"}))


def _trace_details(options: Options) -> Callable[[Event], Iterator[str]]:
    """Return a function that says which delimiter a text lacks."""

    def details(event: Event) -> Iterator[str]:
        for name, pattern in options.mapping.items():
            value = FieldRef(name).get(event)
            if value is None:
                yield f"{name} is missing"
            elif pattern and (reason := missing_delimiter(pattern, to_s(value))):
                yield f"{name} does not match {pattern}: {reason}"

    return details


@filter_plugin(
    "dissect", Options, touches=_touches, failure_tag="_dissectfailure", columns=True, trace_details=_trace_details
)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Cut a text into fields at fixed delimiters.

    `%{+name}` appends, `%{+name/2}` in this order; `%{?name}` and `%{}` are left out; `%{&name}` is called as the
    value of `name`; `%{name->}` is followed by the delimiter once or more. An event whose text lacks a delimiter gets
    none of the fields.
    """
    cuts = [_cutter(FieldRef(name), _compile(text), options) for name, text in options.mapping.items() if text]
    conversions = [_conversion(name, kind) for name, kind in options.convert_datatype.items()]

    def dissect(table: Table, rows: Rows, received_ns: int) -> Rows:
        passed: Rows = ()
        for cut in cuts:
            cut_rows = cut(table, rows)
            passed = cut_rows if not passed or len(cut_rows) == len(rows) else sorted({*passed, *cut_rows})
        for convert in conversions:
            convert(table, rows)
        return passed

    return dissect


def _cutter(source: FieldRef, dissection: Dissection, options: Options) -> Callable[[Table, Rows], Rows]:
    """Return what cuts one field, and returns the rows where that was possible."""
    match, tags = dissection.pattern.match, options.tag_on_failure
    top = len(source.path) == 1

    def cut(table: Table, rows: Rows) -> Rows:
        matched: list[int] = []
        groups: list[tuple[str, ...]] = []
        for row, value in zip(rows, table.pick(table.values(source), rows), strict=True):
            if value is ABSENT or (value is None and not top):
                continue
            text = value if type(value) is str else to_s(value)
            if text and (found := match(text)) is not None:
                matched.append(row)
                groups.append(found.groups())
                continue
            for tag in tags:
                table.add_tag(row, tag)
        if not matched:
            return ()
        done = rows if len(matched) == len(rows) else matched
        columns: list[Sequence[str]] = [*zip(*groups, strict=True)]
        for assignment in dissection.assignments:
            _assign(table, done, assignment, columns)
        for indirect in dissection.indirect:
            _assign_indirect(table, done, indirect, columns)
        return done

    return cut


def _assign(table: Table, rows: Rows, assignment: Assignment, columns: list[Sequence[str]]) -> None:
    """Set one field in ``rows``; ``columns`` are their texts, one for each group."""
    values = [*_values(table, rows, assignment, columns)]
    ref = target(assignment.ref)
    if (name := plain_name(ref)) is not None:
        table.replace(name, rows, values)
        return
    put = table.setter(ref)
    for row, value in zip(rows, values, strict=True):
        put(row, value)


def _values(table: Table, rows: Rows, assignment: Assignment, columns: list[Sequence[str]]) -> Column:
    """Return the texts for one field."""
    values: Column
    if assignment.group is not None:
        values = columns[assignment.group - 1]
    else:
        values = [
            None if held is None or held is ABSENT else to_s(held)
            for held in table.pick(table.values(assignment.ref), rows)
        ]
    for join, group in assignment.appended:
        pairs = zip(values, columns[group - 1], strict=True)
        values = [text if held is None else f"{held}{join}{text}" for held, text in pairs]
    return values


def _assign_indirect(table: Table, rows: Rows, indirect: Indirect, columns: list[Sequence[str]]) -> None:
    names = columns[indirect.key_group - 1] if indirect.key_group is not None else [""] * len(rows)
    held = table.pick(table.values(indirect.key), rows)
    for row, own, found, text in zip(rows, held, names, columns[indirect.group - 1], strict=True):
        name = found if own is None or own is ABSENT else to_s(own)
        if name:
            table.setter(target(FieldRef.named(name)))(row, text)


def _conversion(name: str, kind: str) -> Callable[[Table, Rows], None]:
    """Return what converts one field. Raises ValueError if there is no such type."""
    if kind not in _TYPES:
        raise ValueError(f"convert_datatype {name!r}: {kind!r} is not one of {', '.join(_TYPES)}")
    ref, to_number = target(FieldRef(name)), _to_int if kind == "int" else _to_float

    def convert(table: Table, rows: Rows) -> None:
        for row, tag, number in [*_converted(table, rows)]:
            if tag:
                table.add_tag(row, f"_dataconversion{tag}_{name}_{kind}")
            else:
                table.setter(ref)(row, number)

    def _converted(table: Table, rows: Rows) -> Iterator[tuple[int, str, Any]]:
        for row, value in zip(rows, table.pick(table.values(ref), rows), strict=True):
            if value is None or value is ABSENT:
                yield row, "nullvalue", None
            elif (number := to_number(value)) is None:
                yield row, "uncoercible", None
            elif type(number) is not type(value):
                yield row, "", number

    return convert


def _to_int(value: Any) -> int | None:
    number = _decimal(value)
    return None if number is None else int(number)


def _to_float(value: Any) -> float | None:
    number = _decimal(value)
    return None if number is None or math.isinf(float(number)) else float(number)


def _decimal(value: Any) -> Decimal | None:
    """Return the number that a value is written as, None if it is none, or too large."""
    text = to_s(value)
    if type(value) is bool or not _NUMBER.fullmatch(text):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of 19 digits
        return None
    return number if number.adjusted() <= _MAX_EXPONENT else None
