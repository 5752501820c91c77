"""Undo the ``Content-Encoding`` of an HTTP body: gzip, deflate and zstd, several if need be.

See RFC 9110, section 8.4, RFC 1951 (deflate), RFC 1952 (gzip) and RFC 8878 (zstd). The text is bounded while it is
made, so that a small body cannot fill the memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import zstandard

from ingestd.protocols.framing.gzip_members import GzipError, TooLongError, inflated

ENCODINGS = ("gzip", "deflate", "zstd", "identity")
"""What ``decoded`` knows, for the header ``Accept-Encoding`` of an answer."""

_PIECE_BYTES = 512
"""Of a body in zstd, decompressed at a time: to 16 MiB, as a block has 4 bytes or more, and 128 KiB of text."""

_MAX_WINDOW_BYTES = 8 << 20
"""What RFC 8878, section 3.1.1.1.2, asks a decoder to support."""

_ALIASES = {"x-gzip": "gzip"}


class UnknownEncodingError(ValueError):
    """The encoding is none of ``ENCODINGS``; status 415."""


class DamagedBodyError(ValueError):
    """The body is not what its header says, or its end is missing; status 400."""


class BodyTooLargeError(ValueError):
    """The text is longer than allowed; status 413."""


def encodings(header: str) -> list[str]:
    """Return the encodings that a header names, in the order in which they are undone; without ``identity``.

    Raises:
        UnknownEncodingError: One is not known.
    """
    named = [_ALIASES.get(name, name) for part in header.split(",") if (name := part.strip().lower())]
    for name in named:
        if name not in ENCODINGS:
            raise UnknownEncodingError(f"the content encoding {name!r} is not known; use one of {', '.join(ENCODINGS)}")
    return [name for name in reversed(named) if name != "identity"]


def decoded(body: bytes, header: str, max_bytes: int) -> bytes:
    """Return the text of a body.

    Args:
        body: As it came.
        header: The value of ``Content-Encoding``, empty if there is none.
        max_bytes: Longest text, also between two encodings.

    Raises:
        UnknownEncodingError, DamagedBodyError, BodyTooLargeError: See there.
    """
    for name in encodings(header):
        try:
            body = _DECODERS[name](body, max_bytes)
        except TooLongError:
            raise BodyTooLargeError(f"the decompressed body has more than {max_bytes} bytes") from None
        except (GzipError, zlib.error, zstandard.ZstdError) as error:
            raise DamagedBodyError(f"the body is not {name}: {error}") from None
    return body


def _deflated(body: bytes, max_bytes: int) -> bytes:
    """Return the text of ``deflate``: with the header of zlib, as the RFC says, or without it, as some clients do."""
    has_header = len(body) > 1 and body[0] & 15 == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0
    inflater = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
    text = inflater.decompress(body, max_bytes + 1)
    if len(text) > max_bytes:
        raise TooLongError
    if not inflater.eof or inflater.unused_data:
        raise zlib.error("its end is missing" if not inflater.eof else "there are bytes after its end")
    return text


def _unzstd(body: bytes, max_bytes: int) -> bytes:
    """Return the text of all frames. It is made of small pieces of the body, as a piece has no bound of its own."""
    texts: list[bytes] = []
    size, rest = 0, memoryview(body)
    while rest:
        frame = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj()
        while not frame.eof:
            if not rest:
                raise zstandard.ZstdError("its end is missing")
            texts.append(frame.decompress(rest[:_PIECE_BYTES]))
            size += len(texts[-1])
            if size > max_bytes:
                raise TooLongError
            rest = rest[_PIECE_BYTES:]
        rest = memoryview(body)[len(body) - len(rest) - len(frame.unused_data) :]
    return b"".join(texts)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {"gzip": inflated, "deflate": _deflated, "zstd": _unzstd}
