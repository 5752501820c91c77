"""Run a translated pattern: on ``re`` when its work is bounded, else on ``regex``, which can be interrupted.

``re`` is the faster of the two, but it cannot be interrupted and holds the GIL. So a pattern of degree d (see `safety`)
runs on it only for values of n characters with n**d up to `WORK_LIMIT`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from ingestd.grok.errors import GrokTimeoutError, PatternError
from ingestd.grok.prefilter import required_text, starts_a_line
from ingestd.grok.proof.safety import Safety, analyse
from ingestd.grok.translate import Translation

Match: TypeAlias = re.Match[str]  # regex's match objects have the same methods
Replacement: TypeAlias = str | Callable[[Match], str]

# Steps of a few nanoseconds each: at worst about 50 ms without an interruption, in practice microseconds.
WORK_LIMIT = 2_000_000


_SAFETIES: dict[str, Safety] = {}
"""By the translated pattern, in which groups have no names: patterns of a config often differ in names only."""
_MAX_SAFETIES = 512


@dataclass(frozen=True)
class CompiledPattern:
    """A pattern compiled for ``re``; ``fast`` is None if only ``regex`` can compile it."""

    translation: Translation
    fast: re.Pattern[str] | None

    @cached_property
    def safety(self) -> Safety:
        """How the pattern can backtrack; computed on first use, within milliseconds."""
        source = self.translation.source
        if source not in _SAFETIES:
            if len(_SAFETIES) >= _MAX_SAFETIES:
                _SAFETIES.clear()
            _SAFETIES[source] = analyse(self.translation.tree)
        return _SAFETIES[source]

    @cached_property
    def required(self) -> str:
        """A text that every match contains; empty if none is known."""
        return required_text(self.translation.tree.root)


def load(translation: Translation) -> CompiledPattern:
    """Compile a translation.

    Raises:
        PatternError: Neither package can compile it.
    """
    if not translation.needs_regex:
        try:
            return CompiledPattern(translation, re.compile(translation.source))
        except (re.error, OverflowError, RecursionError):
            pass  # regex accepts some of these; it decides
    _load_regex(translation.source)
    return CompiledPattern(translation, None)


def _load_regex(source: str) -> Any:
    import regex  # noqa: PLC0415  most pipelines never need it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return regex.compile(source)
    except (regex.error, ValueError, OverflowError, RecursionError, IndexError) as error:
        raise PatternError(f"the regular expression cannot be used: {error}") from error


class Matcher:
    """Searches values for one pattern.

    `search` takes a string and returns a match object or None; for a pattern proven linear it is the method of
    the compiled pattern itself, with no wrapper.

    Args:
        program: The result of `load`.
        timeout_s: Longest time for one search in seconds, applied on ``regex`` only; None or 0: no limit.
    """

    __slots__ = ("_limit", "_limit_of_all", "_program", "_slow", "_timeout_s", "search", "search_line")

    search: Callable[[str], Match | None]
    search_line: Callable[[str], Match | None]
    """The same for a string of one line; faster if the pattern is anchored to the start of a line."""

    def __init__(self, program: CompiledPattern, timeout_s: float | None) -> None:
        safety = program.safety
        self._program = program
        self._timeout_s = timeout_s or None
        self._slow: Any = None
        fast = program.fast
        self._limit = max_fast_length(safety.degree) if fast is not None else 0
        self._limit_of_all = max_fast_length(safety.degree_of_all) if fast is not None else 0
        if fast is None or self._limit == 0:
            self.search = self._search_slow
        elif safety.degree == 1:
            self.search = fast.search
        else:
            self.search = self._bounded_search(fast.search)
        anchored = fast is not None and self.search == fast.search and starts_a_line(program.translation.tree.root)
        self.search_line = fast.match if anchored and fast is not None else self.search

    def sub(self, replacement: Replacement, value: str) -> str:
        """Replace every match in ``value``, as Ruby's ``gsub`` does; empty matches too, even right after another match.

        Raises:
            GrokTimeoutError: It took longer than the time-out.
        """
        fast = self._program.fast
        if fast is not None and len(value) <= self._limit_of_all:
            return fast.sub(replacement, value)
        return self._sub_slow(replacement, value)

    def scan(self, value: str) -> list[Match]:
        """Return all matches in ``value``, as Ruby's ``scan`` finds them.

        Raises:
            GrokTimeoutError: It took longer than the time-out.
        """
        fast = self._program.fast
        if fast is not None and len(value) <= self._limit_of_all:
            return [*fast.finditer(value)]
        try:
            return [*self._slow_pattern().finditer(value, timeout=self._timeout_s)]
        except TimeoutError:
            raise GrokTimeoutError(self._timeout_s or 0) from None

    def _bounded_search(self, fast: Callable[[str], Match | None]) -> Callable[[str], Match | None]:
        limit, slow = self._limit, self._search_slow

        def search(value: str) -> Match | None:
            return fast(value) if len(value) <= limit else slow(value)

        return search

    def _search_slow(self, value: str) -> Match | None:
        try:
            match: Match | None = self._slow_pattern().search(value, timeout=self._timeout_s)
        except TimeoutError:
            raise GrokTimeoutError(self._timeout_s or 0) from None
        return match

    def _sub_slow(self, replacement: Replacement, value: str) -> str:
        try:
            result: str = self._slow_pattern().sub(replacement, value, timeout=self._timeout_s)
        except TimeoutError:
            raise GrokTimeoutError(self._timeout_s or 0) from None
        return result

    def _slow_pattern(self) -> Any:
        if self._slow is None:
            self._slow = _load_regex(self._program.translation.source)
        return self._slow


def max_fast_length(degree: int | None) -> float:
    """Return the length in characters up to which a value is searched on ``re``: 0 for none, infinity for all."""
    if degree is None:
        return 0
    return float("inf") if degree <= 1 else int(WORK_LIMIT ** (1 / degree))
