"""Conditions of a query as SQL, for the rows of append logs (``doc``, ``id``) and of sealed files (columns as well).

A field is read in one of two ways. If the source has a column for it (``columns``), that gives two expressions: the
value as text (strings as they are, other values as JSON) and whether it is not a string. Otherwise its values are
extracted from the document into a list, whose elements give the same two expressions. So the meaning of a condition
(``stores.query``) is written once, as a `ValueTest`, for both; a column of numbers is compared as such.

DuckDB (2.0) evaluates an expression again wherever it occurs, so a condition parses a document once, inside of a list
function. ``CASE`` guarantees an order that ``AND`` and ``OR`` do not: cheap tests first.
"""

from __future__ import annotations

from collections.abc import Sequence

from ingestd.stores import words
from ingestd.stores.known_fields import LEVEL_FIELDS
from ingestd.stores.local.duckdb.sql import (
    PLAIN,
    equals_any,
    extract,
    field_paths,
    literal,
    may_contain,
)
from ingestd.stores.local.query import text_conditions
from ingestd.stores.local.query.columns import NEVER, SourceColumns
from ingestd.stores.local.query.value_tests import ValueTest, joined, of_value, shortest
from ingestd.stores.local.query.word_patterns import word_pattern
from ingestd.stores.query import (
    And,
    Condition,
    Equal,
    Exists,
    Gap,
    Like,
    Not,
    Or,
    Range,
    Text,
    Word,
    as_number,
    level_spellings,
)

_EXACT_INT = 1 << 53  # a double represents all integers up to here

MANY_WORDS = 10
"""More single words in an ``And`` or ``Or`` are searched for in one text: DuckDB needs 15 MB for the test of each."""

NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
"""A text that is a number, as a regular expression."""

_EXPONENT = r"[:,\[]\s*[0-9.]+[eE]"
"""The start of a positive number with an exponent, wherever a document has one: ``1e2`` is 100."""


def sql_condition(condition: Condition, columns: SourceColumns) -> str:  # noqa: PLR0911 - one return for each kind
    """Return a condition as an SQL expression that is true or false, never NULL.

    Raises:
        FieldError: A field is malformed.
    """
    match condition:
        case And(parts):
            rest, tests = _take_many_words(parts, " AND ", columns)
            return joined(" AND ", [*tests, *(sql_condition(part, columns) for part in rest)], "true")
        case Or(parts):
            rest, tests = _take_many_words(parts, " OR ", columns)
            return joined(" OR ", [*tests, *_alternatives(rest, columns)], "false")
        case Not(part):
            return f"(NOT {sql_condition(part, columns)})"
        case Equal(field, value):
            return _equal(field, [value], columns)
        case Like(field, pattern):
            return _like(field, pattern, columns)
        case Range():
            return _range(condition, columns)
        case Exists(field):
            return _exists(field, columns)
        case Text(value, fields):
            return text_conditions.text(fields, words.words(value), columns)
        case Word(pattern, fields):
            pieces = [word for part in pattern if not isinstance(part, Gap) for word in words.words(part)]
            return text_conditions.matches(fields, word_pattern(pattern), pieces, columns)


def _take_many_words(
    parts: Sequence[Condition], operator: str, columns: SourceColumns
) -> tuple[list[Condition], list[str]]:
    """Return the parts of an ``And`` or ``Or``, each once, without many single words, and the tests of these."""
    groups: dict[tuple[Sequence[str], bool], dict[Condition, str]] = {}
    parts = list(dict.fromkeys(parts))
    for part in parts:
        text = part.part if isinstance(part, Not) else part
        if isinstance(text, Text) and len(found := words.words(text.value)) == 1:
            groups.setdefault((text.fields, text is not part), {})[part] = found[0]
    many = {key: group for key, group in groups.items() if len(group) > MANY_WORDS}
    tests = []
    for (fields, negated), group in many.items():
        test = text_conditions.many_words(
            fields, list(dict.fromkeys(group.values())), columns, all_of=(operator == " AND ") != negated
        )
        tests.append(f"(NOT {test})" if negated else test)
    taken = {part for group in many.values() for part in group}
    return [part for part in parts if part not in taken], tests


def _alternatives(parts: Sequence[Condition], columns: SourceColumns) -> list[str]:
    """Return the parts of an ``Or``; all `Equal` of one field become one test."""
    values: dict[str, list[str]] = {}
    for part in parts:
        if isinstance(part, Equal):
            values.setdefault(part.field, []).append(part.value)
    equal = [_equal(field, wanted, columns) for field, wanted in values.items()]
    return equal + [sql_condition(part, columns) for part in parts if not isinstance(part, Equal)]


