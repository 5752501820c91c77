"""``problem``: which problem an error is, so that errors of the same cause are counted together.

Not in Logstash. Errors are grouped as Sentry does: by the type of the exception and the innermost frame of the site's
own code (https://docs.sentry.io/concepts/data-management/event-grouping/); without a trace, by their message.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT, Column, Rows, Table, is_absent
from ingestd.plugins.filters._problem_groups import Paths, Problem, grouper
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option
from ingestd.protocols.records.log_records import with_cause
from ingestd.protocols.records.tracebacks import has_traceback

_PROBLEM, _TITLE = "problem", "problem_title"
_LEVELS = tuple(FieldRef(name) for name in ("level", "[log][level]", "log.level"))
_TYPES = tuple(FieldRef(name) for name in ("error_type", "[error][type]", "error.type"))
_CAUSES = tuple(FieldRef(name) for name in ("[error][message]", "error.message"))
"""Names of the Elastic Common Schema are nested, or have dots as ecs-logging writes them."""

_SOURCES = ("stack_trace", "[error][stack_trace]", "error.stack_trace", "exc_info", "exc_text", "traceback")


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``problem``."""

    source: list[FieldRef] = option(
        [FieldRef(name) for name in _SOURCES],
        "Fields that may have a stack trace; the first that has one is used, else `message`.",
    )
    message: FieldRef = option(FieldRef("message"), "Field with the message.")
    levels: list[str] = option(
        ["ERROR", "CRITICAL", "FATAL", "SEVERE", "ALERT", "EMERGENCY"],
        "Levels of errors, in any case. Records of other levels are a problem only if they have a stack trace.",
    )
    own: list[str] = option(
        [],
        "Paths of the site's own code, with `*` as a wildcard: `/srv/shop/*`. Default: all paths outside libraries. "
        "Titles leave out what comes before the wildcard.",
    )
    library: list[str] = option(
        [],
        "Paths of libraries, with `*` as a wildcard, besides `site-packages`, `dist-packages`, Python's own and "
        "`node_modules`.",
    )


def _touches(options: Options) -> Touch:
    refs = [*options.source, options.message, *_LEVELS, *_TYPES, *_CAUSES]
    sets = frozenset({_PROBLEM, _TITLE})
    return Touch(reads=frozenset({ref.text for ref in refs} | {"visit"}) | sets, sets=sets)


@filter_plugin("problem", Options, touches=_touches, columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Find out which problem an error is: set `problem`, a short id, and `problem_title`.

    Errors with the same exception in the same function of the site's own code are the same problem, whatever line,
    release, number, id or address they have. Of chained exceptions the last counts. Without a trace of Python the
    message counts, with numbers, ids, addresses and quoted texts masked. Access lines are not problems: the record of
    the error itself is. A record that has a `problem` keeps it.
    """
    names = {level.upper() for level in options.levels}
    severe = names | {level.lower() for level in names} | {level.title() for level in names}
    group_of = grouper(Paths(tuple(options.own), tuple(options.library)))
    again = context.again

    def problem(table: Table, rows: Rows, received_ns: int) -> Rows:
        levels, messages = _first_of(table, _LEVELS), table.values(options.message)
        traces = _traces(table, rows, options.source)
        errors = [
            row
            for row in rows
            if (level in severe if type(level := levels[row]) is str else _has_severe(level, severe))
            or row in traces
            or ((type(level) is not str or not level) and _is_missing(level) and _has_traceback(messages[row]))
        ]
        if not errors:
            return errors
        known, titles, visits = table.column(_PROBLEM), table.column(_TITLE), table.column("visit")
        types, causes = _first_of(table, _TYPES), _first_of(table, _CAUSES)
        found: dict[int, Problem] = {}
        for row in errors:
            message = messages[row] if type(messages[row]) is str else ""
            trace = traces.get(row) or (message if has_traceback(message) else "")
            if not _is_missing(known[row]) and not (again and not _is_missing(titles[row])):
                continue  # the record's own
            if not trace and visits[row] in (True, "true"):
                continue
            trace = with_cause(trace, types[row], causes[row]) if trace else trace
            if group := group_of(trace, message, types[row] if type(types[row]) is str else ""):
                found[row] = group
        _put(table, _PROBLEM, {row: group.id for row, group in found.items()})
        _put(table, _TITLE, {row: group.title for row, group in found.items() if again or _is_missing(titles[row])})
        return [*found]

    return problem


def _first_of(table: Table, refs: Sequence[FieldRef]) -> Column:
    """Return the values of a field, and of the next ones where an event lacks it."""
    values = table.values(refs[0])
    for ref in refs[1:]:
        if not is_absent(table.column(ref.top)):
            others = table.values(ref)
            values = [second if _is_missing(first) else first for first, second in zip(values, others, strict=True)]
    return values


def _traces(table: Table, rows: Rows, sources: list[FieldRef]) -> dict[int, str]:
    """Return the first stack trace of each event that has one."""
    traces: dict[int, str] = {}
    for ref in sources:
        if not is_absent(table.column(ref.top)):
            values = table.values(ref)
            traces = {row: text for row in rows if type(text := values[row]) is str and text} | traces
    return {row: trace for row, trace in traces.items() if "\n" in trace.strip()}


def _has_traceback(message: Any) -> bool:
    return type(message) is str and has_traceback(message)


def _is_missing(value: Any) -> bool:
    return value is ABSENT or value in (None, "", [])


def _has_severe(level: Any, severe: Set[str]) -> bool:
    """Return whether an element of an array of levels is one of those."""
    return type(level) is list and any(type(part) is str and part in severe for part in level)


def _put(table: Table, name: str, values: dict[int, str]) -> None:
    """Set a field in the rows of ``values``."""
    if values:
        column = table.writable(name)
        for row, value in values.items():
            column[row] = value
