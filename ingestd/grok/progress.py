"""How far a grok pattern that does not match a text got: its longest start that matches."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from ingestd.grok.compile import compile_grok
from ingestd.grok.engine import Matcher
from ingestd.grok.errors import PatternError
from ingestd.grok.library import PatternLibrary

_TIMEOUT_S = 1.0
_REFERENCE = re.compile(r"%\{(?P<name>\w+)(?::[^{}=]*)?\}")
_ATOM = re.compile(r"\(|(?:%\{[^{}]*\}|\\.|\[(?:\\.|[^\]\\])+\]|.)(?:(?:[*+?]|\{\d*,?\d*\})[?+]?)?", re.DOTALL)
"""A reference, class or character with its quantifier, or the start of a group."""
_MAX_STARTS = 60
_MAX_LEVELS = 8


class Progress(NamedTuple):
    """How far a pattern got: ``matched`` is its longest start that matches, ``end`` where in the text that ends.

    ``next`` is the part of the pattern that does not match there. A reference that fails is replaced by its definition,
    so both may be texts of the library.
    """

    matched: str
    end: int
    next: str


def progress(pattern: str, library: PatternLibrary, text: str) -> Progress:
    """Return how far ``pattern``, which does not match ``text``, gets. It may take seconds: for people, not for events.

    Raises:
        GrokTimeoutError: A search took too long.
    """
    best = found = _progress(pattern, library, text)
    for _ in range(_MAX_LEVELS):
        opened = _opened(found, pattern, library)
        if opened is None:
            break
        pattern = opened
        found = _progress(pattern, library, text)
        if not found.next:
            break
        if found.end > best.end:
            best = found
    return best


def _progress(pattern: str, library: PatternLibrary, text: str) -> Progress:
    """Return how far a pattern gets without looking into its references."""
    ends = _ends(pattern)
    following = len(pattern)
    for end in reversed(ends):
        matcher = _matcher(pattern[:end], library)
        if matcher is None:
            continue
        match = matcher.search(text)
        if match is not None:
            return Progress(pattern[:end], match.end(), pattern[end:following])
        following = end
    return Progress("", 0, pattern[:following])


@lru_cache(maxsize=1024)
def _matcher(start: str, library: PatternLibrary) -> Matcher | None:
    """Return what searches for the start of a pattern, None if it ends inside of a group."""
    try:
        return compile_grok(start, library).matcher(_TIMEOUT_S)
    except PatternError:
        return None


def _ends(pattern: str) -> list[int]:
    """Return where the pattern may be cut, rising: after each reference, and after each character between those."""
    return [found.end() for found in _ATOM.finditer(pattern)][:-1][:_MAX_STARTS]


def _opened(found: Progress, pattern: str, library: PatternLibrary) -> str | None:
    """Return the pattern with the reference that fails replaced by what it stands for; None if that says no more."""
    reference = _REFERENCE.fullmatch(found.next)
    if reference is None:
        return None
    definition = library.patterns.get(reference["name"], "")
    if "%{" not in definition or _has_choice(definition):
        return None
    return found.matched + definition + pattern[len(found.matched) + len(found.next) :]


def _has_choice(pattern: str) -> bool:
    """Return whether there is a ``|`` outside of groups."""
    depth = 0
    for atom in _ATOM.findall(pattern):
        depth += (atom == "(") - (atom[0] == ")")
        if atom == "|" and not depth:
            return True
    return False
