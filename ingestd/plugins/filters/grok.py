"""``grok``: extract fields from text with named patterns.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-grok. One match is enough for
success; fields and patterns are tried in the order of the config, up to the first match or, without
``break_on_match``, all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import Any

from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.grok.compile import DEFAULT_TIMEOUT_S, GrokPattern, compile_grok
from ingestd.grok.engine import Match
from ingestd.grok.errors import GrokTimeoutError, PatternError
from ingestd.grok.library import load_library
from ingestd.logs import get_logger
from ingestd.plugins.filters._captures import CaptureRules, Store, field_of, make_store
from ingestd.plugins.filters._ruby import to_s
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option

log = get_logger(__name__)

_UNSAFE_TIMEOUT_S = 1.0
_LOG_SECONDS = 60.0

_compile = lru_cache(maxsize=256)(compile_grok)  # shared by ``touches`` and ``build``

Search = Callable[[str], Match | None]

TryText = Callable[[int, str], bool]
"""Tries patterns on a text and sets the fields of a row; returns whether one matched."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``grok``."""

    match: dict[str, list[str]] = option({}, "Fields to match, each with a pattern or an array of patterns.")
    overwrite: list[FieldRef] = option(
        [], "Fields that captures replace; otherwise a capture is added to an existing value."
    )
    break_on_match: bool = option(True, "Stop at the first pattern that matches; otherwise try them all.")
    named_captures_only: bool = option(True, "Keep only captures with a field name; otherwise `%{WORD}` sets `WORD`.")
    keep_empty_captures: bool = option(False, "Also set fields whose capture is empty.")
    patterns_dir: list[str] = option([], "Folders, files or wildcard paths with more patterns; later ones win.")
    patterns_files_glob: str = option("*", "Which files in the folders of `patterns_dir` contain patterns.")
    pattern_definitions: dict[str, str] = option({}, "More patterns, by name; they win over all files.")
    target: FieldRef | None = option(None, "Parent field of all captures; default: the event itself.")
    tag_on_failure: list[str] = option(["_grokparsefailure"], "Tags for an event without a match.")
    timeout_millis: float = option(
        -1.0,
        "Time limit for a match, in milliseconds; 0: no limit. Default: 1000 for patterns whose time may grow faster "
        "than the text, which `ingestd check` warns of; else 30000.",
    )
    timeout_scope: str = option(
        "pattern",
        "What the limit applies to: each pattern, or all patterns of a field (`event`).",
        choices=("pattern", "event"),
    )
    tag_on_timeout: str = option("_groktimeout", "Tag for an event whose match exceeds the limit.")
    ecs_compatibility: str = option(
        "disabled",
        "For compatibility with Logstash; the stock patterns keep their legacy field names.",
        choices=("disabled", "v1", "v8"),
    )


def _patterns(options: Options) -> dict[str, list[GrokPattern]]:
    """Return the compiled patterns of each field. Raises ValueError, with the pattern, if one is invalid."""
    try:
        library = load_library(options.patterns_dir, options.patterns_files_glob, options.pattern_definitions)
    except PatternError as error:
        raise ValueError(str(error)) from None
    compiled: dict[str, list[GrokPattern]] = {}
    for field, texts in options.match.items():
        compiled[field] = patterns = []
        for text in texts:
            try:
                patterns.append(_compile(text, library, options.named_captures_only))
            except PatternError as error:
                raise ValueError(f"pattern {text!r}: {error}") from None
    return compiled


def _captured(options: Options) -> frozenset[FieldRef]:
    """Return the fields that the patterns set."""
    patterns = (pattern for field_patterns in _patterns(options).values() for pattern in field_patterns)
    return frozenset(field_of(capture, options.target) for pattern in patterns for capture in pattern.captures)


def _touches(options: Options) -> Touch:
    captured = {ref.text for ref in _captured(options)}
    tags = {"tags"} if options.tag_on_failure or options.timeout_millis else set()
    return Touch(reads=frozenset({*options.match, *captured}), sets=frozenset(captured | tags))


def _warnings(options: Options) -> list[str]:
    """Return a sentence for each pattern whose time is not proven to be linear in the length of the value."""
    return [
        f"pattern {pattern.text!r}: {pattern.safety.describe()}"
        for patterns in _patterns(options).values()
        for pattern in patterns
        if pattern.safety.degree != 1
    ]


