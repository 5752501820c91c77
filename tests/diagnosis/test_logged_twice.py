"""Requests that two servers log: found in the latest access lines, not in those of servers that took turns."""

from __future__ import annotations

import pytest

from ingestd.diagnosis.store_facts import LoggedRequest, logged_twice

PATHS = ["/", "/search", "/", "/order", "/"]


def lines(paths: list[str], start: float, logger: str = "", step: float = 10) -> list[LoggedRequest]:
    return [LoggedRequest(start + number * step, "GET", path, logger) for number, path in enumerate(paths)]


G, R = "gunicorn.access", "django.server"
CASES = [  # id, lines of loggers, lines of another server, loggers that log twice
    ("in_front", lines(PATHS, 0.9, G), lines(PATHS, 0), (G,)),
    ("one_of_two", lines(PATHS, 0.9, G) + lines(PATHS, 300, R), lines(PATHS, 0), (G,)),
    ("static_files_in_front", lines(PATHS, 0, G), lines(PATHS * 9, 0, step=10) + lines(["/s.css"] * 90, 1), (G,)),
    ("took_turns", lines(PATHS, 0, R), lines(PATHS, 300), ()),
    ("other_requests", lines(["/a"] * 9, 0, R), lines(["/b"] * 9, 0), ()),
    ("a_few_samples", lines(PATHS, 0, R), lines(PATHS[:2], 0), ()),
    ("coincidence", lines(["/", "/a", "/b"] * 9, 0, R), lines(["/", "/c", "/d"] * 9, 0), ()),
    ("each_line_pairs_once", lines(["/"] * 9, 0, G, step=0.1), lines(["/"], 0), ()),
    ("no_other_server", lines(PATHS, 0, G), [], ()),
    ("the_lines_of_one_cover_less", lines(PATHS * 9, 0, G), lines(PATHS * 2, 350), (G,)),
]


@pytest.mark.parametrize(
    ("named", "unnamed", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_logged_twice(named: list[LoggedRequest], unnamed: list[LoggedRequest], expected: tuple[str, ...]) -> None:
    assert logged_twice(named, unnamed) == expected
