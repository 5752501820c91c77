"""Text on a terminal: how many cells it takes, and errors with a caret under the mistake."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

_WIDE = {"W", "F"}
_ZERO = {"Mn", "Me", "Cf"}
_CONJOINING = range(0x1160, 0x1200)  # vowels and final consonants of Hangul in decomposed form


def display_width(text: str) -> int:
    """Return how many terminal cells ``text`` takes; Hangul takes two per syllable."""
    return len(text) if text.isascii() else sum(map(char_width, text))


def char_width(char: str) -> int:
    """Return how many terminal cells a character takes: 0, 1 or 2."""
    if unicodedata.east_asian_width(char) in _WIDE:
        return 2
    return 0 if unicodedata.category(char) in _ZERO or ord(char) in _CONJOINING else 1


def point_at(message: str, line: str, column: int, length: int, hint: str = "", number: int | None = None) -> str:
    """Return an error as lines: the message, the line of text, carets under the mistake, the hint if there is one.

    Args:
        message: The message.
        line: The line with the mistake. Its tabs stay, and are repeated before the caret.
        column: Where the mistake starts, from 1, in characters; it may be after the end of the line.
        length: Its length in characters; what exceeds the line is not marked.
        hint: What to write instead.
        number: Number of the line, to be shown before it.
    """
    before, mistake = line[: column - 1], line[column - 1 :][:length]
    pad = "".join(char if char == "\t" else " " * char_width(char) for char in before) + " " * (
        column - 1 - len(before)
    )
    gutter, empty_gutter = ("    ", "    ") if number is None else (f"{number:>5} | ", "      | ")
    lines = [message, gutter + line, empty_gutter + pad + "^" * max(display_width(mistake), 1)]
    return "\n".join([*lines, f"  help: {hint}"] if hint else lines)


_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_BACKSLASHES = re.compile(r"(?:\\x[89A-Fa-f][0-9A-Fa-f])+|\\\\")  # or an escaped backslash, which stays


def readable_escapes(text: str) -> str:
    """Return a text with the percent escapes decoded that hold printable text beyond ASCII: ``/search?q=서울``."""
    return _ESCAPES.sub(lambda run: _readable_bytes(run[0], run[0]), text) if "%" in text else text


def readable_message(text: str, event: Mapping[str, Any]) -> str:
    r"""Return a message with its escapes decoded: in the lines of nginx and Apache also ``\xEC\x84\x9C``."""
    is_plain_access_line = event.get("visit") is True and "logger_name" not in event
    return readable_escapes(readable_backslashes(text) if is_plain_access_line else text)


def readable_backslashes(text: str) -> str:
    r"""Return a text with the escapes ``\xEC\x84\x9C`` decoded that hold printable text beyond ASCII."""
    if "\\x" not in text:
        return text
    return _BACKSLASHES.sub(lambda run: _readable_bytes(run[0], run[0].replace("\\x", "%")), text)


def _readable_bytes(written: str, escapes: str) -> str:
    """Return percent escapes decoded, from UTF-8 or else CP949; ``written`` if they are not printable text."""
    data = unquote_to_bytes(escapes)
    try:
        try:
            decoded = data.decode()
        except UnicodeDecodeError:
            decoded = data.decode("cp949")
    except UnicodeDecodeError:
        return written
    return decoded if not decoded.isascii() and decoded.isprintable() else written
