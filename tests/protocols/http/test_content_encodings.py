"""Bodies are decompressed to the text that was compressed, whatever the encoding, and never to more than allowed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.http.content_encodings import (
    BodyTooLargeError,
    DamagedBodyError,
    UnknownEncodingError,
    decoded,
)

MAX_BYTES = 1000


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def streamed_zstd(data: bytes) -> bytes:
    """Return one frame that does not say how long its text is."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(data) + compressor.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "zstd": zstandard.ZstdCompressor().compress,
    " ZSTD ": streamed_zstd,
    "identity": bytes,
    "": bytes,
}
COMPRESSORS = {name: encode for name, encode in ENCODERS.items() if encode is not bytes}


@pytest.mark.parametrize("name", ENCODERS)
@given(data=st.binary(max_size=MAX_BYTES))
def test_each_encoding_is_undone(name: str, data: bytes) -> None:
    assert decoded(ENCODERS[name](data), name, MAX_BYTES) == data


def test_encodings_are_undone_in_reverse() -> None:
    assert decoded(zlib.compress(gzip.compress(b"ab")), "gzip, deflate", MAX_BYTES) == b"ab"


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_joined_members_and_frames_are_one_text(name: str) -> None:
    encode = ENCODERS[name]
    assert decoded(encode(b"a" * 600) + encode(b"") + encode(b"b"), name, MAX_BYTES) == b"a" * 600 + b"b"


@pytest.mark.sampled
@pytest.mark.parametrize("size", [MAX_BYTES + 1, 1 << 24])
@pytest.mark.parametrize("name", COMPRESSORS)
def test_a_bomb_is_too_large(name: str, size: int) -> None:
    with pytest.raises(BodyTooLargeError, match=f"more than {MAX_BYTES} bytes"):
        decoded(ENCODERS[name](bytes(size)), name, MAX_BYTES)


@pytest.mark.parametrize("name", COMPRESSORS)
@pytest.mark.parametrize("cut", [1, 3, 8])
def test_a_body_that_is_cut_is_damaged(name: str, cut: int) -> None:
    with pytest.raises(DamagedBodyError, match=f"the body is not {name.strip().lower().removeprefix('x-')}"):
        decoded(ENCODERS[name](bytes(range(256)))[:-cut], name, MAX_BYTES)


@pytest.mark.parametrize("name", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("body", [b"no", b'{"a":1}', bytes(50)], ids=["text", "json", "zeros"])
def test_what_was_not_compressed_is_damaged(name: str, body: bytes) -> None:
    with pytest.raises(DamagedBodyError):
        decoded(body, name, MAX_BYTES)


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_bytes_after_the_end_are_damage(name: str) -> None:
    with pytest.raises(DamagedBodyError):
        decoded(ENCODERS[name](b"ab") + b"x", name, MAX_BYTES)


@pytest.mark.parametrize("header", ["br", "gzip, br", "compress"])
def test_unknown_encodings_are_named(header: str) -> None:
    with pytest.raises(UnknownEncodingError, match=r"br|compress"):
        decoded(b"", header, MAX_BYTES)
