import functools
from collections.abc import Sequence

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.stores.local.duckdb.sql import literal
from ingestd.stores.local.query.columns import SourceColumns
from ingestd.stores.local.query.conditions import sql_condition
from ingestd.stores.local.query.word_patterns import BETWEEN_TEXTS, text_pattern, word_pattern
from ingestd.stores.query import FREE_FIELDS, Condition, Gap, Text, Word
from ingestd.stores.words import holds, words
from tests.random_cases import random_cases


@functools.cache
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


SIGNS = st.sampled_from([*"aB1٣서울맛ع가東京のカメé", *" .,:;'’_-/?=&%\t\n\"\\·", "\u0301", "\u200d", "\u200b", "😀"])


def found_in(texts: Sequence[str], pattern: str) -> list[bool]:
    """Return whether each of several texts matches a pattern, which takes longest to compile."""
    rows = ", ".join(f"({number}, {literal(text)})" for number, text in enumerate(texts))
    sql = f"SELECT len(regexp_extract_all(lower(t), {literal(pattern)})) > 0 FROM (VALUES {rows}) AS v(n, t) ORDER BY n"
    return [bool(row[0]) for row in connection().execute(sql).fetchall()]


def found(text: str, pattern: str) -> bool:
    return found_in([text], pattern)[0]


CASES = [  # id, text, wanted, whether it is found
    ("begin_of_a_word", "Connection timeout", "time", True),
    ("inside_of_a_word", "Runtime", "TIM", True),
    ("korean_particles", "서울 맛집을 찾는다", "서울 맛집", True),
    ("korean_end_of_a_word", "동서울, 맛집!", "서울 맛집", True),
    ("korean_other_word", "서울의 맛집", "서울 맛집", False),
    ("inner_words_are_whole", "a big house", "a bi house", False),
    ("punctuation_is_one", "GET /search?q=1", "/search?q=", True),
    ("first_is_the_end", "research Q", "/search?q=", True),
    ("first_is_not_the_begin", "GET /searches?q=", "/search?q=", False),
    ("full_stop_joins_letters", "www.example.com", "example.com", True),
    ("full_stop_is_no_blank", "example com", "example.com", False),
    ("blank_is_no_full_stop", "example.com", "example com", False),
    ("two_full_stops_part", "example..com", "example com", True),
    ("colon_joins_letters", "foo:bar", "foo bar", False),
    ("colon_parts_digits", "10:05", "10 05", True),
    ("colon_at_the_end", "foo: bar", "foo bar", True),
    ("zero_width_space_parts", "a\u200bb", "a b", True),
    ("zero_width_joiner_does_not", "a\u200db", "a b", False),
    ("comma_joins_digits", "1,000", "1 000", False),
    ("comma_parts_letters", "a,b", "a b", True),
    ("underscore_joins", "a_b", "a b", False),
    ("underscore_at_the_end", "a_ b", "a b", False),
    ("underscore_wanted", "a_ b", "a_ b", True),
    ("underscore_alone", "a _ b", "a b", True),
    ("accent_is_another_letter", "a\u0301 b", "a b", False),
    ("line_ends", "one\r\n  two", "one two", True),
    ("ideographs", "東 京", "東京", True),
    ("ideographs_with_another", "東の京", "東京", False),
    ("katakana_and_latin", "カメラabc", "カメラ abc", True),
]


