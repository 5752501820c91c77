"""Decode ``%XX`` escapes of bytes in UTF-8 or another encoding."""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Callable
from typing import Literal, cast
from unicodedata import normalize

from ingestd.plugins.charsets import decode_either, find_charset
from ingestd.plugins.filters._ruby import inspect_text

_RUN = re.compile("(?:%[0-9A-Fa-f]{2})+")
_RUN_OF_BYTES = re.compile(b"(?:%[0-9A-Fa-f]{2})+")
# The second byte of a character in CP949, Big5 or Shift_JIS may be an unescaped letter.
_PIECE = re.compile("(?:%[0-9A-Fa-f]{2}[A-Za-z]?)+")


def text_unescaper(
    charset: str = "UTF-8", fallback_charset: str = "", form: str = "", *, plus_as_space: bool = False
) -> Callable[[str], str]:
    """Return a function that decodes the escapes in a text; it never raises.

    Args:
        charset: Encoding of the escaped bytes.
        fallback_charset: Encoding of bytes that are not valid in ``charset``; empty: none.
        form: Unicode normalization form of the result; empty: none.
        plus_as_space: Decode ``+`` as a space.

    Raises:
        ValueError: There is no such encoding.
    """
    utf8 = is_utf8(charset)
    charset = find_charset(charset)
    fallback = find_charset(fallback_charset, "fallback_charset") if fallback_charset else ""

    def decode_text(text: str) -> str:
        if plus_as_space:
            text = text.replace("+", " ")
        try:
            decoded = _unescape_utf8(text) if utf8 else _whole(text, charset, "strict")
        except UnicodeDecodeError:
            decoded = _mend(text, charset, fallback)
        # ``form`` is one of the names that ``choices`` allows.
        return normalize(cast("Literal['NFC']", form), decoded) if form and not decoded.isascii() else decoded

    return decode_text


def _unescape_utf8(text: str) -> str:
    """Decode escaped UTF-8; three times faster as quoted-printable, which has ``=`` for ``%``, if nothing else differs.

    Raises:
        UnicodeDecodeError: The bytes are not UTF-8.
    """
    if text.isascii() and text[-1:] != "%" and not ("=" in text or "\n" in text or "\r" in text):
        decoded = a2b_qp(text.replace("%", "="))
        if b"=" not in decoded:  # else something was not an escape
            return decoded.decode()
    return _RUN.sub(_utf8_run, text)


def _utf8_run(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode()


def _bytes_run(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[0].replace(b"%", b"").decode())


def _whole(text: str, charset: str, errors: str) -> str:
    """Decode the escaped and the plain characters of ``text`` together, as bytes in ``charset``."""
    return _bytes(text).decode(charset, errors)


def _bytes(text: str) -> bytes:
    return _RUN_OF_BYTES.sub(_bytes_run, text.encode("utf-8", "surrogatepass"))


def _mend(text: str, charset: str, fallback: str) -> str:
    """Decode a text with bytes that are not valid in ``charset``: each piece separately, if that helps."""
    if fallback:
        try:
            return _PIECE.sub(lambda piece: _either(piece[0], charset, fallback), text)
        except UnicodeDecodeError:
            pass
    if is_utf8(charset):
        return inspect_text(_whole(text, charset, "surrogateescape"))
    return _whole(text, charset, "replace")


def _either(piece: str, charset: str, fallback: str) -> str:
    return decode_either(_bytes(piece), charset, fallback)


def is_utf8(name: str) -> bool:
    """Return whether ``name`` is one of the names of UTF-8."""
    return find_charset(name) == "utf-8"
