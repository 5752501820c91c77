from collections.abc import Callable
from typing import Any

import pytest

from ingestd.web import params
from ingestd.web.params import ParameterError

TIMES = [  # id, text, moment
    ("missing", "", None),
    ("utc", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
    ("fraction_stays", "2026-11-22T10:00:00.123456789Z", "2026-11-22T10:00:00.123456789Z"),
    ("seoul", "2026-11-22T08:00:00.5+09:00", "2026-11-21T23:00:00.5Z"),
    ("plus_read_as_a_blank", "2026-11-22T08:00:00 09:00", "2026-11-21T23:00:00Z"),
]


@pytest.mark.parametrize(("text", "moment"), [c[1:] for c in TIMES], ids=[c[0] for c in TIMES])
def test_time(text: str, moment: str | None) -> None:
    assert params.time({"since": text}, "since") == moment


def number(text: str) -> int:
    return params.number({"n": text}, "n", 10, 1, 100)


@pytest.mark.parametrize(("text", "value"), [("", 10), ("1", 1), ("100", 100)])
def test_number(text: str, value: int) -> None:
    assert number(text) == value


@pytest.mark.parametrize("name", ["level", "[geoip][country_name]", "a.b", "검색어"])
def test_field(name: str) -> None:
    assert params.field({"field": name}) == name


def test_field_has_a_default() -> None:
    assert params.field({}, "level") == "level"


WRONG: list[tuple[str, Callable[[str], Any], str]] = [  # id, reader, text
    *(
        (f"time_{n}", lambda text: params.time({"since": text}, "since"), text)
        for n, text in enumerate(("now", "2026-11-22", "2026-11-22T10:00:00", "2026-13-22T10:00:00Z", "'; DROP"))
    ),
    *(
        (f"time_digits_{n}", lambda text: params.time({"since": text}, "since"), text)
        for n, text in enumerate(("２０２６-11-22T10:00:00Z", "2026-11-22T10:00:0٣Z", "2026-11-22T10:00:00.１Z"))
    ),
    ("year_zero", lambda text: params.time({"since": text}, "since"), "0001-01-01T00:00:00+09:00"),
    *(
        (f"number_{text}", number, text)
        for text in ("0", "101", "x", "1e3", "1_0", "9" * 30, "²", "١", "１２", " 5 ", "+5")
    ),
    ("field_missing", lambda text: params.field({"field": text}), ""),
    ("field_depth", lambda text: params.field({"field": text}), "[a]" * 600),
    ("field_brackets", lambda text: params.field({"field": text}), "[a"),
    ("text_too_long", lambda text: params.text({"q": text}, "q"), "x" * 4097),
]


@pytest.mark.parametrize(("read", "text"), [c[1:] for c in WRONG], ids=[c[0] for c in WRONG])
def test_refused(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ParameterError):
        read(text)


def test_zone() -> None:
    assert params.zone({"zone": "Asia/Seoul"}) == "Asia/Seoul"
    assert params.zone({}) == "UTC"


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Asia", "x" * 300, "a\0b"])
def test_no_zone(name: str) -> None:
    with pytest.raises(ParameterError, match="zone must be a time zone"):
        params.zone({"zone": name})
