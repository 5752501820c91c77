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

from ingestd.event.fields import Event, FieldRef, add_tag
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.grok.compile import DEFAULT_TIMEOUT_S, GrokPattern, compile_grok
from ingestd.grok.engine import Matcher
from ingestd.grok.errors import GrokTimeoutError, PatternError
from ingestd.grok.library import load_library
from ingestd.logs import get_logger
from ingestd.plugins.filters._captures import CaptureRules, Store, StoreInRow, field_of, make_row_store, make_store
from ingestd.plugins.filters._each_event import each_event
from ingestd.plugins.filters._ruby import to_s
from ingestd.plugins.registry import BuildContext, ColumnsFn, FilterFn, Touch, filter_plugin, option

log = get_logger(__name__)

_UNSAFE_TIMEOUT_S = 1.0
_LOG_SECONDS = 60.0

_compile = lru_cache(maxsize=256)(compile_grok)  # shared by ``touches`` and ``build``

MatchField = Callable[[Event], bool]


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
    [*first], *more = patterns.values() or [[]]
    if len(first) == 1 and not more and (stored := make_row_store(first[0], rules)):
        return _one_pattern(FieldRef(*patterns), first[0].matcher(limit).search, *stored, options, stopped)
    fields = [
        (FieldRef(name), [(pattern.matcher(limit), make_store(pattern, rules)) for pattern in patterns_of_field])
        for name, patterns_of_field in patterns.items()
    ]
    deadline = limit if options.timeout_scope == "event" else None
    matches = [_match_field(ref, _try_all(pairs, options.break_on_match, deadline)) for ref, pairs in fields]
    grok = _many(matches, options.break_on_match, _tagger(options.tag_on_failure), options.tag_on_timeout, stopped)
    return each_event(grok, _touches(options))


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


def _tagger(tags: list[str]) -> Callable[[Event], bool] | None:
    """Return a function that tags an event without a match and returns False; None if there are no tags."""
    if not tags:
        return None

    def failed(event: Event) -> bool:
        for tag in tags:
            add_tag(event, tag)
        return False

    return failed


def _one_pattern(
    ref: FieldRef,
    search: Callable[[str], Any],
    names: list[str],
    store: StoreInRow,
    options: Options,
    stopped: _StoppedMatches,
) -> ColumnsFn:
    """Return the filter for the usual case: one pattern, whose captures are fields of the event."""
    tags, timeout_tag = options.tag_on_failure, options.tag_on_timeout

    def match_any(columns: list[list[Any]], row: int, value: Any) -> bool:
        matched = False
        for item in value if type(value) is list else [None if value is ABSENT else value]:
            if (match := search(to_s(item))) is not None:
                store(columns, row, match)
                matched = True
        return matched

    def grok(table: Table, rows: Rows, received_ns: int) -> Rows:
        values, columns = table.values(ref), [table.writable(name) for name in names]
        passed: list[int] = []
        for row in rows:
            value = values[row]
            try:
                if type(value) is str:
                    if (match := search(value)) is not None:
                        store(columns, row, match)
                        passed.append(row)
                        continue
                elif match_any(columns, row, value):
                    passed.append(row)
                    continue
            except GrokTimeoutError:
                stopped.note()
                table.add_tag(row, timeout_tag)
                continue
            for tag in tags:
                table.add_tag(row, tag)
        return passed

    return grok


def _many(
    matches: list[MatchField],
    break_on_match: bool,
    failed: Callable[[Event], bool] | None,
    timeout_tag: str,
    stopped: _StoppedMatches,
) -> FilterFn:
    """Return the filter for several fields or patterns."""

    def grok(event: Event) -> bool:
        matched = False
        try:
            for match_field in matches:
                if match_field(event):
                    matched = True
                    if break_on_match:
                        break
        except GrokTimeoutError:
            stopped.note()
            add_tag(event, timeout_tag)
            return False
        return matched or (failed is not None and failed(event))

    return grok


def _match_field(ref: FieldRef, try_text: Callable[[Event, str], bool]) -> MatchField:
    """Return a function that matches the value of ``ref``; a missing field counts as empty text."""

    def match_field(event: Event) -> bool:
        value = ref.get(event)
        if type(value) is list:
            matched = False
            for item in value:
                matched |= try_text(event, to_s(item))
            return matched
        return try_text(event, to_s(value))

    return match_field


def _try_all(
    pairs: list[tuple[Matcher, Store]], break_on_match: bool, deadline: float | None
) -> Callable[[Event, str], bool]:
    """Return a function that tries the patterns in turn, within ``deadline`` seconds in total."""
    tries = [(matcher.search, store) for matcher, store in pairs]

    def try_text(event: Event, text: str) -> bool:
        matched = False
        for search, store in tries:
            match = search(text)
            if match is not None and store(event, match):
                matched = True
                if break_on_match:
                    break
        return matched

    def try_in_time(event: Event, text: str) -> bool:
        assert deadline is not None  # noqa: S101 -- used only with a deadline
        end, matched = monotonic() + deadline, False
        for search, store in tries:
            match = search(text)
            if monotonic() > end:
                raise GrokTimeoutError(deadline)
            if match is not None and store(event, match):
                matched = True
                if break_on_match:
                    break
        return matched

    return try_text if deadline is None else try_in_time
