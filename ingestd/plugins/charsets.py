"""Encodings by their names in Ruby, and so in Logstash."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Callable

from ingestd.plugins.filters._ruby import inspect_text

_RUBY_ENCODINGS = {  # Ruby's names that Python does not know
    "ascii-8bit": "ascii",
    "binary": "ascii",
    "windows-31j": "cp932",
    "cswindows31j": "cp932",
    "pck": "cp932",
    "utf8-mac": "utf-8",
    "utf-8-mac": "utf-8",
    "utf-8-hfs": "utf-8",
    "cp65001": "utf-8",
    "euc-tw": "big5",
    "eucjp-ms": "euc_jp",
    "cp51932": "euc_jp",
    "windows-874": "cp874",
    "maccenteuro": "mac_latin2",
    "locale": "utf-8",
    "external": "utf-8",
    "filesystem": "utf-8",
    "internal": "utf-8",
}


def find_charset(name: str, option: str = "charset") -> str:
    """Return Python's name of an encoding.

    Raises:
        ValueError: There is no text encoding of that name; ``option`` is named in the message.
    """
    try:
        codec = codecs.lookup(_RUBY_ENCODINGS.get(name.lower(), name))
        "".encode(codec.name)  # LookupError for codecs such as base64, which do not decode to text
    except LookupError:
        raise ValueError(f"{option} {name!r} is not a known encoding: write UTF-8, CP949, ISO-8859-1 ...") from None
    return codec.name


def decode_either(data: bytes, charset: str, fallback: str) -> str:
    """Decode a piece of a text that is not valid in ``charset`` as a whole: in that, else in ``fallback``.

    Two bytes of CP949 are often valid UTF-8 by chance, three are not: such a piece is in ``fallback`` if it can be.

    Raises:
        UnicodeDecodeError: The piece is valid in neither.
    """
    try:
        text = data.decode(charset)
    except UnicodeDecodeError:
        return data.decode(fallback)
    if charset == "utf-8" and not text.isascii() and max(text) <= _LAST_OF_TWO_BYTES:
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode(fallback)
    return text


_LAST_OF_TWO_BYTES = "\u07ff"
_PIECE = re.compile(b"(?:[\x80-\xff]+[A-Za-z]?)+")
"""The second byte of a character in CP949 may be a letter."""


def text_decoder(name: str, fallback_charset: str = "") -> Callable[[bytes], str]:
    """Return a function that decodes bytes as Logstash's codecs do; it never fails.

    Text that is not valid UTF-8 is decoded piece by piece, each in UTF-8 or in ``fallback_charset``. If there is none,
    or a piece is valid in neither, the text is written as by Ruby's ``inspect`` (``\\xD3``, quotes escaped). Bytes that
    are not valid in another encoding become U+FFFD.

    Raises:
        ValueError: There is no encoding of that name.
    """
    charset = find_charset(name)
    fallback = find_charset(fallback_charset, "fallback_charset") if fallback_charset else ""
    if charset != "utf-8":
        return lambda data: data.decode(charset, "replace")

    def decode(data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
        if fallback:
            with contextlib.suppress(UnicodeDecodeError):
                return _PIECE.sub(lambda piece: decode_either(piece[0], charset, fallback).encode(), data).decode()
        return inspect_text(data.decode("utf-8", "surrogateescape"))

    return decode
