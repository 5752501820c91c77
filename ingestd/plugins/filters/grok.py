"""``grok``: extract fields from text with named patterns.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-grok. One match is enough for
success; fields and patterns are tried in the order of the config, up to the first match or, without
``break_on_match``, all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from time import monotonic
from typing import Any

from ingestd.event.fields import Event, FieldRef
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.grok.advice import advise, reference_mistakes
from ingestd.grok.compile import DEFAULT_TIMEOUT_S, GrokPattern, compile_grok
from ingestd.grok.engine import Match
from ingestd.grok.errors import GrokTimeoutError, PatternError
from ingestd.grok.library import PatternLibrary, load_library, missing_paths
from ingestd.logs import get_logger
from ingestd.plugins.ecs import ecs_option, uses_ecs
from ingestd.plugins.filters._captures import CaptureRules, Captures, field_of
from ingestd.plugins.filters._grok_details import grok_details
from ingestd.plugins.filters._ruby import to_s
from ingestd.plugins.registry import (
    BuildContext,
    ColumnsFn,
    OptionError,
    OptionWarning,
    Touch,
    filter_plugin,
    ignored,
    option,
    refused,
)

log = get_logger(__name__)

_UNSAFE_TIMEOUT_S = 1.0
_LOG_SECONDS = 60.0

_compile = lru_cache(maxsize=256)(compile_grok)  # shared by ``touches`` and ``build``

Search = Callable[[str], Match | None]


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
    patterns_dir: list[str] = option(
        [], "Folders, files or wildcard paths with more patterns; later ones win, missing ones are ignored."
    )
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
    ecs_compatibility: str = ecs_option(
        "Field names of the stock patterns: those of old, or with `v1` or `v8` those of the Elastic Common Schema."
    )


def _library(options: Options) -> PatternLibrary:
    try:
        return load_library(
            options.patterns_dir, options.patterns_files_glob, options.pattern_definitions, ecs=uses_ecs(options)
        )
    except PatternError as error:
        raise ValueError(str(error)) from None


def _patterns(options: Options) -> dict[str, list[GrokPattern]]:
    """Return the compiled patterns of each field. Raises ValueError, with the pattern, if one is invalid."""
    library = _library(options)
    compiled: dict[str, list[GrokPattern]] = {}
    for field, texts in options.match.items():
        compiled[field] = patterns = []
        for text in texts:
            try:
                patterns.append(_compile(text, library, options.named_captures_only))
            except PatternError as error:
                missing = missing_paths(options.patterns_dir, options.patterns_files_glob)
                hint = f"there is no pattern file at {', '.join(missing)}" if missing and error.unknown else ""
                shown = text.replace("\n", "\\n")
                raise OptionError(f"pattern '{shown}': {error}", text, hint) from None
    return compiled


def _captured(options: Options) -> frozenset[FieldRef]:
    """Return the fields that the patterns set."""
    patterns = (pattern for field_patterns in _patterns(options).values() for pattern in field_patterns)
    return frozenset(field_of(capture, options.target) for pattern in patterns for capture in pattern.captures)


def _touches(options: Options) -> Touch:
    captured = {ref.text for ref in _captured(options)}
    tags = {"tags"} if options.tag_on_failure or options.timeout_millis else set()
    return Touch(reads=frozenset(options.match), sets=frozenset(captured | tags))


def _warnings(options: Options) -> Iterator[OptionWarning]:
    """Yield a warning for each path without patterns, each likely mistake, and each pattern that could be quicker."""
    for path in missing_paths(options.patterns_dir, options.patterns_files_glob):
        text = f"there is no pattern file at {path}"
        yield OptionWarning("patterns_dir", text, "it is ignored, as in Logstash", value=path)
    for patterns in _patterns(options).values():
        for pattern in patterns:
            for mistake in reference_mistakes(pattern.text):
                yield OptionWarning("match", mistake.text, mistake.hint, mistake.start, mistake.length, pattern.text)
            if pattern.safety.degree != 1 and (
                advice := advise(pattern, _library(options), options.pattern_definitions)
            ):
                text = f"{pattern.safety.describe()}; long values are matched under a time-out"
                yield OptionWarning("match", text, advice, value=pattern.text)


def _trace_details(options: Options) -> Callable[[Event], Iterator[str]]:
    patterns, library = _patterns(options), _library(options)
    return lambda event: grok_details(patterns, library, event, break_on_match=options.break_on_match)


_LEGACY = {
    "singles": ignored("a single capture is always a value, never an array"),
    "pattern": refused('write match => { "message" => "..." }'),
}


@filter_plugin(
    "grok",
    Options,
    legacy=_LEGACY,
    touches=_touches,
    failure_tag="_grokparsefailure",
    columns=True,
    option_warnings=_warnings,
    trace_details=_trace_details,
)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Match fields against patterns and set the fields that the patterns name.

    A value that is not text is converted to text; of an array, each element is tried and one match is enough.
    """
    overwrite = _captured(options) if context.again else frozenset(options.overwrite)
    rules = CaptureRules(options.target, overwrite, options.keep_empty_captures)
    patterns = _patterns(options)
    limit = _limit_s(options, patterns)
    stopped_matches = _StoppedMatches(context.plugin_id, limit)
    fields = [_FieldPatterns(FieldRef(name), of_field, rules, options, limit) for name, of_field in patterns.items()]
    fields = fields or [_FieldPatterns(FieldRef("message"), [], rules, options, limit)]

    def grok(table: Table, rows: Rows, received_ns: int) -> Rows:
        left, matched, stopped = rows, set[int](), set[int]()
        for field in fields:
            hits, too_slow = field.match(table, left)
            if len(hits) == len(rows) and not too_slow and options.break_on_match:  # usually
                return rows
            matched.update(hits)
            stopped.update(too_slow)
            done = stopped | matched if options.break_on_match else stopped
            left = [row for row in left if row not in done]
        for row in rows:
            if row in stopped:
                stopped_matches.note()
                table.add_tag(row, options.tag_on_timeout)
            elif row not in matched:
                for tag in options.tag_on_failure:
                    table.add_tag(row, tag)
        return [row for row in rows if row in matched and row not in stopped]

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


