from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.units import (
    ADDRESS,
    AGE,
    DURATION,
    PATH,
    PORT,
    SIZE,
    SPACE,
    TEXT,
    URL,
    ZONE,
    Address,
    Kind,
    choice,
    format_duration,
    format_size,
    mask,
    parse_address,
    parse_duration,
    parse_size,
    round_size,
)

GOOD: list[tuple[str, Callable[[str], Any], str, Any]] = [
    ("bytes", parse_size, "4096", 4096),
    ("b", parse_size, "10B", 10),
    ("kib", parse_size, "512KiB", 512 * 1024),
    ("m_is_binary", parse_size, "64M", 64 * 1024**2),
    ("mb_is_decimal", parse_size, "64MB", 64 * 1000**2),
    ("fraction", parse_size, "1.5 GiB", 3 * 1024**3 // 2),
    ("case", parse_size, " 1tib ", 1024**4),
    ("seconds", parse_duration, "30", 30.0),
    ("s", parse_duration, "1.5s", 1.5),
    ("ms", parse_duration, "200ms", 0.2),
    ("minutes", parse_duration, "15m", 900.0),
    ("days", parse_duration, "2d", 172800.0),
    ("weeks", parse_duration, "4w", 2419200.0),
    ("v4", parse_address, "127.0.0.1:9600", Address("127.0.0.1", 9600)),
    ("v6", parse_address, "[::1]:0", Address("::1", 0)),
    ("name", parse_address, "localhost:80", Address("localhost", 80)),
]


@pytest.mark.parametrize(("parse", "text", "expected"), [c[1:] for c in GOOD], ids=[c[0] for c in GOOD])
def test_parse(parse: Callable[[str], Any], text: str, expected: Any) -> None:
    assert parse(text) == expected


def test_amounts_whose_unit_cannot_be_forgotten() -> None:
    """Plain numbers are seconds and bytes, as in other programs, but nobody keeps logs for 30 s or in 200 bytes."""
    assert (AGE.parse("30s"), AGE.parse(0), AGE.parse(2_592_000), AGE.parse("30d")) == (30, 0, 30 * 86400, 30 * 86400)
    assert (SPACE.parse("200B"), SPACE.parse(0), SPACE.parse("200000000000")) == (200, 0, 200 * 10**9)


BAD: list[tuple[str, Callable[[str], Any], str]] = [
    *(("size", parse_size, text) for text in ("", "x", "-1", "1XB", "1 2", "1e3", "KiB", "１２", "١KiB")),
    *(("duration", parse_duration, text) for text in ("", "-1s", "1y", "1h30m", "s", "５m")),
    *(("age", AGE.parse, text) for text in ("30", "0.5", "86399", "")),
    *(("space", SPACE.parse, text) for text in ("200", "1048575")),
    *(("address", parse_address, text) for text in ("", "9600", ":9600", "host:", "host:x", "h:65536", "::1:9600")),
]


@pytest.mark.parametrize(("parse", "text"), [c[1:] for c in BAD], ids=[f"{c[0]}-{c[2]}" for c in BAD])
def test_rejected(parse: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ValueError, match=r"expected .* such as .*, found"):
        parse(text)


@given(st.integers(0, 1 << 50))
def test_a_size_shown_is_the_size(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(st.integers(0, 10_000_000))
def test_a_duration_shown_is_the_duration(millis: int) -> None:
    assert parse_duration(format_duration(millis / 1000)) == pytest.approx(millis / 1000)


@given(st.sampled_from(["127.0.0.1", "::1", "log.example"]), st.integers(0, 65535))
def test_an_address_shown_is_the_address(host: str, port: int) -> None:
    assert parse_address(str(Address(host, port))) == (host, port)


KINDS: list[tuple[str, Kind, Any, Any]] = [  # values as TOML has them
    ("size_number", SIZE, 4096, 4096),
    ("duration_float", DURATION, 1.5, 1.5),
    ("port_number", PORT, 0, 0),
    ("port_text", PORT, "5959", 5959),
    ("off", ADDRESS, "off", None),
    ("url", URL, "http://es:9200/", "http://es:9200"),
    ("url_none", URL, "", ""),
    ("path", PATH, "/var/lib", Path("/var/lib")),
    ("text", TEXT, "x", "x"),
    ("choice", choice("a", "b"), "b", "b"),
    ("zone", ZONE, "Asia/Seoul", "Asia/Seoul"),
    ("own_zone", ZONE, "", ""),
]


@pytest.mark.parametrize(("kind", "value", "expected"), [c[1:] for c in KINDS], ids=[c[0] for c in KINDS])
def test_kind(kind: Kind, value: Any, expected: Any) -> None:
    assert kind.parse(value) == expected


WRONG: list[tuple[str, Kind, Any, str]] = [
    ("size_bool", SIZE, True, "found true"),
    ("size_list", SIZE, [1], "found \\[1\\]"),
    ("size_negative", SIZE, -1, "found '-1'"),
    ("port_bool", PORT, True, "0 to 65535, found true"),
    ("port_high", PORT, 65536, "0 to 65535, found 65536"),
    ("port_text", PORT, "http", "0 to 65535, found 'http'"),
    ("text_number", TEXT, 3, "expected text, found 3"),
    ("url_scheme", URL, "localhost:9200", "expected a URL"),
    ("url_password", URL, "htp://me:secret@es", "found 'htp://me:\\*\\*\\*@es'"),
    ("path_empty", PATH, "", "found nothing"),
    ("choice", choice("a", "b"), "c", "expected one of a, b, found 'c'"),
    ("zone", ZONE, "Asia/Soul", "expected a time zone such as Asia/Seoul, found 'Asia/Soul'"),
    ("zone_path", ZONE, "../x", "expected a time zone"),
]


@pytest.mark.parametrize(("kind", "value", "error"), [c[1:] for c in WRONG], ids=[c[0] for c in WRONG])
def test_kind_refuses(kind: Kind, value: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        kind.parse(value)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("http://es:9200", "http://es:9200"),
        ("http://me:p:w@es:9200", "http://me:***@es:9200"),
        ("http://me@es", "http://me@es"),
    ],
)
def test_passwords_are_masked(url: str, masked: str) -> None:
    assert mask(url) == masked
    assert URL.show(url) == masked


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_950, "1.0 MB"), (5 * 10**15, "5000.0 TB")]
)
def test_round_size(count: int, text: str) -> None:
    assert round_size(count) == text
