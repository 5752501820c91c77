"""Conditions on words as SQL: `Text` and `Word` of ``stores.query``.

A field that is percent-encoded is searched decoded. DuckDB decodes 3 million paths in 0.4 s, so a column of them is
first tested for what each text must contain that may have the word in it, encoded or not: that is a test of the
distinct paths only, which DuckDB does for functions of one operand.

Sealed files have filters of the words in their texts: `pruned` leaves out those in which nothing can match.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from ingestd.stores import words
from ingestd.stores.local.duckdb import text_filters
from ingestd.stores.local.duckdb.sql import (
    PLAIN,
    extract,
    field_paths,
    literal,
    may_contain,
    url_decoded,
)
from ingestd.stores.local.index.trigrams import union
from ingestd.stores.local.query.columns import NEVER, SourceColumns
from ingestd.stores.local.query.value_tests import ValueTest, in_document, joined, of_value, shortest
from ingestd.stores.local.query.word_patterns import BETWEEN_TEXTS, text_pattern
from ingestd.stores.query import DECODED_FIELDS, And, Condition, Gap, Not, Or, Text, Word

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


_MayMatch = Callable[[SourceColumns], bool]
"""Returns whether an event of a source may match."""

_FALSE = "filename IS NULL"
"""What is false as a test of more than one column."""


def text(fields: Sequence[str], wanted: Sequence[str], columns: SourceColumns) -> str:
    """Return the test that one of ``fields`` contains the words ``wanted`` in a row."""
    if len(wanted) == 1:
        return _word(fields, wanted[0], columns)
    return matches(fields, text_pattern(wanted), wanted, columns) if wanted else "false"


def _word(fields: Sequence[str], word: str, columns: SourceColumns) -> str:
    """Return the test that one of ``fields`` contains a single word."""
    hint = _hint(word) if PLAIN.fullmatch(word) else ""
    tests = []
    fields = _searched(fields, [word], columns)
    for field in fields:
        if field in DECODED_FIELDS:
            contains_decoded, of_column = _test_of_decoded(word)
            decoded = ValueTest(contains_decoded, contains_decoded, column=of_column)
            tests.append(of_value(field, decoded, columns, _hint_in_path(field, hint)))
        elif columns.find(field) is not None:
            tests.append(of_value(field, _test_of(word, columns.spellings(field, word)), columns))
    without_column = [field for field in fields if field not in DECODED_FIELDS and columns.find(field) is None]
    if without_column:
        paths = [path for field in without_column for path in field_paths(field)]
        tests.append(in_document(paths, _test_of(word), hint))
    return joined(" OR ", tests, "false")


def _test_of(word: str, spellings: Sequence[str] | None = None) -> ValueTest:
    return ValueTest(*2 * [lambda operand: _contains(operand, word, spellings)])


def _searched(fields: Sequence[str], wanted: Sequence[str], columns: SourceColumns) -> list[str]:
    """Return the fields of which one value may contain all words that are ``wanted``, in a source."""
    return [field for field in fields if not wanted or columns.may_hold(field, wanted)]


def _test_of_decoded(word: str) -> tuple[Callable[[str], str], Callable[[str], str]]:
    """Return the test of a text that is percent-encoded, and that of a column of such texts."""
    return lambda text: _contains(url_decoded(text), word), lambda path: _path_contains(path, [word])


def matches(fields: Sequence[str], pattern: str, wanted: Sequence[str], columns: SourceColumns) -> str:
    """Return the test that one of ``fields`` matches a pattern of words, and so contains each of ``wanted``.

    DuckDB compiles a regular expression wherever it stands in a query, which takes 1.5 ms of CPU for each class of
    letters, and in a lambda again for every 2,048 rows. So the texts of all fields are joined and matched once; if they
    do not contain all words, an empty text is matched. Other functions than ``regexp_extract_all`` compile it twice.
    And a test of a single column is made while that is read, with a pattern that is compiled for each row group.
    """
    wanted = sorted(dict.fromkeys(wanted), key=len, reverse=True)
    if not (fields := _searched(fields, wanted, columns)):
        return "false"
    plain = max(filter(PLAIN.fullmatch, wanted), key=len, default="")
    hint = _hint(plain) if plain else ""
    hints = []
    for field in fields:
        column, decoded = columns.find(field), field in DECODED_FIELDS
        if column is None:
            hints.append((_hint_in_path(field, hint) if decoded else hint) or "true")
        elif decoded and column.type == "VARCHAR":
            hints.append(_path_contains(column.value, wanted))
        else:
            text = url_decoded(column.text) if decoded else column.text
            hints += [column.other] if column.other != NEVER else []
            contains = [_contains(text, word, columns.spellings(field, word)) for word in wanted]
            hints.append(f"({' AND '.join(contains) or 'true'})")
    texts = _texts(fields, columns)
    if len(wanted) > 1 and not all(map(columns.find, fields)):
        contains_all = " AND ".join(f"contains(t, {literal(word)})" for word in wanted)
        texts = f"array_to_string(list_filter([{texts}], lambda t: {contains_all}), '')"
    found = f"len(regexp_extract_all({texts}, {literal(pattern)})) > 0"
    return f"(CASE WHEN {' OR '.join(dict.fromkeys(hints))} THEN {found} ELSE {_FALSE} END)"


def many_words(fields: Sequence[str], wanted: Sequence[str], columns: SourceColumns, *, all_of: bool) -> str:
    """Return the test that ``fields`` contain all single words that are ``wanted``, or one of them."""
    contains = (" AND " if all_of else " OR ").join(f"contains(t, {literal(word)})" for word in wanted)
    found = f"len(list_filter([{_texts(fields, columns)}], lambda t: {contains})) > 0"
    plain = list(filter(PLAIN.fullmatch, wanted))
    if any(map(columns.find, fields)) or (not plain if all_of else len(plain) < len(wanted)):
        return f"({found})"
    needles = [max(plain, key=len)] if all_of else shortest(plain)
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
            text = url_decoded(column.text) if decoded else column.text
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


def _contains(operand: str, word: str, spellings: Sequence[str] | None = None) -> str:
    """Return the test that an operand contains a word; ``spellings``: all that it may have of the word, if known."""
    if not spellings:
        return f"contains({_cased(operand, word)}, {literal(word)})"
    return "(" + " OR ".join(f"contains({operand}, {literal(spelling)})" for spelling in spellings) + ")"


def _path_contains(path: str, wanted: Sequence[str]) -> str:
    """Return the test that a path, a column, contains words when it is decoded, the longest of them first."""
    contains = " AND ".join(_contains(url_decoded(path), word) for word in wanted) or "true"
    return f"(CASE WHEN {_path_may_contain(path, wanted[0])} THEN {contains} ELSE false END)" if wanted else "true"


def _path_may_contain(path: str, word: str) -> str:
    """Return a cheap test that each path passes that contains a word when it is decoded, as it is or in lower case.

    A word in ASCII: it is there as such, or a sign of ASCII is encoded, or a letter whose lower case is in ASCII,
    U+0130 (C4 B0) or U+212A (E2 84 AA). Another word: a part that has no case is there, encoded, or not all is encoded.
    """
    part = max(_NOT_ASCII.findall(word), key=len, default="")
    if part and part.upper() == part.lower() == part:
        encoded = literal(quote(part).lower())
        return f"(contains(lower({path}), {encoded}) OR strlen({path}) <> length({path}))"
    if part:
        return "true"
    globs = ["*%[2-7cC]*" if "i" in word else "*%[2-7]*", *(["*%[eE]2%84%[aA][aA]*"] if "k" in word else [])]
    encoded = " OR ".join(f"{path} GLOB {literal(glob)}" for glob in globs)
    found = f"contains(lower({path}), {literal(word)})"
    if not set("%_") & set(word):  # the same, for which DuckDB makes no texts in lower case
        found = f"{path} ILIKE {literal(f'%{word}%')}"
    return f"({found} OR {encoded})"


def _texts_of_document(field: str, *, decoded: bool) -> str:
    """Return the texts of a field of the document, and of elements of arrays there, as one text."""
    values = f"list_transform({extract(field_paths(field))}, lambda v: texts_of(v))"
    return _as_text(f"flatten({values})", decoded=decoded)


def _texts_of_column(operand: str, *, decoded: bool) -> str:
    """Return the same for the JSON of a column."""
    return _as_text(f"texts_of({operand})", decoded=decoded)


def _as_text(texts: str, *, decoded: bool) -> str:
    if decoded:
        texts = f"list_transform({texts}, lambda t: {url_decoded('t')})"
    return f"array_to_string({texts}, {literal(BETWEEN_TEXTS)})"


def _cased(operand: str, word: str) -> str:
    """Return an operand to be searched for a lower-case word: unchanged if the word has no case."""
    return operand if word == word.upper() else f"lower({operand})"


def pruned(
    columns: SourceColumns, files: Sequence[str], condition: Condition | None
) -> tuple[SourceColumns, Sequence[str]]:
    """Return those of some files, all with the same columns, that may have a match, and their columns with filters."""
    if not columns.typed or not _has_texts(condition):
        return columns, files
    assert condition is not None  # noqa: S101 -- it has texts
    may_match = _compiled(condition)
    filters = {file: text_filters.read(Path(file)) for file in files}
    kept = [file for file in files if may_match(dataclasses.replace(columns, trigrams=filters[file]))]
    in_all = set.intersection(*(set(filters[file]) for file in kept)) if kept else set()
    trigrams = {field: union([filters[file][field] for file in kept]) for field in in_all}
    return dataclasses.replace(columns, trigrams=trigrams), kept


def _has_texts(condition: Condition | None) -> bool:
    match condition:
        case And(parts) | Or(parts):
            return any(map(_has_texts, parts))
        case Not(part):
            return _has_texts(part)
    return isinstance(condition, Text | Word)


def _compiled(condition: Condition) -> _MayMatch:
    match condition:
        case And(parts):
            tests = list(map(_compiled, parts))
            return lambda columns: all(test(columns) for test in tests)
        case Or(parts):
            tests = list(map(_compiled, parts))
            return lambda columns: any(test(columns) for test in tests)
        case Text(value, fields):
            return _may_hold(fields, wanted) if (wanted := words.words(value)) else lambda _: False
        case Word(pattern, fields):
            pieces = [word for part in pattern if not isinstance(part, Gap) for word in words.words(part)]
            return _may_hold(fields, pieces)
    return lambda _: True


def _may_hold(fields: Sequence[str], wanted: Sequence[str]) -> _MayMatch:
    return lambda columns: any(columns.may_hold(field, wanted) for field in fields)
