"""Backslash escapes for a character or a set, the same inside and outside of brackets (Ruby manual)."""

from __future__ import annotations

import re
from typing import NamedTuple

from ingestd.grok.errors import PatternError
from ingestd.grok.syntax import charset
from ingestd.grok.syntax.charset import CharExpr, UnicodeProperty

_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}
_ASCII_SETS = {"d": charset.DIGIT, "w": charset.WORD, "s": charset.SPACE, "h": charset.HEX}
_UNICODE_SETS = {"d": "digit", "w": "word", "s": "space", "h": "xdigit"}
_PROPERTY = re.compile(r"\{(\^?)\s*([A-Za-z0-9_=:& -]+?)\s*\}")
_CODE_POINT = re.compile(r"x\{([0-9A-Fa-f]{1,8})\}|u\{([0-9A-Fa-f]{1,8})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{1,2})")
_OCTAL = re.compile(r"[0-7]{1,3}")
_BYTES = re.compile(r"(?:\\x[89A-Fa-f][0-9A-Fa-f]){2,4}")


class Escape(NamedTuple):
    """What an escape means (one character if ``char`` is set, else ``expr``) and the offset after it."""

    char: str
    expr: CharExpr
    end: int


def read_escape(text: str, start: int, unicode_sets: bool) -> Escape:
    """Read the escape whose backslash is at ``start``.

    Raises:
        PatternError: It is cut off, out of range or an unknown property.
    """
    if start + 1 >= len(text):
        raise PatternError("the pattern ends with a backslash", start)
    letter = text[start + 1]
    if letter in _CONTROL:
        return _char_escape(_CONTROL[letter], start + 2)
    if letter.lower() in _ASCII_SETS:
        kind = letter.lower()
        expr: CharExpr = charset.POSIX[_UNICODE_SETS[kind]] if unicode_sets else _ASCII_SETS[kind]
        return Escape("", expr if letter == kind else charset.negation(expr), start + 2)
    if letter in "pP":
        return _read_property(text, start)
    if letter in "xu":
        return _read_code_point(text, start)
    if letter in "cCM":
        return _read_control(text, start)
    if octal := _OCTAL.match(text, start + 1):
        return _char_escape(chr(int(octal[0], 8)), octal.end())
    return _char_escape(letter, start + 2)


def _char_escape(char: str, end: int) -> Escape:
    return Escape(char, charset.of_chars(char), end)


def _read_property(text: str, start: int) -> Escape:
    match = _PROPERTY.match(text, start + 2)
    if not match:
        raise PatternError(r"expected a property name in braces, as in \p{Alpha}", start)
    name = match[2]
    expr = charset.POSIX.get(name.lower().replace("_", ""))
    if expr is None:
        escape = rf"\p{{{name}}}"
        expr = UnicodeProperty(escape, escape, charset.ANY, needs_regex=True)
    negative = (text[start + 1] == "P") != (match[1] == "^")
    return Escape("", charset.negation(expr) if negative else expr, match.end())


def _read_code_point(text: str, start: int) -> Escape:
    if utf8 := _BYTES.match(text, start):  # the bytes of one character, as in \xED\x95\x9C
        raw = bytes.fromhex(utf8[0].replace("\\x", ""))
        for size in range(len(raw), 1, -1):
            decoded = raw[:size].decode("utf-8", "ignore")
            if len(decoded) == 1 and len(decoded.encode()) == size:
                return _char_escape(decoded, start + 4 * size)
    match = _CODE_POINT.match(text, start + 1)
    if not match:
        raise PatternError(f"expected hexadecimal digits after \\{text[start + 1]}", start)
    code = int(next(digits for digits in match.groups() if digits), 16)
    if code > charset.LAST:
        raise PatternError(f"there is no character with the number {code:#x}", start)
    return _char_escape(chr(code), match.end())


def _read_control(text: str, start: int) -> Escape:
    size = 2 if text[start + 1] == "c" else 3
    if text[start + 1] == "M" or (size == 3 and text[start + 2 : start + 3] != "-"):
        raise PatternError(f"\\{text[start + 1]} escapes name bytes, not characters; they are not supported", start)
    char = text[start + size : start + size + 1]
    if not char:
        raise PatternError("a control escape is cut off", start)
    return _char_escape(chr(0x7F if char == "?" else ord(char) & 0x1F), start + size + 1)
