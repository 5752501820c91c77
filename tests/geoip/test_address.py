"""IP addresses as logs write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.geoip.address import forwarded, parse_address

ADDRESSES = [  # id, text, address in its usual form or None
    ("ipv4", "8.8.8.8", "8.8.8.8"),
    ("ipv6", "2001:0DB8::1", "2001:db8::1"),
    ("brackets", "[2001:db8::1]", "2001:db8::1"),
    ("blanks", " 8.8.8.8\n", "8.8.8.8"),
    ("zone", "fe80::1%eth0", "fe80::1"),
    ("mapped", "::ffff:8.8.8.8", "8.8.8.8"),
    ("port", "8.8.8.8:80", None),
    ("leading_zero", "8.8.8.08", None),
    ("three_parts", "8.8.8", None),
    ("host", "example.com", None),
    ("empty", "", None),
    ("long", " " * 99 + "8.8.8.8", None),
]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in ADDRESSES], ids=[row[0] for row in ADDRESSES])
def test_parse_address(text: str, expected: str | None) -> None:
    found = parse_address(text)
    assert (found and str(found)) == expected


@given(st.ip_addresses())
def test_every_address_is_read(address: object) -> None:
    found = parse_address(str(address))
    assert found is not None
    assert found in (address, getattr(address, "ipv4_mapped", None))


def test_the_list_of_a_header_is_bounded() -> None:
    assert list(forwarded("1.1.1.1," * 99, 3)) == ["1.1.1.1"] * 3
    header = "1.1.1.1, 2.2.2.2:80,[::1]:80, ::2, unknown, a b.c"
    assert list(forwarded(header, 9)) == ["1.1.1.1", "2.2.2.2", "::1", "::2"]
