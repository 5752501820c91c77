"""``syslog_pri``: split the priority of a syslog message into facility and severity.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-syslog_pri and the plugin's version 3.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.ecs import ecs_option, ecs_select
from ingestd.plugins.filters._ruby import to_i
from ingestd.plugins.filters._trees import Tree, copier, put_tree, set_in
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option

_FACILITIES = [
    "kernel",
    "user-level",
    "mail",
    "daemon",
    "security/authorization",
    "syslogd",
    "line printer",
    "network news",
    "uucp",
    "clock",
    "security/authorization",
    "ftp",
    "ntp",
    "log audit",
    "log alert",
    "clock",
    *(f"local{number}" for number in range(8)),
]
_SEVERITIES = ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"]
_FAILURE_TAG = "_syslogpriparsefailure"
_DEFAULT = 13  # user-level, notice
_MAX = 2**63
_CACHED_PRIORITIES, _CACHED_CHARS = 256, 8


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``syslog_pri``."""

    syslog_pri_field_name: FieldRef | None = option(
        None, "Field with the priority; default: `syslog_pri`, or with ECS `[log][syslog][priority]`."
    )
    use_labels: bool = option(True, "Set the names of facility and severity as well.")
    facility_labels: list[str] = option(_FACILITIES, "Names of the facilities, from 0.")
    severity_labels: list[str] = option(_SEVERITIES, "Names of the severities, from 0.")
    ecs_compatibility: str = ecs_option("With `v1` or `v8` the fields are those of ECS, in `[log][syslog]`.")


@dataclass(frozen=True, slots=True)
class _Fields:
    priority: FieldRef
    severity_code: FieldRef
    severity: FieldRef
    facility_code: FieldRef
    facility: FieldRef


_LEGACY = ("syslog_pri", "syslog_severity_code", "syslog_severity", "syslog_facility_code", "syslog_facility")
_ECS = (
    "[log][syslog][priority]",
    "[log][syslog][severity][code]",
    "[log][syslog][severity][name]",
    "[log][syslog][facility][code]",
    "[log][syslog][facility][name]",
)


def _fields(options: Options) -> _Fields:
    priority, *others = map(FieldRef, ecs_select(options, disabled=_LEGACY, ecs=_ECS))
    return _Fields(options.syslog_pri_field_name or priority, *others)


def _touches(options: Options) -> Touch:
    fields = _fields(options)
    written = (fields.severity_code, fields.severity, fields.facility_code, fields.facility)
    sets = frozenset(ref.text for ref in written)
    return Touch(reads=sets | {fields.priority.text}, sets=sets | {"tags"})


@filter_plugin("syslog_pri", Options, touches=_touches, failure_tag=_FAILURE_TAG, columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Set facility and severity from the priority of a syslog message.

    Of an array the first item counts; without a priority it is 13 (user-level, notice). A priority whose facility has
    no label, or that is not a number, gets the tag `_syslogpriparsefailure`.
    """
    fields = _fields(options)

    def labels(value: Any) -> _Labels:
        facility, severity = divmod(_priority(value), 8)
        tree: Tree = {}
        set_in(tree, fields.facility_code, facility)
        set_in(tree, fields.severity_code, severity)
        is_known = facility < len(options.facility_labels)
        if options.use_labels and is_known:
            _set_label(tree, fields.facility, options.facility_labels, facility)
            _set_label(tree, fields.severity, options.severity_labels, severity)
        return _Labels(copier(tree), is_known or not options.use_labels)

    cached = lru_cache(_CACHED_PRIORITIES)(labels)

    def syslog_pri(table: Table, rows: Rows, received_ns: int) -> Rows:
        values = table.pick(table.values(fields.priority), rows)
        for row, value in zip(rows, values, strict=True):
            found = cached(value) if type(value) is str and len(value) <= _CACHED_CHARS else labels(value)
            if not found.is_known:
                table.add_tag(row, _FAILURE_TAG)
            put_tree(table, row, found.make_tree())
        return rows

    return syslog_pri


class _Labels(NamedTuple):
    """What a priority says: a function that makes a new tree of the fields, and whether the facility has a label."""

    make_tree: Callable[[], Tree]
    is_known: bool


def _priority(value: Any) -> int:
    """Return the number in the field.

    Raises:
        ValueError: It is neither text nor a number, or too large to be stored.
    """
    if type(value) is list:
        value = value[0] if value else 0
        value = 0 if value is None else value
    if value is ABSENT or value is None or value is False:
        return _DEFAULT
    if type(value) not in (str, int, float):
        raise ValueError(f"the priority {value!r} is not a number")
    number = to_i(value) if type(value) is str else int(value)
    if not -_MAX <= number < _MAX:
        raise ValueError("the priority has more than 64 bits")
    return number


def _set_label(tree: Tree, ref: FieldRef, labels: list[str], code: int) -> None:
    if -len(labels) <= code < len(labels):
        set_in(tree, ref, labels[code])
