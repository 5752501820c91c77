"""Text in UTF-8, and in another encoding where it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins.charsets import text_decoder

KOREAN = "GET /search?q=책 추천, 서울"
CASES = [  # id, bytes, text
    ("utf8", KOREAN.encode(), KOREAN),
    ("cp949", KOREAN.encode("cp949"), KOREAN),
    ("both", "서울 ".encode() + "책 추천".encode("cp949"), "서울 책 추천"),
    ("letter_as_second_byte", "똀 q".encode("cp949"), "똀 q"),
    ("neither", b'"\xff" \xbc\xad', r"\"\xFF\" \xBC\xAD"),
    ("latin_1", b"caf\xe9", r"caf\xE9"),
]


@pytest.mark.parametrize(("data", "text"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_fallback_charset(data: bytes, text: str) -> None:
    assert text_decoder("UTF-8", "CP949")(data) == text


def test_without_a_fallback_charset() -> None:
    assert text_decoder("UTF-8")("서".encode("cp949")) == r"\xBC\xAD"


@given(st.text())
def test_utf8_stays_utf8(text: str) -> None:
    data = text.encode("utf-8", "replace")
    assert text_decoder("UTF-8", "CP949")(data) == data.decode()


@given(st.binary(max_size=40))
def test_any_bytes_are_decoded(data: bytes) -> None:
    text_decoder("UTF-8", "CP949")(data).encode()
