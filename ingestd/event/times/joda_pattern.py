"""Split a date pattern into its parts.

Follows https://www.joda.org/joda-time/key_format.html: a run of the same letter is a field, its length the form;
everything else is literal text, ``'`` quotes letters, ``''`` is a quote.
"""

from __future__ import annotations

from typing import NamedTuple

from ingestd.event.times.pattern_mistakes import from_strptime

JODA_LETTERS = "GCYxweEyDMdaKhHkmsSzZ"

_NUMBERS = frozenset("CxyYdhHmsSeDwkK")


class PatternPart(NamedTuple):
    """A field, ``letter`` repeated ``width`` times, or, without a letter, literal ``text``."""

    letter: str
    width: int
    text: str = ""

    @property
    def is_number(self) -> bool:
        """Whether a parser must expect digits here."""
        return self.letter in _NUMBERS or (self.letter == "M" and self.width <= 2)


def split_pattern(pattern: str, letters: str = JODA_LETTERS) -> list[PatternPart]:
    """Return the parts of a pattern; ``letters`` are the valid ones.

    Raises:
        ValueError: The pattern is empty or has an invalid letter outside quotes.
    """
    parts: list[PatternPart] = []
    position = 0
    while position < len(pattern):
        letter = pattern[position]
        if not _is_letter(letter):
            text, position = _literal(pattern, position)
            parts.append(PatternPart("", 0, text))
            continue
        if letter not in letters:
            corrected = from_strptime(pattern)
            hint = (
                "put text in quotes: 'text'"
                if corrected == pattern
                else f'instead of strptime\'s form write "{corrected}"'
            )
            raise ValueError(f"date pattern {pattern!r}: {letter!r} is not a valid letter; {hint}")
        start = position
        while pattern.startswith(letter, position):
            position += 1
        parts.append(PatternPart(letter, position - start))
    if not parts:
        raise ValueError("a date pattern must not be empty")
    return parts


def _is_letter(char: str) -> bool:
    return char.isascii() and char.isalpha()


def _literal(pattern: str, position: int) -> tuple[str, int]:
    """Return the literal text that starts at ``position`` and its end; a quote may stay open."""
    text, quoted = "", False
    while position < len(pattern):
        char = pattern[position]
        if pattern.startswith("''", position):
            text += char
            position += 1
        elif char == "'":
            quoted = not quoted
        elif _is_letter(char) and not quoted:
            break
        else:
            text += char
        position += 1
    return text, position
