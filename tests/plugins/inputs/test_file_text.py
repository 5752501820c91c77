"""Text of other encodings, byte order marks and NULs: as tables, cut everywhere."""

from __future__ import annotations

import codecs
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins.inputs._file_content import Content
from ingestd.plugins.inputs._file_text import TextCleaner, Utf8Reader, charset_of_bom

TEXT = '서울 맛집\r\n{"n":1}\n'
CHARSETS = {  # id: (bytes, charset)
    "utf_8": (TEXT.encode(), None),
    "cp949": (TEXT.encode("cp949"), "cp949"),
    "euc_kr": (TEXT.encode("euc-kr"), "euc_kr"),
    "utf_16": (TEXT.encode("utf-16"), "utf-16"),
    "utf_16_bom": (TEXT.encode("utf-16"), None),
    "utf_16_be_bom": (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), None),
    "utf_16_le": (TEXT.encode("utf-16-le"), "utf-16-le"),
    "utf_32_bom": (TEXT.encode("utf-32"), None),
}


def read(data: bytes, charset: str | None, step: int) -> bytes:
    reader, parts = Utf8Reader(io.BytesIO(data).read, charset), []
    while part := reader.read(step):
        assert len(part) <= step
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(("data", "charset"), CHARSETS.values(), ids=CHARSETS.keys())
def test_charsets(data: bytes, charset: str | None, step: int) -> None:
    assert read(data, charset, step) == TEXT.encode()


def test_what_cannot_be_decoded_is_replaced() -> None:
    assert read(b"a\xff\xff\nb", "cp949", 100).decode() == "a\ufffd\ufffd\nb"
    assert read("a".encode("utf-16") + b"\n", None, 100).decode() == "a\ufffd"


@given(st.binary(max_size=50), st.integers(1, 60))
def test_bytes_without_a_charset_are_returned_as_they_are(data: bytes, step: int) -> None:
    if charset_of_bom(data) is None:
        assert read(data, None, step) == data


def test_content_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(TEXT.encode("cp949"))
    content = Content(path, "cp949")
    assert b"".join(iter(content.read, b"")) == TEXT.encode()
    content.close()


CLEANED = {  # id: (file, cleaned)
    "bom": (b"\xef\xbb\xbf{}\n", b"\n\n\n{}\n"),
    "bom_later": (b"a\n\xef\xbb\xbfb\n", b"a\n\xef\xbb\xbfb\n"),
    "nul_first": (b"\0\0\0\0{}\n", b"\n\n\n\n{}\n"),
    "nul_between": (b"a\n\0\0b\n", b"a\n\n\nb\n"),
    "nul_at_the_end_of_a_line": (b"a\0\0\nb\0\r\n", b"a\n\n\nb\n\r\n"),
    "nul_in_a_line": (b"a\0b\n", b"a\0b\n"),
    "hole": (b"a" + bytes(8) + b"b\n", b"a" + b"\n" * 8 + b"b\n"),
}


@pytest.mark.parametrize(("data", "cleaned"), CLEANED.values(), ids=CLEANED.keys())
def test_cleaner(data: bytes, cleaned: bytes) -> None:
    assert TextCleaner().clean(data) == cleaned


@given(st.lists(st.sampled_from([b"\0", b"\n", b"a", b"\xef\xbb\xbf", bytes(9)]), max_size=20), st.integers(1, 9))
def test_cleaning_keeps_offsets_and_all_that_is_text(parts: list[bytes], step: int) -> None:
    data, cleaner = b"".join(parts), TextCleaner()
    cleaned = b"".join(cleaner.clean(data[start : start + step]) for start in range(0, len(data), step))
    assert len(cleaned) == len(data)
    pairs = [(was, became) for was, became in zip(data, cleaned, strict=True) if was != became]
    assert {became for _, became in pairs} <= {ord("\n")}
    assert {was for was, _ in pairs} <= {0, *codecs.BOM_UTF8}
