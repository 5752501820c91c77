"""Text on a terminal: how many cells it takes, and errors with a caret under the mistake."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

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


def readable_escapes(text: str) -> str:
    """Return a text with the percent escapes decoded that hold printable text beyond ASCII: ``/search?q=서울``."""
    return _ESCAPES.sub(_readable, text) if "%" in text else text


def _readable(escapes: re.Match[str]) -> str:
    try:
        found = unquote(escapes[0], errors="strict")
    except UnicodeDecodeError:
        return escapes[0]
    return found if not found.isascii() and found.isprintable() else escapes[0]