@filter_plugin("grok", Options, touches=_touches, failure_tag="_grokparsefailure", columns=True, warnings=_warnings)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Match fields against patterns and set the fields that the patterns name.

    A value that is not text is converted to text; of an array, each element is tried and one match is enough.
    """
    overwrite = _captured(options) if context.again else frozenset(options.overwrite)
    rules = CaptureRules(options.target, overwrite, options.keep_empty_captures)
    patterns = _patterns(options)
    limit = _limit_s(options, patterns)
    stopped = _StoppedMatches(context.plugin_id, limit)
    fields = [(FieldRef(name), _tries(of_field, rules, options, limit)) for name, of_field in patterns.items()]
    fields = fields or [(FieldRef("message"), _tries([], rules, options, limit))]

    def grok(table: Table, rows: Rows, received_ns: int) -> Rows:
        (ref, try_first), *others = [(ref, bind(table)) for ref, bind in fields]
        values = table.values(ref)
        passed: list[int] = []
        for row in rows:
            value = values[row]
            try:
                matched = try_first(row, value) if type(value) is str else _try_value(try_first, row, value)
                for other, try_text in others:
                    if matched and options.break_on_match:
                        break
                    top = table.column(other.top)[row]  # as it is now: another field's captures may have changed it
                    matched |= _try_value(try_text, row, None if top is ABSENT else other.inside(top))
            except GrokTimeoutError:
                stopped.note()
                table.add_tag(row, options.tag_on_timeout)
                continue
            if matched:
                passed.append(row)
                continue
            for tag in options.tag_on_failure:
                table.add_tag(row, tag)
        return passed

    return grok


def _limit_s(options: Options, patterns: dict[str, list[GrokPattern]]) -> float | None:
    """Return the time limit of a match in seconds, None if there is none."""
    if options.timeout_millis >= 0:
        return options.timeout_millis / 1000 or None
    linear = all(pattern.safety.degree == 1 for of_field in patterns.values() for pattern in of_field)
    return DEFAULT_TIMEOUT_S if linear else _UNSAFE_TIMEOUT_S


class _StoppedMatches:
    """Logs matches that were stopped at their time limit, at most once a minute: each held up all other events."""

    def __init__(self, plugin_id: str, limit_s: float | None) -> None:
        self._plugin_id, self._limit_s = plugin_id, limit_s
        self._count, self._logged_at = 0, -math.inf

    def note(self) -> None:
        """Count one, and log how many there were."""
        self._count += 1
        if monotonic() - self._logged_at >= _LOG_SECONDS:
            text = "matches were stopped at their time limit; the pattern is too slow for some texts"
            log.warning(text, filter=self._plugin_id, matches=self._count, limit_s=self._limit_s)
            self._count, self._logged_at = 0, monotonic()


class _TimeLimit:
    """A limit of ``seconds`` for all patterns that are tried on a text, after `start`."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._end = seconds, math.inf

    def start(self) -> None:
        self._end = monotonic() + self._seconds

    def limited(self, search: Search) -> Search:
        """Return ``search`` as it is, but that it raises GrokTimeoutError after the limit."""

        def limited(text: str) -> Match | None:
            match = search(text)
            if monotonic() > self._end:
                raise GrokTimeoutError(self._seconds)
            return match

        return limited


def _tries(
    patterns: list[GrokPattern], rules: CaptureRules, options: Options, limit: float | None
) -> Callable[[Table], TryText]:
    """Return a function from a table to one that tries the patterns of a field in turn."""
    matchers, stores = [pattern.matcher(limit) for pattern in patterns], [make_store(one, rules) for one in patterns]
    time_limit = _TimeLimit(limit) if limit is not None and options.timeout_scope == "event" else None

    def tries(searches: list[Search]) -> list[tuple[int, str, Search, Store]]:
        searches = searches if time_limit is None else [*map(time_limit.limited, searches)]
        rows = zip(patterns, searches, stores, strict=True)
        return [
            (number, pattern.program.required, search, store[1]) for number, (pattern, search, store) in enumerate(rows)
        ]

    of_any = tries([matcher.search for matcher in matchers])
    of_line = tries([matcher.search_line for matcher in matchers])
    same, break_on_match = of_any == of_line, options.break_on_match

    def bind(table: Table) -> TryText:
        bound: list[list[Any] | None] = [None] * len(patterns)

        def try_text(row: int, text: str) -> bool:
            matched = False
            for number, required, search, store in of_any if same or "\n" in text else of_line:
                if required not in text or (match := search(text)) is None:
                    continue
                if (columns := bound[number]) is None:
                    columns = bound[number] = stores[number][0](table)
                if store(columns, row, match):
                    if break_on_match:
                        return True
                    matched = True
            return matched

        def try_in_time(row: int, text: str) -> bool:
            assert time_limit is not None  # noqa: S101 -- used only with one
            time_limit.start()
            return try_text(row, text)

        return try_text if time_limit is None else try_in_time

    return bind


def _try_value(try_text: TryText, row: int, value: Any) -> bool:
    """Try any value; a missing field counts as empty text."""
    if type(value) is not list:
        return try_text(row, to_s(None if value is ABSENT else value))
    matched = False
    for item in value:
        matched |= try_text(row, to_s(item))
    return matched