def _equal(field: str, values: Sequence[str], columns: SourceColumns) -> str:
    spell = level_spellings if field in LEVEL_FIELDS else lambda value: (value,)
    accepted = [spelling for value in values for spelling in spell(value)]
    numbers = {value: number for value in values if (number := as_number(value)) is not None}
    scalars = [*numbers, *(value for value in values if value in {"true", "false"})]
    doubles = [repr(float(number)) for number in numbers.values() if abs(number) < _EXACT_INT]

    def scalar(operand: str) -> str:
        same = [equals_any(operand, scalars)] if scalars else ["false"]
        if doubles:
            same.append(f"TRY_CAST({operand} AS DOUBLE) IN ({', '.join(doubles)})")
        return " OR ".join(same)

    def of_number(operand: str) -> str:
        return f"{operand} IN ({', '.join(doubles)})" if doubles else "false"

    all_small = len(doubles) == len(numbers)

    hint = ""
    if all(map(PLAIN.fullmatch, accepted)) and all(_has_one_spelling(value) for value in numbers):
        hint = may_contain(shortest(accepted))
        if any(len(value) > 1 for value in numbers):  # a single digit is in each spelling of its number
            hint = f"({hint} OR regexp_matches(doc, {literal(_EXPONENT)}))"
    test = ValueTest(lambda operand: equals_any(operand, accepted), scalar, of_number if all_small else None)
    return of_value(field, test, columns, hint)


def _has_one_spelling(number: str) -> bool:
    """Return whether JSON can spell this number only as it is written here, unless with an exponent."""
    return False if number.lstrip("-").startswith("0") else number.isdigit() and len(number) < 5


def _like(field: str, pattern: Sequence[str | Gap], columns: SourceColumns) -> str:
    gaps = {Gap.ONE: "_", Gap.MANY: "%"}
    sql = "".join(gaps[part] if isinstance(part, Gap) else _like_escaped(part) for part in pattern)
    if field in LEVEL_FIELDS:
        return of_value(
            field, ValueTest(*2 * [lambda operand: f"lower({operand}) LIKE lower({literal(sql)})"]), columns
        )
    longest = max((part for part in pattern if not isinstance(part, Gap)), key=len, default="")
    # A number may have other digits in the document's text: 1.50 is 1.5.
    hint = may_contain([longest]) if PLAIN.fullmatch(longest) and not any(char.isdigit() for char in longest) else ""
    return of_value(
        field, ValueTest(*2 * [lambda operand: f"{operand} LIKE {literal(sql)} ESCAPE '\\'"]), columns, hint
    )


def _like_escaped(piece: str) -> str:
    return piece.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _range(condition: Range, columns: SourceColumns) -> str:
    bounds = [
        (bound, sign + "=" * inclusive)
        for bound, sign, inclusive in (
            (condition.low, ">", condition.low_inclusive),
            (condition.high, "<", condition.high_inclusive),
        )
        if bound is not None
    ]
    if condition.field == "@timestamp":
        stripped = [(_without_zeros(bound), sign) for bound, sign in bounds]

        def time(operand: str) -> str:
            return _compared(f"rtrim(rtrim(rtrim({operand}, 'Z'), '0'), '.')", stripped)

        return of_value(condition.field, ValueTest(time, lambda _: "false"), columns)
    if not bounds or any(as_number(bound) is None for bound, _ in bounds):
        texts = ValueTest(
            lambda operand: _compared(operand, bounds),
            lambda operand: "false" if bounds else _compared(operand, bounds),
        )
        return of_value(condition.field, texts, columns)

    def number(operand: str) -> str:
        tests = " AND ".join(f"TRY_CAST({operand} AS DOUBLE) {sign} {float(bound)!r}" for bound, sign in bounds)
        return f"(regexp_full_match({operand}, '{NUMBER}') AND {tests})"

    def of_number(operand: str) -> str:
        return " AND ".join(f"{operand} {sign} {float(bound)!r}::DOUBLE" for bound, sign in bounds)

    return of_value(condition.field, ValueTest(number, number, of_number), columns)


def _without_zeros(time: str) -> str:
    """Return a time that can be compared as text: without ``Z`` and trailing zeros of a fraction."""
    time = time.removesuffix("Z")
    return time.rstrip("0").rstrip(".") if "." in time else time


def _compared(operand: str, bounds: Sequence[tuple[str, str]]) -> str:
    return " AND ".join(f"{operand} {sign} {literal(bound)}" for bound, sign in bounds) or f"{operand} IS NOT NULL"


def _exists(field: str, columns: SourceColumns) -> str:

    def exists(operand: str, other: str) -> str:
        container = f"(starts_with({operand}, '[') OR starts_with({operand}, '{{'))"
        return f"CASE WHEN {other} AND {container} THEN has_leaf({operand}) ELSE {operand} IS NOT NULL END"

    if (column := columns.find(field)) is not None:
        return f"({column.text} IS NOT NULL)" if column.other == NEVER else f"({exists(column.text, column.other)})"
    paths, test = field_paths(field), exists("(v->>'$')", "NOT starts_with(v, '\"')")
    there = f"coalesce(len(list_filter({extract(paths)}, lambda v: {test})) > 0, false)"
    names = list(dict.fromkeys(path[-1] for path in paths))
    if not all(map(PLAIN.fullmatch, names)):
        return there
    hint = may_contain(f'"{name}"' for name in names)
    return f"(CASE WHEN {hint} THEN {there} ELSE false END)"
