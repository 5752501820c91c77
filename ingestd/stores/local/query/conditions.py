"""Conditions of a query as SQL, for the rows of append logs (``doc``, ``id``) and of sealed files (columns as well).

A field is read in one of two ways. If the source has a column for it (``columns``), that gives two expressions: the
value as text (strings as they are, other values as JSON) and whether it is not a string. Otherwise its values are
extracted from the document into a list, whose elements give the same two expressions. So the meaning of a condition
(``stores.query``) is written once, as a `_ValueTest`, for both; a column of numbers is compared as such.

DuckDB (2.0) evaluates an expression again wherever it occurs, so a condition parses a document once, inside of a list
function. ``CASE`` guarantees an order that ``AND`` and ``OR`` do not: cheap tests first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingestd.stores import words
from ingestd.stores.local.files.duckdb_sql import (
    PLAIN,
    array_elements,
    equals_any,
    extract,
    field_paths,
    literal,
    may_contain,
)
from ingestd.stores.local.query.columns import NEVER, SourceColumns
from ingestd.stores.local.query.word_patterns import BETWEEN_TEXTS, text_pattern, word_pattern
from ingestd.stores.query import (
    DECODED_FIELDS,
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

_ELEMENT = "(e->>'$')"
_EXACT_INT = 1 << 53  # a double represents all integers up to here

MANY_WORDS = 10
"""More single words in an ``And`` or ``Or`` are searched for in one text: DuckDB needs 15 MB for the test of each."""

NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
"""A text that is a number, as a regular expression."""


@dataclass(frozen=True, slots=True)
class _ValueTest:
    """The test of a single value: of a string, and of the JSON text of a number, ``true`` or ``false``.

    ``number``: the same as ``scalar`` for a number, if there is a cheaper test.
    """

    string: Callable[[str], str]
    scalar: Callable[[str], str]
    number: Callable[[str], str] | None = None


def sql_condition(condition: Condition, columns: SourceColumns) -> str:  # noqa: PLR0911 - one return for each kind
    """Return a condition as an SQL expression that is true or false, never NULL.

    Raises:
        FieldError: A field is malformed.
    """
    match condition:
        case And(parts):
            rest, tests = _take_many_words(parts, " AND ", columns)
            return _joined(" AND ", [*tests, *(sql_condition(part, columns) for part in rest)], "true")
        case Or(parts):
            rest, tests = _take_many_words(parts, " OR ", columns)
            return _joined(" OR ", [*tests, *_alternatives(rest, columns)], "false")
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
            return _text(fields, words.words(value), columns)
        case Word(pattern, fields):
            pieces = [word for part in pattern if not isinstance(part, Gap) for word in words.words(part)]
            return _words(fields, word_pattern(pattern), pieces, columns)


def _joined(operator: str, parts: Sequence[str], of_none: str) -> str:
    return "(" + operator.join(parts) + ")" if parts else of_none


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
        test = _many_words(
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
    accepted = [spelling for value in values for spelling in (level_spellings(value) if field == "level" else [value])]
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
        hint = may_contain(_shortest(accepted))
    test = _ValueTest(lambda operand: equals_any(operand, accepted), scalar, of_number if all_small else None)
    return _of_value(field, test, columns, hint)


def _has_one_spelling(number: str) -> bool:
    """Return whether JSON can spell this number only as it is written here; ``1e2`` and ``100`` are the same."""
    return False if number.lstrip("-").startswith("0") else number.isdigit() and len(number) < 5


def _shortest(needles: Sequence[str]) -> list[str]:
    """Return those that contain no other: a text with WARNING has WARN."""
    unique = dict.fromkeys(needles)
    return [needle for needle in unique if not any(other in needle for other in unique if other != needle)]


def _like(field: str, pattern: Sequence[str | Gap], columns: SourceColumns) -> str:
    gaps = {Gap.ONE: "_", Gap.MANY: "%"}
    sql = "".join(gaps[part] if isinstance(part, Gap) else _like_escaped(part) for part in pattern)
    if field == "level":
        return _of_value(
            field, _ValueTest(*2 * [lambda operand: f"lower({operand}) LIKE lower({literal(sql)})"]), columns
        )
    longest = max((part for part in pattern if not isinstance(part, Gap)), key=len, default="")
    # A number may have other digits in the document's text: 1.50 is 1.5.
    hint = may_contain([longest]) if PLAIN.fullmatch(longest) and not any(char.isdigit() for char in longest) else ""
    return _of_value(
        field, _ValueTest(*2 * [lambda operand: f"{operand} LIKE {literal(sql)} ESCAPE '\\'"]), columns, hint
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

        return _of_value(condition.field, _ValueTest(time, lambda _: "false"), columns)
    if not bounds or any(as_number(bound) is None for bound, _ in bounds):
        texts = _ValueTest(lambda operand: _compared(operand, bounds), lambda _: "true" if not bounds else "false")
        return _of_value(condition.field, texts, columns)

    def number(operand: str) -> str:
        tests = " AND ".join(f"TRY_CAST({operand} AS DOUBLE) {sign} {float(bound)!r}" for bound, sign in bounds)
        return f"(regexp_full_match({operand}, '{NUMBER}') AND {tests})"

    def of_number(operand: str) -> str:
        return " AND ".join(f"{operand} {sign} {float(bound)!r}::DOUBLE" for bound, sign in bounds)

    return _of_value(condition.field, _ValueTest(number, number, of_number), columns)


def _without_zeros(time: str) -> str:
    """Return a time that can be compared as text: without ``Z`` and trailing zeros of a fraction."""
    time = time.removesuffix("Z")
    return time.rstrip("0").rstrip(".") if "." in time else time


def _compared(operand: str, bounds: Sequence[tuple[str, str]]) -> str:
    return " AND ".join(f"{operand} {sign} {literal(bound)}" for bound, sign in bounds) or "true"


def _exists(field: str, columns: SourceColumns) -> str:
    leaf = "e <> 'null' AND NOT starts_with(e, '[') AND NOT starts_with(e, '{')"

    def exists(operand: str, other: str) -> str:
        inside = f"len(list_filter(json_extract({operand}, '$..*'), lambda e: {leaf})) > 0"
        container = f"(starts_with({operand}, '[') OR starts_with({operand}, '{{'))"
        return f"CASE WHEN {other} AND {container} THEN {inside} ELSE {operand} IS NOT NULL END"

    if (column := columns.find(field)) is not None:
        return f"({column.text} IS NOT NULL)" if column.other == NEVER else f"({exists(column.text, column.other)})"
    test = exists("(v->>'$')", "NOT starts_with(v, '\"')")
    return f"coalesce(len(list_filter({extract(field_paths(field))}, lambda v: {test})) > 0, false)"


def _text(fields: Sequence[str], wanted: Sequence[str], columns: SourceColumns) -> str:
    """Return the test that one of ``fields`` contains the words ``wanted`` in a row."""
    if len(wanted) == 1:
        return _word(fields, wanted[0], columns)
    return _words(fields, text_pattern(wanted), wanted, columns) if wanted else "false"


def _word(fields: Sequence[str], word: str, columns: SourceColumns) -> str:
    """Return the test that one of ``fields`` contains a single word."""
    hint = _hint(word) if PLAIN.fullmatch(word) else ""
    contains = _ValueTest(*2 * [lambda operand: _contains(operand, word)])
    tests = []
    for field in fields:
        if field in DECODED_FIELDS:
            decoded = _ValueTest(*2 * [lambda operand: _contains(_decoded(operand), word)])
            tests.append(_of_value(field, decoded, columns, _hint_in_path(field, hint)))
        elif columns.find(field) is not None:
            tests.append(_of_value(field, contains, columns))
    without_column = [field for field in fields if field not in DECODED_FIELDS and columns.find(field) is None]
    if without_column:
        tests.append(_in_document([path for field in without_column for path in field_paths(field)], contains, hint))
    return _joined(" OR ", tests, "false")


def _words(fields: Sequence[str], pattern: str, wanted: Sequence[str], columns: SourceColumns) -> str:
    """Return the test that one of ``fields`` matches a pattern of words, and so contains each of ``wanted``.

    DuckDB compiles a regular expression wherever it stands in a query, which takes 1.5 ms of CPU for each class of
    letters, and in a lambda again for every 2,048 rows. So the texts of all fields are joined and matched once; if they
    do not contain all words, an empty text is matched. Other functions than ``regexp_extract_all`` compile it twice.
    """
    wanted = sorted(dict.fromkeys(wanted), key=len, reverse=True)
    plain = max(filter(PLAIN.fullmatch, wanted), key=len, default="")
    hint = _hint(plain) if plain else ""
    hints = []
    for field in fields:
        column, decoded = columns.find(field), field in DECODED_FIELDS
        if column is None:
            hints.append((_hint_in_path(field, hint) if decoded else hint) or "true")
        else:
            text = _decoded(column.text) if decoded else column.text
            hints += [column.other, f"({' AND '.join(_contains(text, word) for word in wanted) or 'true'})"]
    joined = _texts(fields, columns)
    if len(wanted) > 1 and not all(map(columns.find, fields)):
        contains_all = " AND ".join(f"contains(t, {literal(word)})" for word in wanted)
        joined = f"array_to_string(list_filter([{joined}], lambda t: {contains_all}), '')"
    found = f"len(regexp_extract_all({joined}, {literal(pattern)})) > 0"
    return f"(CASE WHEN {' OR '.join(dict.fromkeys(hints))} THEN {found} ELSE false END)"


def _many_words(fields: Sequence[str], wanted: Sequence[str], columns: SourceColumns, *, all_of: bool) -> str:
    """Return the test that ``fields`` contain all single words that are ``wanted``, or one of them."""
    contains = (" AND " if all_of else " OR ").join(f"contains(t, {literal(word)})" for word in wanted)
    found = f"len(list_filter([{_texts(fields, columns)}], lambda t: {contains})) > 0"
    plain = list(filter(PLAIN.fullmatch, wanted))
    if any(map(columns.find, fields)) or (not plain if all_of else len(plain) < len(wanted)):
        return f"({found})"
    needles = [max(plain, key=len)] if all_of else _shortest(plain)
    hint = may_contain(needles, document=_cased("doc", "".join(needles)))
    hints = [_hint_in_path(field, hint) if field in DECODED_FIELDS else hint for field in fields]
    return f"(CASE WHEN {' OR '.join(dict.fromkeys(hints))} THEN {found} ELSE false END)"


def _texts(fields: Sequence[str], columns: SourceColumns) -> str:
    """Return the texts of all ``fields``, in lower case, as one text."""
    texts = []
    for field in fields:
        column, decoded = columns.find(field), field in DECODED_FIELDS
        if column is None:
            texts.append(_texts_of_document(field, decoded=decoded))
        else:
            text = _decoded(column.text) if decoded else column.text
            of_others = _texts_of_column(column.text, decoded=decoded)
            texts.append(
                text if column.other == NEVER else f"CASE WHEN {column.other} THEN {of_others} ELSE {text} END"
            )
    return f"lower(concat_ws({literal(BETWEEN_TEXTS)}, {', '.join(texts)}))"


def _hint(word: str) -> str:
    """Return the test that a document may contain a word."""
    return may_contain([word], document=_cased("doc", word))


def _hint_in_path(field: str, hint: str) -> str:
    """Return the test that a field that is percent-encoded may contain the word of a hint."""
    return f"contains(doc, {literal(field)}) AND ({hint} OR contains(doc, '%'))" if hint else ""


def _contains(operand: str, word: str) -> str:
    return f"contains({_cased(operand, word)}, {literal(word)})"


def _texts_of_document(field: str, *, decoded: bool) -> str:
    """Return the texts of a field of the document, and of elements of arrays there, as one text."""
    values = f"list_transform({extract(field_paths(field))}, lambda v: {_elements('v')})"
    return _as_text(f"flatten({values})", decoded=decoded)


def _texts_of_column(operand: str, *, decoded: bool) -> str:
    """Return the same for the JSON of a column."""
    return _as_text(_elements(operand), decoded=decoded)


def _elements(json: str) -> str:
    """Return the texts of a JSON value, a list: of the elements of an array, or of the value alone."""

    def text(value: str) -> str:
        container = f"{value} = 'null' OR starts_with({value}, '[') OR starts_with({value}, '{{')"
        return f"CASE WHEN {container} THEN NULL ELSE {value}->>'$' END"

    elements = f"list_transform({array_elements(json)}, lambda e: {text('e')})"
    return f"CASE WHEN starts_with({json}, '[') THEN {elements} ELSE [{text(json)}] END"


def _as_text(texts: str, *, decoded: bool) -> str:
    if decoded:
        texts = f"list_transform({texts}, lambda t: {_decoded('t')})"
    return f"array_to_string({texts}, {literal(BETWEEN_TEXTS)})"


def _decoded(operand: str) -> str:
    """Return the expression for what ``stores.query.decoded`` returns."""
    return f"coalesce(TRY(url_decode(replace({operand}, '+', ' '))), {operand})"


def _cased(operand: str, word: str) -> str:
    """Return an operand to be searched for a lower-case word: unchanged if the word has no case."""
    return operand if word == word.upper() else f"lower({operand})"


def _of_value(field: str, test: _ValueTest, columns: SourceColumns, hint: str = "") -> str:
    """Return the test that a field has a matching value, or an array with one."""
    if (column := columns.find(field)) is None:
        return _in_document(field_paths(field), test, hint)
    if column.number and test.number is not None:
        return f"coalesce({test.number(column.number)}, false)"
    return f"coalesce({_value(column.text, column.other, test)}, false)"


def _in_document(paths: Sequence[tuple[str, ...]], test: _ValueTest, hint: str) -> str:
    matches = _value("(v->>'$')", "NOT starts_with(v, '\"')", test)
    any_matches = f"coalesce(len(list_filter({extract(paths)}, lambda v: {matches})) > 0, false)"
    return f"(CASE WHEN {hint} THEN {any_matches} ELSE false END)" if hint else any_matches


def _value(operand: str, other: str, test: _ValueTest) -> str:
    if other == NEVER:
        return test.string(operand)
    element = (
        f"CASE WHEN starts_with(e, '\"') THEN {test.string(_ELEMENT)} "
        f"WHEN e = 'null' OR starts_with(e, '[') OR starts_with(e, '{{') THEN false ELSE {test.scalar('e')} END"
    )
    return (
        f"CASE WHEN NOT ({other}) THEN {test.string(operand)} WHEN starts_with({operand}, '[') "
        f"THEN len(list_filter({array_elements(operand)}, lambda e: {element})) > 0 "
        f"WHEN starts_with({operand}, '{{') THEN false ELSE {test.scalar(operand)} END"
    )
