"""What is probably a mistake in an option ``index``: letters of date patterns, and what index names cannot have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ingestd.event.sprintf import Template, split_template
from ingestd.plugins.registry import OptionWarning

_FORBIDDEN = '\\/*?"<>|,#:'  # as in `ingestd.stores.index_names`
_QUOTED = re.compile(r"'[^']*'")
_LEVELS = ("%{level}", "%{[level]}", "%{loglevel}", "%{[log][level]}")


class _Problem(NamedTuple):
    """A problem of a piece of text: where it is in it, what it is, and what to write."""

    start: int
    length: int
    text: str
    hint: str


def index_warnings(index: Template) -> Iterator[OptionWarning]:
    """Yield what is probably a mistake in the option ``index``, in the order of its text."""
    offset = 0
    for piece in split_template(index.text):
        for problem in sorted(_problems(piece, first=offset == 0)):
            yield OptionWarning("index", problem.text, problem.hint, offset + problem.start, problem.length)
        offset += len(piece)


def _problems(piece: str, *, first: bool) -> Iterator[_Problem]:
    if piece in _LEVELS:
        hint = f'lower it before: mutate {{ lowercase => ["{piece[2:-1]}"] }}'
        yield _Problem(0, len(piece), "levels such as INFO have capital letters, index names may not", hint)
    elif piece.startswith("%{{"):
        yield from _date_problems(piece, piece[3:-2], 3, java=True)
    elif piece.startswith("%{+"):
        yield from _date_problems(piece, piece[3:-1], 3, java=False)
    elif not piece.startswith("%{"):
        yield from _text_problems(piece, first=first)


def _text_problems(text: str, *, first: bool) -> Iterator[_Problem]:
    if text != text.lower():
        start = next(position for position, char in enumerate(text) if char != char.lower())
        length = len(text[start:].split(maxsplit=1)[0])
        yield _Problem(start, length, "index names have no capital letters", f"write {text.lower()!r}")
    for position, char in enumerate(text):
        if char.isspace() or char in _FORBIDDEN:
            shown = "blanks" if char.isspace() else repr(char)
            yield _Problem(position, 1, f"index names have no {shown}", "use - or _ or .")
    if first and text[0] in ".-_+":
        yield _Problem(0, 1, f"index names do not start with {text[0]!r}", "start with a letter or a digit")


def _date_problems(piece: str, pattern: str, start: int, *, java: bool) -> Iterator[_Problem]:
    """Yield the problems of a date pattern that starts at ``start`` of ``piece``, in Joda's letters or Java's."""
    plain = _QUOTED.sub(lambda match: " " * len(match[0]), pattern)
    runs = {match[0][0]: (match.start() + start, match[0]) for match in re.finditer(r"([A-Za-z])\1*", plain)}
    if meant := _meant(runs, java=java):
        corrected = "".join(_repaired(part, meant) for part in re.split(r"('[^']*')", pattern))
        hint = f"write {piece.replace(pattern, corrected)}"
        for letter in meant:
            position, run = runs[letter]
            yield _Problem(position, len(run), _what(run, java=java), hint)
    for letter, (position, run) in runs.items():
        if (letter in "ML" and len(run) > 2) or letter in "EeazZGV":
            yield _Problem(position, len(run), f"{run} may give capital letters, index names have none", "use digits")
    for match in re.finditer(r"[^A-Za-z0-9._' -]", pattern):
        if match[0] in _FORBIDDEN:
            yield _Problem(match.start() + start, 1, f"index names have no {match[0]!r}", "use - or _ or .")
    if " " in _QUOTED.sub("", pattern):
        yield _Problem(pattern.index(" ") + start, 1, "index names have no blanks", "use - or _ or .")


def _meant(runs: Mapping[str, object], *, java: bool) -> dict[str, str]:
    """Return the letters that are probably wrong, and what was meant."""
    meant = {}
    hours = any(letter in runs for letter in "HhKk")
    if "D" in runs and "d" not in runs and ("M" in runs or "m" in runs):
        meant["D"] = "d"
    if "m" in runs and "M" not in runs and not hours:
        meant["m"] = "M"
    if "Y" in runs and java and "w" not in runs:
        meant["Y"] = "y"
    if "x" in runs and not java and "w" not in runs:
        meant["x"] = "y"
    if "h" in runs and "a" not in runs:
        meant["h"] = "H"
    return meant


def _repaired(part: str, meant: dict[str, str]) -> str:
    return part if part.startswith("'") else "".join(meant.get(char, char) for char in part)


def _what(run: str, *, java: bool) -> str:
    names = {"D": "the day of the year", "m": "the minute", "h": "the hour from 1 to 12", "x": "the year of the week"}
    names["Y"] = "the year of the week" if java else "the year"
    return f"{run} is {names[run[0]]}"
