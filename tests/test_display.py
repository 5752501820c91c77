import pytest

from ingestd.display import display_width, point_at, readable_escapes, readable_message

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


READABLE = [  # id, text, what is shown
    ("korean", "GET /search?q=%EC%84%9C%EC%9A%B8&p=2", "GET /search?q=서울&p=2"),
    ("blank_inside", "%EC%84%9C%20%EC%9A%B8", "서 울"),
    ("ascii_stays", "/a%20b%2Fc%25", "/a%20b%2Fc%25"),
    ("cp949", "/search?q=%BC%AD%BF%EF+%B8%C0", "/search?q=서울+맛"),
    ("neither_stays", "%EC%84 %FF", "%EC%84 %FF"),
    ("control_stays", "%EC%84%9C%1B%C2%85", "%EC%84%9C%1B%C2%85"),
    ("no_escape", "100%", "100%"),
]


@pytest.mark.parametrize(("text", "shown"), [case[1:] for case in READABLE], ids=[case[0] for case in READABLE])
def test_readable_escapes(text: str, shown: str) -> None:
    assert readable_escapes(text) == shown


VISIT = {"visit": True}
MESSAGES = [  # id, message, other fields, what is shown
    ("nginx", r'"GET /search?q=\xEC\x84\x9C%EC%9A%B8" "UA \x22"', VISIT, r'"GET /search?q=서울" "UA \x22"'),
    ("apache", r"GET /\xec\x84\x9c", VISIT, "GET /서"),
    ("apache_backslash", r"GET /\\xec\\\xec\x84\x9c", VISIT, r"GET /\\xec\\서"),
    ("nginx_backslash", r"GET /\x5CxEC\x84", VISIT, r"GET /\x5CxEC\x84"),
    ("cp949", r"GET /\xBC\xAD", VISIT, "GET /서"),
    ("neither", r"GET /\xEC\x84", VISIT, r"GET /\xEC\x84"),
    ("record_of_a_logger", r"GET /\xEC\x84\x9C", {**VISIT, "logger_name": "gunicorn.access"}, r"GET /\xEC\x84\x9C"),
    ("no_visit", r"got b'\xec\x84\x9c'", {}, r"got b'\xec\x84\x9c'"),
]


@pytest.mark.parametrize(
    ("text", "event", "shown"), [case[1:] for case in MESSAGES], ids=[case[0] for case in MESSAGES]
)
def test_readable_message(text: str, event: dict[str, object], shown: str) -> None:
    assert readable_message(text, event) == shown