class _FieldPatterns:
    """The patterns for one field, which are tried in turn."""

    def __init__(
        self, ref: FieldRef, patterns: list[GrokPattern], rules: CaptureRules, options: Options, limit: float | None
    ) -> None:
        self._ref, self._break_on_match = ref, options.break_on_match
        self._scope = _TimeLimit(limit) if limit is not None and options.timeout_scope == "event" else None
        matchers = [pattern.matcher(limit) for pattern in patterns]

        def tries(searches: list[Search]) -> list[tuple[str, Search, Captures]]:
            searches = searches if self._scope is None else [*map(self._scope.limited, searches)]
            required = [pattern.program.required for pattern in patterns]
            return [*zip(required, searches, captures, strict=True)]

        captures = [Captures(pattern, rules) for pattern in patterns]
        self._of_any = tries([matcher.search for matcher in matchers])
        self._of_line = tries([matcher.search_line for matcher in matchers])

    def match(self, table: Table, rows: Rows) -> tuple[Rows, Rows]:
        """Set the fields of matches; return the rows where a pattern matched, and those where it took too long."""
        values = table.pick(table.values(self._ref), rows)
        if self._scope is None and {*map(type, values)} == {str}:
            return self._match_texts(table, rows, values)
        texts: dict[int, str] = {}
        matched, stopped = list[int](), list[int]()
        for row, value in zip(rows, values, strict=True):
            if self._scope is None and type(value) is str:
                texts[row] = value
                continue
            hits, too_slow = self._match_value(table, row, value)
            matched += hits
            stopped += too_slow
        hits, too_slow = self._match_texts(table, [*texts], [*texts.values()])
        return [*matched, *hits], [*stopped, *too_slow]

    def _match_value(self, table: Table, row: int, value: Any) -> tuple[Rows, Rows]:
        """Match any value; a missing field counts as empty text, and each item of an array is tried."""
        matched: Rows = ()
        for item in value if type(value) is list else (None if value is ABSENT else value,):
            if self._scope is not None:
                self._scope.start()
            hits, stopped = self._match_texts(table, (row,), (to_s(item),))
            matched = hits or matched
            if stopped:
                return matched, stopped
        return matched, ()

    def _match_texts(self, table: Table, rows: Rows, texts: Sequence[str]) -> tuple[Rows, Rows]:
        """Match texts; each pattern is tried on all of them that are left."""
        matched, stopped = list[int](), list[int]()
        whole = "\0".join(texts)
        for required, search, captures in self._of_any if "\n" in whole else self._of_line:
            if required not in whole:
                continue
            hits, matches, too_slow = list[int](), list[Match](), list[int]()
            for row, text in zip(rows, texts, strict=True):
                try:
                    if required in text and (match := search(text)) is not None:
                        hits.append(row)
                        matches.append(match)
                except GrokTimeoutError:
                    too_slow.append(row)
            stored = captures.store(table, rows if len(hits) == len(rows) else hits, matches) if hits else ()
            matched += stored
            stopped += too_slow
            if done := {*stored, *too_slow} if self._break_on_match else {*too_slow}:
                left = [row not in done for row in rows]
                rows, texts = [*compress(rows, left)], [*compress(texts, left)]
            if not rows:
                break
        return matched, stopped
