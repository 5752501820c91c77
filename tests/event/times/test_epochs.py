"""UNIX, UNIX_MS and TAI64N."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.times.epochs import parse_tai64n, parse_unix, parse_unix_ms

MS = 1_000_000

CASES = [  # parser, value, milliseconds since the epoch
    (parse_unix, "0", 0),
    (parse_unix, 0, 0),
    (parse_unix, "1000000000", 1_000_000_000_000),
    (parse_unix, 1000000000, 1_000_000_000_000),
    (parse_unix, "1478207457.456", 1_478_207_457_456),
    (parse_unix, 1478207457.456, 1_478_207_457_456),
    (parse_unix, "1.5", 1_500),
    (parse_unix, "-1.5", -1_500),
    (parse_unix, -1, -1_000),
    (parse_unix, 2147483647, 2_147_483_647_000),
    (parse_unix_ms, "0", 0),
    (parse_unix_ms, 456, 456),
    (parse_unix_ms, "1000000000123", 1_000_000_000_123),
    (parse_unix_ms, 1000000000123, 1_000_000_000_123),
    (parse_unix_ms, 1000000000123.9, 1_000_000_000_123),
    (parse_unix_ms, "-5", -5),
]


@pytest.mark.parametrize(("parse", "value", "expected"), CASES)
def test_count(parse: Callable[[object], int], value: object, expected: int) -> None:
    assert parse(value) == expected * MS


@pytest.mark.parametrize(("before", "after"), [("", ""), ("@", ""), ("@", " message")])
def test_tai64n(before: str, after: str) -> None:
    assert parse_tai64n(f"{before}4000000050d506482dbdf024{after}") == 1_356_138_046_767_422_500


@pytest.mark.parametrize(
    ("text", "ns"), [("1350414944.123456", 1_350_414_944_123_456_000), ("1.1234567891", 1_123_456_789)]
)
def test_nine_digits(text: str, ns: int) -> None:
    assert parse_unix(text) == ns


REFUSED = [
    *[(parse_unix, value) for value in ["", "%{bad_value}", ".5", "5.", "1e9", " 1", "1,5", "１", "2147483648",
                                        1000000000123, 1e18, float("nan"), float("inf"), True, None, [1], "1.2.3"]],
    *[(parse_unix_ms, value) for value in ["", "1.5", "x", float("nan"), float("inf"), False, None, {}, "1" * 30]],
    *[(parse_tai64n, value) for value in ["", "@", "@4000000050d50648", "4000000050d506482dbdf02g",
                                          "f000000050d506482dbdf024", 4000000050, None]],
]  # fmt: skip


@pytest.mark.parametrize(("parse", "value"), REFUSED)
def test_refused(parse: Callable[[object], int], value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- the reasons differ, their kind is what counts
        parse(value)


@given(st.integers(0, 2**31 - 1), st.integers(0, 999))
def test_text_and_float_agree(seconds: int, millis: int) -> None:
    text = f"{seconds}.{millis:03d}"
    assert parse_unix(text) == parse_unix(float(text)) == (seconds * 1000 + millis) * MS
