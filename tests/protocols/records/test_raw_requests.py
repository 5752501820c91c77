"""Paths with characters that the client did not encode, in the lines of servers that write no protocol after them."""

from __future__ import annotations

import pytest

from ingestd.protocols.records.access_lines import parse_access_line

CASES = [  # id, line
    ("channels", "HTTP GET /search?q=서울 200 [0.01, 127.0.0.1:52122]"),
    ("daphne", '127.0.0.1:52122 - - [28/Nov/2026:10:00:00] "GET /search?q=서울" 200 5316'),
]


@pytest.mark.parametrize("text", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_path(text: str) -> None:
    line = parse_access_line(text)
    assert line is not None
    assert line[:3] == ("GET", "/search?q=%EC%84%9C%EC%9A%B8", "200")


def test_a_text_that_starts_alike_is_no_access_line() -> None:
    assert parse_access_line("HTTP 오류가 발생했습니다") is None