@pytest.mark.parametrize(("text", "wanted", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_words(text: str, wanted: str, expected: bool) -> None:
    assert found(text, text_pattern(words(wanted))) is expected
    assert holds(text, words(wanted)) is expected


@random_cases(100)
@given(
    texts=st.lists(st.text(SIGNS, max_size=12), min_size=3, max_size=6),
    wanted=st.text(SIGNS, min_size=1, max_size=6).filter(words),
)
@example(texts=["a'_b"], wanted="a b")
def test_as_the_reference_decides(texts: list[str], wanted: str) -> None:
    expected = [holds(text, words(wanted)) for text in texts]
    assert found_in(texts, text_pattern(words(wanted))) == expected


@random_cases(100)
@given(
    texts=st.lists(st.text(st.sampled_from("aB1٣서울 .,:;'_-/"), max_size=12), min_size=3, max_size=6),
    left=st.sampled_from("ab1서울"),
    right=st.sampled_from("ab1서울"),
)
def test_patterns_as_the_reference_decides(texts: list[str], left: str, right: str) -> None:
    expected = [any(right in word.partition(left)[2] for word in words(text)) for text in texts]
    assert found_in(texts, word_pattern((left, Gap.MANY, right))) == expected


PATTERNS = [  # id, text, pattern, whether it is found
    ("part", "my runtimeout", ("time", Gap.MANY, "t"), True),
    ("not_over_words", "time out", ("time", Gap.MANY, "t"), False),
    ("one", "timeouts", ("time", Gap.ONE, "ut"), True),
    ("exactly_one", "timut", ("tim", Gap.ONE, "ut"), False),
    ("korean", "서울역에서", ("서", Gap.ONE, "역"), True),
    ("any_case", "TimeOut", ("T", Gap.MANY, "OUT"), True),
    ("full_stops_inside", "example.com", ("exam", Gap.MANY, "com"), True),
    ("colon_inside", "foo:bar", ("fo", Gap.MANY, "ar"), True),
    ("colon_alone", "foo:bar", ("foo", Gap.MANY, "bar"), True),
    ("one_colon", "foo:bar", ("foo", Gap.ONE, "bar"), True),
    ("colons", "a:b:c", ("a", Gap.MANY, "c"), True),
    ("colon_and_blank", "foo: bar", ("foo", Gap.MANY, "bar"), False),
    ("colon_of_digits", "10:05", ("10", Gap.MANY, "05"), False),
    ("comma_of_digits", "1,000", ("1", Gap.MANY, "0"), True),
    ("full_stop_between_kinds", "a.1", ("a", Gap.MANY, "1"), False),
    ("signs_are_no_pattern", "aXb", ("a.b",), False),
]


@pytest.mark.parametrize(("text", "pattern", "expected"), [c[1:] for c in PATTERNS], ids=[c[0] for c in PATTERNS])
def test_patterns(text: str, pattern: tuple[str | Gap, ...], expected: bool) -> None:
    assert found(text, word_pattern(pattern)) is expected


@random_cases(100)
@given(texts=st.lists(st.text(SIGNS, max_size=5), max_size=3), wanted=st.text(SIGNS, max_size=4).filter(words))
@example(texts=["a", "b"], wanted="a b")
@example(texts=["東", "京"], wanted="東京")
@example(texts=["カ", "a"], wanted="カ a")
def test_joined_texts_are_matched_alone(texts: list[str], wanted: str) -> None:
    assert words(BETWEEN_TEXTS) == []
    expected = any(holds(text, words(wanted)) for text in texts)
    assert found(BETWEEN_TEXTS.join(texts), text_pattern(words(wanted))) is expected


GAPS = [("a", Gap.MANY, "b"), ("a", Gap.ONE, "b"), ("1", Gap.MANY, "2"), ("a", Gap.MANY, "2"), ("_", Gap.MANY, "_")]


@pytest.mark.parametrize("pattern", GAPS, ids=[f"{left}_{gap.name}_{right}" for left, gap, right in GAPS])
def test_no_part_of_a_word_reaches_over_joined_texts(pattern: tuple[str | Gap, ...]) -> None:
    left, _, right = pattern
    assert found(f"{left}x{right} {left}1{right}", word_pattern(pattern))
    assert not found(f"{left}{BETWEEN_TEXTS}{right}", word_pattern(pattern))


TYPED = {"@timestamp": "TIMESTAMP_MS", **dict.fromkeys(FREE_FIELDS, "VARCHAR")}


@pytest.mark.parametrize(
    "columns",
    [
        SourceColumns(),
        SourceColumns(("message",)),
        SourceColumns(FREE_FIELDS),
        SourceColumns.of_file(TYPED, ()),
        SourceColumns.of_file(TYPED, None),
    ],
    ids=["append_log", "some_columns", "format_1", "columns", "rest"],
)
@pytest.mark.parametrize(
    ("condition", "pattern"),
    [
        (Text("not found at all"), text_pattern(["not", "found", "at", "all"])),
        (Word(("a", Gap.MANY, "b")), word_pattern(("a", Gap.MANY, "b"))),
    ],
    ids=["phrase", "wildcard"],
)
def test_a_regular_expression_stands_once_in_a_query(
    condition: Condition, pattern: str, columns: SourceColumns
) -> None:
    """Each place costs DuckDB milliseconds, and twice as many in ``regexp_matches``."""
    sql = sql_condition(condition, columns)
    assert (sql.count(literal(pattern)), sql.count("regexp_extract_all")) == (1, 1)
