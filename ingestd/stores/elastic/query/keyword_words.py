"""Words in keyword fields, which the servers do not split: as wildcards and regular expressions on whole values.

A path is percent-encoded there, so words are searched encoded. What separates words is approximated by punctuation; an
ideograph or Hiragana is a word without any. A path whose escapes are not valid UTF-8 may be missed: the built-in store
searches it as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from ingestd.stores.query import Gap
from ingestd.stores.words import unicode_pattern

Clause = dict[str, Any]

# The servers ignore the case of letters, but not of ranges.
_SIGNS = "\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u2000-\u206f\u3000-\u3004\u3008-\u303f"
_ASCII_SIGNS = r" -/:-@\[-\^`{-~"
_SEPARATOR = f"[{_ASCII_SIGNS}{_SIGNS}]"
_ENCODED_SEPARATOR = r"(%[012][0-9a-fA-F]|%3[a-fA-F]|%40|%5[b-eB-E]|%60|%7[b-fB-F]|[ -$&-/:-@\[-\^`{-~])"
_CHAR = f"[^{_ASCII_SIGNS}{_SIGNS}]"
_ENCODED_CHAR = r"(%[c-fC-F][0-9a-fA-F](%[89abAB][0-9a-fA-F])+|[0-9a-zA-Z_])"
# What may precede a word in a path: it must not start inside of an escape, where `E` is in `%EC`.
_BEFORE_IN_PATH = "(%[0-9a-fA-F][0-9a-fA-F]|[^%])*"
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_ALONE = r"[\p{Han}\p{Hiragana}]"
_RESERVED = frozenset('.?+*|{}[]()"\\#@&<>~^$-')
MAX_REGEXP_CHARS = 1000  # of the servers: index.max_regex_length


def text(field: str, wanted: Sequence[str], *, path: bool) -> Clause:
    """Return the clause that finds adjacent words, as ``stores.words.words`` returns them.

    Args:
        field: The name of a keyword field.
        wanted: At least one word.
        path: Whether the values are percent-encoded.
    """
    if len(wanted) > 1 or (path and (not wanted[0].isascii() or wanted[0][0] in _HEX_DIGITS)):
        pieces = [_encoded(word) if path else _literal(word) for word in wanted]
        separator = _ENCODED_SEPARATOR if path else _SEPARATOR
        found = pieces[0]
        for left, right, piece in zip(wanted, wanted[1:], pieces[1:], strict=False):
            found += separator + ("*" if _alone(left[-1]) or _alone(right[0]) else "+") + piece
        if len(found) + len(_BEFORE_IN_PATH) + 2 <= MAX_REGEXP_CHARS:
            return _regexp(field, found, path=path)
    return _wildcard(field, "*".join(_wildcard_part(word, path=path) for word in wanted))


def _alone(char: str) -> bool:
    return unicode_pattern(_ALONE).match(char) is not None


def pattern(field: str, parts: Sequence[str | Gap], *, path: bool) -> Clause:
    """Return the clause that finds a part of a word that matches a pattern; ``field`` and ``path`` as for `text`."""
    char = _ENCODED_CHAR if path else _CHAR
    gaps = {Gap.ONE: char, Gap.MANY: f"{char}*"}
    escape = _encoded if path else _literal
    found = "".join(gaps[part] if isinstance(part, Gap) else escape(part.lower()) for part in parts)
    return _regexp(field, found, path=path)


def _regexp(field: str, value: str, *, path: bool) -> Clause:
    before = _BEFORE_IN_PATH if path else ".*"
    return {"regexp": {field: {"value": f"{before}{value}.*", "flags": "NONE", "case_insensitive": True}}}


def _wildcard(field: str, value: str) -> Clause:
    return {"wildcard": {field: {"value": f"*{value}*", "case_insensitive": True}}}


def _wildcard_part(word: str, *, path: bool) -> str:
    encoded = quote(word) if path else word
    return encoded.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def _literal(word: str) -> str:
    return "".join(f"\\{char}" if char in _RESERVED else char for char in word)


def _encoded(word: str) -> str:
    """Return the regular expression of a percent-encoded word; letters have one encoding for each case."""
    return "".join(_encoded_char(char) for char in word)


def _encoded_char(char: str) -> str:
    if char.isascii():
        return _literal(char)
    forms = dict.fromkeys(quote(form) for form in (char, char.upper()) if len(form) == 1)
    return next(iter(forms)) if len(forms) == 1 else f"({'|'.join(forms)})"
