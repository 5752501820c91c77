"""What is probably a mistake in a date pattern: a letter that means something else, or a format of strptime."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

QUOTED = re.compile(r"'[^']*'")
_DIRECTIVE = re.compile(r"%-?[A-Za-z]")
_STRPTIME = {
    "%Y": "yyyy",
    "%y": "yy",
    "%m": "MM",
    "%b": "MMM",
    "%B": "MMMM",
    "%d": "dd",
    "%e": "d",
    "%j": "DDD",
    "%H": "HH",
    "%I": "hh",
    "%M": "mm",
    "%S": "ss",
    "%f": "SSSSSS",
    "%L": "SSS",
    "%p": "a",
    "%a": "EEE",
    "%A": "EEEE",
    "%z": "Z",
    "%Z": "zzz",
    "%F": "yyyy-MM-dd",
    "%T": "HH:mm:ss",
}
"""Directives of strptime, and what they are in Joda-Time's letters."""


class PatternMistake(NamedTuple):
    """What is probably a mistake: ``length`` characters at ``start`` of a pattern, and the whole pattern corrected."""

    start: int
    length: int
    text: str
    corrected: str


def pattern_mistakes(pattern: str, *, java: bool = False) -> Iterator[PatternMistake]:
    """Yield what is probably a mistake in a date pattern, in Joda's letters or Java's."""
    if directive := _DIRECTIVE.search(QUOTED.sub(_blanks, pattern)):
        text = f"{directive[0]} is a directive of strptime"
        yield PatternMistake(directive.start(), len(directive[0]), text, from_strptime(pattern))
        return
    runs = letter_runs(pattern)
    if meant := _meant(runs, java=java):
        corrected = "".join(_repaired(part, meant) for part in re.split(r"('[^']*')", pattern))
        for letter in meant:
            start, run = runs[letter]
            yield PatternMistake(start, len(run), _what(run, java=java), corrected)


def from_strptime(pattern: str) -> str:
    """Return a pattern with the directives of strptime replaced by Joda-Time's letters."""
    return _DIRECTIVE.sub(lambda match: _STRPTIME.get(match[0].replace("-", ""), match[0]), pattern)


def letter_runs(pattern: str) -> dict[str, tuple[int, str]]:
    """Return the last run of each letter outside of quotes, and where it starts."""
    plain = QUOTED.sub(_blanks, pattern)
    return {match[0][0]: (match.start(), match[0]) for match in re.finditer(r"([A-Za-z])\1*", plain)}


def _blanks(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _meant(runs: Mapping[str, object], *, java: bool) -> dict[str, str]:
    """Return the letters that are probably wrong, and what was meant."""
    meant = {}
    hours = any(letter in runs for letter in "HhKk")
    if "D" in runs and "d" not in runs and ("M" in runs or "m" in runs):
        meant["D"] = "d"
    if "m" in runs and "M" not in runs and "s" not in runs and not hours:
        meant["m"] = "M"
    if "Y" in runs and java and "w" not in runs:
        meant["Y"] = "y"
    if "x" in runs and not java and "w" not in runs:
        meant["x"] = "y"
    week_year = "Y" if java else "x"
    if "w" in runs and "M" not in runs and week_year not in runs:
        meant |= dict.fromkeys(runs.keys() & {*"yY"}, week_year)
    if "h" in runs and "a" not in runs:
        meant["h"] = "H"
    return meant


def _repaired(part: str, meant: dict[str, str]) -> str:
    return part if part.startswith("'") else "".join(meant.get(char, char) for char in part)


def _what(run: str, *, java: bool) -> str:
    names = {"D": "the day of the year", "m": "the minute", "h": "the hour from 1 to 12", "x": "the year of the week"}
    names["y"] = "the year of the day, not of the week"
    names["Y"] = names["x"] if java else names["y"]
    return f"{run} is {names[run[0]]}"
