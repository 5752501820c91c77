"""Inflating gzip with any number of members."""

from __future__ import annotations

import gzip

import pytest

from ingestd.protocols.gzip_members import GzipError, inflated

MANY = gzip.compress(b"") * 50_000
"""1 MB. Time that grows with the square of the number of members would be seconds."""

CASES: list[tuple[str, bytes, bytes]] = [  # id, data, text
    ("empty", b"", b""),
    ("one", gzip.compress(b"ab"), b"ab"),
    ("longest", gzip.compress(bytes(100)), bytes(100)),
    ("several", gzip.compress(b"a") + gzip.compress(b"") + gzip.compress(b"b"), b"ab"),
    ("many", MANY + gzip.compress(b"a"), b"a"),
]
WRONG: list[tuple[str, bytes]] = [
    ("text", b"no"),
    ("cut", gzip.compress(b"ab")[:-3]),
    ("rest", gzip.compress(b"ab") + b"x"),
    ("damaged", gzip.compress(b"ab" * 50, mtime=0)[:12] + bytes(20)),
    ("too_long", gzip.compress(bytes(101))),
    ("bomb", gzip.compress(bytes(1 << 24))),
]


@pytest.mark.parametrize(("data", "text"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_inflated(data: bytes, text: bytes) -> None:
    assert inflated(data, 100) == text


@pytest.mark.parametrize("data", [case[1] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_refused(data: bytes) -> None:
    with pytest.raises(GzipError):
        inflated(data, 100)
