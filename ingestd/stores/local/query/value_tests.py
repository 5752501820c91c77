"""The test of the values of a field as SQL, wherever they are: in a column, in a document, in an array in either.

DuckDB (2.0) evaluates an expression again wherever it occurs, so a condition parses a document once, inside of a list
function. ``CASE`` guarantees an order that ``AND`` and ``OR`` do not: cheap tests first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingestd.stores.local.duckdb.sql import extract, field_paths
from ingestd.stores.local.query.columns import NEVER, SourceColumns

_ELEMENT = "(e->>'$')"


@dataclass(frozen=True, slots=True)
class ValueTest:
    """The test of a single value: of a string, and of the JSON text of a number, ``true`` or ``false``.

    ``number``: the same as ``scalar`` for a number, ``column``: the same as ``string`` for a column of texts, if there
    is a cheaper test.
    """

    string: Callable[[str], str]
    scalar: Callable[[str], str]
    number: Callable[[str], str] | None = None
    column: Callable[[str], str] | None = None


def of_value(field: str, test: ValueTest, columns: SourceColumns, hint: str = "") -> str:
    """Return the test that a field has a matching value, or an array with one."""
    if (column := columns.find(field)) is None:
        return in_document(field_paths(field), test, hint)
    if column.number and test.number is not None:
        return f"coalesce({test.number(column.number)}, false)"
    if column.type == "BOOLEAN":  # of constants, which DuckDB tests once
        true, false = test.scalar("'true'"), test.scalar("'false'")
        test_of_either = f"CASE WHEN {column.value} THEN {true} WHEN NOT {column.value} THEN {false} END"
        return f"coalesce({test_of_either}, false)"
    if column.type == "VARCHAR" and test.column is not None:
        return f"coalesce({test.column(column.value)}, false)"
    return f"coalesce({_value(column.text, column.other, test)}, false)"


def in_document(paths: Sequence[tuple[str, ...]], test: ValueTest, hint: str) -> str:
    """Return the test that a document has a matching value at one of some paths, if it passes the test ``hint``."""
    matches = _value("(v->>'$')", "NOT starts_with(v, '\"')", test)
    any_matches = f"coalesce(len(list_filter({extract(paths)}, lambda v: {matches})) > 0, false)"
    return f"(CASE WHEN {hint} THEN {any_matches} ELSE false END)" if hint else any_matches


def _value(operand: str, other: str, test: ValueTest) -> str:
    if other == NEVER:
        return test.string(operand)
    scalar = test.scalar("e::VARCHAR")  # JSON's true is 1 as a DOUBLE
    element = (
        f"CASE WHEN starts_with(e, '\"') THEN {test.string(_ELEMENT)} WHEN NOT is_leaf(e) THEN false ELSE {scalar} END"
    )
    return (
        f"CASE WHEN NOT ({other}) THEN {test.string(operand)} WHEN starts_with({operand}, '[') "
        f"THEN len(list_filter(array_elements({operand}), lambda e: {element})) > 0 "
        f"WHEN starts_with({operand}, '{{') THEN false ELSE {test.scalar(operand)} END"
    )


def joined(operator: str, parts: Sequence[str], of_none: str) -> str:
    """Return tests joined by an operator; ``of_none`` if there are none."""
    return "(" + operator.join(parts) + ")" if parts else of_none


def shortest(needles: Sequence[str]) -> list[str]:
    """Return those that contain no other: a text with WARNING has WARN."""
    unique = dict.fromkeys(needles)
    return [needle for needle in unique if not any(other in needle for other in unique if other != needle)]
