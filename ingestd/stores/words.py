"""Words of a text, as full-text search sees them.

They are the segments of Unicode's UAX #29 (https://www.unicode.org/reports/tr29/#Word_Boundaries) that contain a
letter, a digit or an emoji, in lower case, as in Lucene's standard tokenizer, which Elasticsearch and OpenSearch use
for ``text`` fields. A run of Thai, Lao, Khmer or Burmese, which are written without spaces, is one word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

MAX_WORD_CHARS = 255  # the standard tokenizer cuts longer ones

_MARKS = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*+"
"""What belongs to the preceding character (rule WB4)."""


def _sign(*classes: str) -> str:
    """Return the pattern of a character of these classes (table ``WordBreakProperty``), with its marks."""
    return f"(?:[{''.join(_class(name) for name in classes)}]{_MARKS})"


def _class(name: str) -> str:
    return rf"\p{{{name}}}" if "=" in name else rf"\p{{WB={name}}}"


def _pattern() -> str:
    """Return the pattern of a word (its only group), or of joiners alone, so that matching takes linear time."""
    hebrew, digit, joint = _sign("Hebrew_Letter"), _sign("Numeric"), _sign("ExtendNumLet")
    quoted = f"{hebrew}(?:{_sign('Double_Quote')}(?={hebrew})|{_sign('Single_Quote')})?+"  # WB7a to WB7c
    letter = f"(?:{quoted}|{_sign('ALetter')})"
    letters = f"{letter}(?:{_sign('MidLetter', 'MidNumLet', 'Single_Quote')}?{letter})*+"  # WB5 to WB7
    digits = f"{digit}(?:{_sign('MidNum', 'MidNumLet', 'Single_Quote')}?{digit})*+"  # WB8, WB11, WB12
    part = f"(?:(?:{letters}|{digits})++|{_sign('Katakana')}++)"  # WB9, WB10, WB13
    picture, region = rf"\p{{Extended_Pictographic}}{_MARKS}", rf"\p{{Regional_Indicator}}{_MARKS}"
    words = "|".join(
        (
            f"{joint}*+{part}(?:{joint}++{part})*+{joint}*+",  # WB13a, WB13b
            _sign("Script=Han", "Script=Hiragana"),
            f"{_sign('LB=SA')}++",
            rf"\u200D*+{picture}(?:(?<=\u200D){picture})*+",  # WB3c
            region + region,  # WB15, WB16
            r"[#*]\uFE0F?\u20E3",
        )
    )
    alone = rf"[{_class('ExtendNumLet')}](?:[{_class('Extend')}{_class('Format')}]++|\u200D++(?!{picture}))*+"
    return f"({words})|(?:{alone})++"


_ASCII_PART = "(?:[A-Za-z](?:[:.']?[A-Za-z])*+|[0-9](?:[,;.']?[0-9])*+)++"
_ascii_segments: Callable[[str], list[str]] = re.compile(f"_*+{_ASCII_PART}(?:_++{_ASCII_PART})*+_*+").findall
"""Finds the words of ASCII text, as ``_pattern`` does."""


@lru_cache
def unicode_pattern(pattern: str) -> regex.Pattern[str]:
    """Return a compiled pattern with properties of Unicode.

    Call it when the pattern is needed, not when a module is imported: to import ``regex`` and compile the pattern of
    words takes 100 ms, which few processes of the daemon need to spend.
    """
    import regex  # noqa: PLC0415

    return regex.compile(pattern)


@lru_cache(1)
def _segments() -> Callable[[str], list[str]]:
    findall: Callable[[str], list[str]] = unicode_pattern(_pattern()).findall
    return findall


def words(text: str) -> list[str]:
    """Return the words of ``text`` in order, in lower case."""
    result: list[str] = []
    segments = _ascii_segments if text.isascii() else _segments()
    for segment in filter(None, segments(text)):
        word = _lower(segment)
        result += [word] if len(word) <= MAX_WORD_CHARS else _cut(word)
    return result


def holds(text: str, wanted: Sequence[str]) -> bool:
    """Return whether ``text`` has the words ``wanted`` in the sense of `query.Text`."""
    if not wanted:
        return False
    present = words(text)
    if len(wanted) == 1:
        return any(wanted[0] in word for word in present)
    first, *middle, last = wanted
    for at in range(len(present) - len(wanted) + 1):
        stop = at + len(wanted) - 1
        if present[at].endswith(first) and present[stop].startswith(last) and present[at + 1 : stop] == middle:
            return True
    return False


def _lower(word: str) -> str:
    """Lower-case character by character, as Lucene does: without final sigma, without a combining dot after i."""
    return word.lower() if word.isascii() else "".join(char.lower()[0] for char in word)


def _cut(word: str) -> list[str]:
    return [word[at : at + MAX_WORD_CHARS] for at in range(0, len(word), MAX_WORD_CHARS)]
