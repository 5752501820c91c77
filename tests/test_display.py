import pytest

from ingestd.display import display_width, point_at

WIDTHS = [("ascii", "abc", 3), ("hangul", "서울a", 5), ("decomposed", "서울", 4), ("accent", "e\u0301", 1)]


@pytest.mark.parametrize(("text", "cells"), [c[1:] for c in WIDTHS], ids=[c[0] for c in WIDTHS])
def test_width(text: str, cells: int) -> None:
    assert display_width(text) == cells


POINTED = [  # id, line, column, length, line of the carets
    ("word", "a bc d", 3, 2, "      ^^"),
    ("hangul_before", "서울 bc", 4, 2, "         ^^"),
    ("hangul_marked", "a 서울", 3, 2, "      ^^^^"),
    ("tab_before", "\ta b", 4, 1, "    \t  ^"),
    ("over_the_end", "ab", 2, 9, "     ^"),
    ("after_the_end", "ab", 4, 1, "       ^"),
    ("empty_line", "", 1, 1, "    ^"),
]


@pytest.mark.parametrize(
    ("line", "column", "length", "carets"), [case[1:] for case in POINTED], ids=[case[0] for case in POINTED]
)
def test_carets(line: str, column: int, length: int, carets: str) -> None:
    assert point_at("wrong", line, column, length).split("\n") == ["wrong", f"    {line}", carets]


def test_line_number_and_hint() -> None:
    text = point_at("wrong", "a bc", 3, 2, "write b", number=12)
    assert text == "wrong\n   12 | a bc\n      |   ^^\n  help: write b"
