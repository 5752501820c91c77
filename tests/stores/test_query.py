from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.stores.query import (
    WITHOUT_LEVEL,
    And,
    Equal,
    Or,
    QueryError,
    as_number,
    level_at_least,
    level_spellings,
)
from ingestd.stores.words import MAX_WORD_CHARS, _ascii_segments, _segments, words


@pytest.mark.parametrize(
    ("level", "names"),
    [
        ("error", {"ERROR", "CRITICAL", "FATAL"}),
        ("WARN", {"WARNING", "WARN", "ERROR", "CRITICAL", "FATAL"}),
        ("Debug", {"DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL"}),
        ("notice", {"notice"}),
    ],
)
def test_level_at_least(level: str, names: set[str]) -> None:
    condition = level_at_least(level)
    assert isinstance(condition, Or)
    *own, other = condition.parts
    assert set(own) == {Equal("level", name) for name in names}
    assert isinstance(other, And)
    same = [Equal("log.level", part.value) for part in own if isinstance(part, Equal)]
    assert other.parts == (Or(tuple(same)), WITHOUT_LEVEL)


@pytest.mark.parametrize(
    ("value", "spellings"),
    [("wArN", ("wArN", "WARN", "warn", "Warn")), ("INFO", ("INFO", "info", "Info")), ("정보", ("정보",)), ("", ("",))],
)
def test_level_spellings(value: str, spellings: tuple[str, ...]) -> None:
    assert level_spellings(value) == spellings


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("404", 404),
        ("-5", -5),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("9007199254740993", 9007199254740993),
        ("", None),
        ("x", None),
        (" 1", None),
        ("1_000", None),
        ("٣", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
    ],
)
def test_as_number(text: str, number: float | None) -> None:
    assert as_number(text) == number


def test_an_error_has_a_position() -> None:
    error = QueryError("wrong", 3, 4, "do so")
    assert (str(error), error.column, error.length, error.hint) == ("wrong", 3, 4, "do so")


WORDS: dict[str, tuple[str, list[str]]] = {
    "blanks": (" \t\n", []),
    "signs": ("?! -- _ __", []),
    "joined": ("example.com foo_bar it's 3.14 1,000", ["example.com", "foo_bar", "it's", "3.14", "1,000"]),
    "parted": ("/search?q=1 10:05 time-out a.1", ["search", "q", "1", "10", "05", "time", "out", "a", "1"]),
    "joints_alone_part": ("_a a__b c_", ["_a", "a__b", "c_"]),
    "case": ("ABC ÄÖ ΑΣ İ", ["abc", "äö", "ασ", "i"]),
    "hangul": ("서울역에서 3호선 서울abc", ["서울역에서", "3호선", "서울abc"]),
    "ideographs": ("東京tower", ["東", "京", "tower"]),
    "kana": ("ひら カタカナ", ["ひ", "ら", "カタカナ"]),
    "thai": ("ไทยครับ", ["ไทยครับ"]),
    "marks": ("e\u0301a", ["e\u0301a"]),
    "mark_at_begin": ("\u0301a", ["a"]),
    "hebrew": ('א"ב ג\' "a"', ['א"ב', "ג'", "a"]),
    "joiner_of_an_emoji_after_a_line": ("_\u200d👍 a_\u200d👍", ["\u200d👍", "a_\u200d", "👍"]),
    "emoji": ("a👍🏽b 👨‍👩‍👧 🇰🇷🇯 #️⃣", ["a", "👍🏽", "b", "👨‍👩‍👧", "🇰🇷", "#️⃣"]),
    "not_digits": ("² ½", []),
    "long": ("x" * 600, ["x" * MAX_WORD_CHARS, "x" * MAX_WORD_CHARS, "x" * 90]),
}


@pytest.mark.parametrize(("text", "expected"), WORDS.values(), ids=WORDS.keys())
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.sampled
@pytest.mark.parametrize("piece", ["_", "a_", "\u0301", "1'", 'א"', "👍\u200d", "ท\u0301", ".\u0301", "a."])
def test_time_is_linear(piece: str) -> None:
    """A text of this size takes less than a tenth of a second; quadratic, it would take minutes."""
    words(piece * 50_000)


@given(st.text(st.sampled_from([*"aZ09_:.,;'\"-#*/ \n~%"]) | st.characters(max_codepoint=127), max_size=30))
def test_words_of_ascii_text_are_those_that_the_pattern_for_all_text_finds(text: str) -> None:
    assert _ascii_segments(text) == [*filter(None, _segments()(text))]
