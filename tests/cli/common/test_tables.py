import pytest

from ingestd.cli.common import tables
from ingestd.display import display_width

FITS = [  # id, text, cells, expected
    ("fits", "abc", 3, "abc"),
    ("cut", "abcd", 3, "ab…"),
    ("wide", "서울 맛집", 5, "서울…"),
    ("wide_half", "서울", 3, "서…"),
    ("one", "서울", 1, "…"),
]


@pytest.mark.parametrize(("text", "cells", "expected"), [c[1:] for c in FITS], ids=[c[0] for c in FITS])
def test_fit(text: str, cells: int, expected: str) -> None:
    assert tables.fit(text, cells) == expected
    assert display_width(tables.fit(text, cells)) <= cells


PRINTABLE = [  # id, text, expected
    ("blanks", "a\tb\r\nc", "a b  c"),
    ("korean", "é 서", "é 서"),
    ("colour", "\x1b[31m", "\ufffd[31m"),
    ("right_to_left", "a\u202eb", "a\ufffdb"),
    ("surrogate", "\ud83d", "\ufffd"),
]


@pytest.mark.parametrize(("text", "expected"), [c[1:] for c in PRINTABLE], ids=[c[0] for c in PRINTABLE])
def test_printable(text: str, expected: str) -> None:
    assert tables.printable(text) == expected


def test_the_first_column_gives_way() -> None:
    lines = list(tables.table(("WORD", "COUNT"), [("서울 맛집 추천 목록", "12")], 20, numbers=1))
    assert lines == ["WORD           COUNT", "서울 맛집 추…     12"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (10**20, "100,000,000,000,000,000,000"),
        (1234.0, "1,234"),
        (-1234.5, "-1,234.50"),
        (0.01234, "0.0123"),
        (2.0**53, "9,007,199,254,740,992"),
        (2.0**53 + 4, "9.007199254741e+15"),
        (-1e308, "-1e+308"),
    ],
)
def test_a_number_for_people(value: float | None, text: str) -> None:
    assert tables.number_text(value) == text
