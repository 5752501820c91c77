"""Messages of the DNS."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.dns_messages import (
    AAAA,
    NO_SUCH_NAME,
    PTR,
    A,
    DnsError,
    Response,
    canonical,
    parse_response,
    query,
    reverse_name,
)

WWW = b"\3www\7example\3com\0"
QUESTION = WWW + b"\0\1\0\1"


def response(*records: bytes, number: int = 7, flags: int = 0x8180, question: bytes = QUESTION) -> bytes:
    return struct.pack("!6H", number, flags, 1, len(records), 0, 0) + question + b"".join(records)


def record(value: bytes, kind: int = A, name: bytes = b"\xc0\x0c", ttl: int = 60) -> bytes:
    return name + struct.pack("!2HIH", kind, 1, ttl, len(value)) + value


ADDRESS = record(bytes([1, 2, 3, 4]))
ALIAS = record(b"\4host\xc0\x10", kind=5)


def test_query() -> None:
    assert query(7, "www.example.com", A) == b"\0\7\1\0\0\1\0\0\0\0\0\0" + QUESTION
    assert query(7, "www.example.com.", A) == query(7, "www.example.com", A)
    assert canonical("서울.com") == "xn--2i4bq6h.com"


@pytest.mark.parametrize("name", ["", ".", "a..b", ".a", "x" * 64, ".".join(["x" * 60] * 5), "a\ud800b", "a b", "a\0b"])
def test_names_that_cannot_exist(name: str) -> None:
    with pytest.raises(DnsError):
        query(1, name, A)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (response(ADDRESS), Response(7, "www.example.com", A, 0, False, "1.2.3.4")),
        (response(ALIAS, ADDRESS), Response(7, "www.example.com", A, 0, False, "1.2.3.4")),
        (response(ALIAS), Response(7, "www.example.com", A, 0, False, None)),
        (response(flags=0x8183), Response(7, "www.example.com", A, NO_SUCH_NAME, False, None)),
        (response(flags=0x8380), Response(7, "www.example.com", A, 0, True, None)),
        (response(question=b"\3WwW\1X\0\0\1\0\1"), Response(7, "www.x", A, 0, False, None)),
        (
            response(record(b"\0" * 15 + b"\1", AAAA), question=WWW + b"\0\x1c\0\1"),
            Response(7, "www.example.com", AAAA, 0, False, "::1"),
        ),
        (
            response(record(b"\4HOST\xc0\x10", PTR), question=WWW + b"\0\x0c\0\1"),
            Response(7, "www.example.com", PTR, 0, False, "host.example.com"),
        ),
    ],
)
def test_responses(data: bytes, expected: Response) -> None:
    assert parse_response(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        response()[:20],
        response(ADDRESS)[:-1],
        response(flags=0x0100),
        response(record(b"\1\2\3")),
        response(question=b"\xc0\x0c\0\1\0\1"),
        response(question=b"\x05www"),
        response(question=b"\1\xff\0\0\1\0\1"),
        response(question=b"\x3f" + b"a" * 63 + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1"),
        query(7, "www.example.com", A),
    ],
)
def test_what_is_no_response(data: bytes) -> None:
    with pytest.raises(DnsError):
        parse_response(data)


@given(st.binary(max_size=100), st.binary(max_size=8))
def test_any_bytes(data: bytes, end: bytes) -> None:
    for attempt in (data, response(record(data)), response(question=data + end), response(record(data, PTR))):
        try:
            parse_response(attempt)
        except DnsError:
            continue


def test_reverse_names() -> None:
    assert reverse_name("1.2.3.4") == "4.3.2.1.in-addr.arpa"
    assert reverse_name("2001:db8::1").endswith(".8.b.d.0.1.0.0.2.ip6.arpa")
    with pytest.raises(ValueError, match="does not appear"):
        reverse_name("host")
