"""What is probably a mistake in an option ``index``: letters of date patterns, and what index names cannot have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ingestd.event.sprintf import Template, split_template
from ingestd.event.times.pattern_mistakes import QUOTED, letter_runs, pattern_mistakes
from ingestd.plugins.registry import OptionWarning

_FORBIDDEN = '\\/*?"<>|,#:'  # as in `ingestd.stores.index_names`
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
        hint = f'convert it first: mutate {{ lowercase => ["{piece[2:-1]}"] }}'
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
    for mistake in pattern_mistakes(pattern, java=java):
        hint = f"write {piece.replace(pattern, mistake.corrected)}"
        yield _Problem(mistake.start + start, mistake.length, mistake.text, hint)
    for letter, (position, run) in letter_runs(pattern).items():
        if (letter in "ML" and len(run) > 2) or letter in "EeazZGV":
            yield _Problem(
                position + start, len(run), f"{run} may have capital letters, index names have none", "use digits"
            )
    for match in re.finditer(r"[^A-Za-z0-9._' -]", pattern):
        if match[0] in _FORBIDDEN:
            yield _Problem(match.start() + start, 1, f"index names have no {match[0]!r}", "use - or _ or .")
    if " " in QUOTED.sub("", pattern):
        yield _Problem(pattern.index(" ") + start, 1, "index names have no blanks", "use - or _ or .")
