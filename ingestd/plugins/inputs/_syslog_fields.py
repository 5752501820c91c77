"""The fields of syslog messages: from their text, with the names of Logstash's input ``syslog``.

Priorities, their labels and times are the same whether a message is parsed by ``ingestd.protocols.records.syslog`` or
with a grok pattern of the config.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ingestd.event.chunk import Chunk
from ingestd.event.fields import Event, FieldError, FieldRef
from ingestd.event.sprintf import Template
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.codecs._messages import MessagesCodec
from ingestd.plugins.filters import date as date_filter
from ingestd.plugins.filters import grok as grok_filter
from ingestd.plugins.filters._ruby import to_i
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, find
from ingestd.protocols.records.syslog import DEFAULT_PRIORITY, MAX_PRIORITY, SyslogMessage, parse_syslog, priority

FAILURE_TAG = "_grokparsefailure_sysloginput"
_DATE_FAILURE_TAG = "_dateparsefailure"

_TIME_FORMATS = [
    "MMM dd HH:mm:ss",
    "MMM  d HH:mm:ss",
    "MMM d HH:mm:ss",
    "ISO8601",
    "MMM dd HH:mm:ss.SSS",
    "MMM  d HH:mm:ss.SSS",
    "MMM dd HH:mm:ss.SSSSSS",
    "MMM  d HH:mm:ss.SSSSSS",
]

FACILITIES = [
    *("kernel", "user-level", "mail", "system", "security/authorization", "syslogd", "line printer", "network news"),
    *("UUCP", "clock", "security/authorization", "FTP", "NTP", "log audit", "log alert", "clock"),
    *(f"local{number}" for number in range(8)),
]
SEVERITIES = ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"]

_CACHED_PRIORITIES = 256


@dataclass(frozen=True, slots=True)
class FieldNames:
    """Where the parts of a message go."""

    priority: FieldRef
    severity: FieldRef
    severity_label: FieldRef
    facility: FieldRef
    facility_label: FieldRef
    host: FieldRef
    program: FieldRef
    pid: FieldRef
    version: FieldRef
    msgid: FieldRef
    structured_data: FieldRef
    sender: FieldRef

    def all(self) -> list[FieldRef]:
        """Return all of them."""
        return [getattr(self, name) for name in FieldNames.__dataclass_fields__]


LEGACY = FieldNames(
    priority=FieldRef("priority"),
    severity=FieldRef("severity"),
    severity_label=FieldRef("severity_label"),
    facility=FieldRef("facility"),
    facility_label=FieldRef("facility_label"),
    host=FieldRef("logsource"),
    program=FieldRef("program"),
    pid=FieldRef("pid"),
    version=FieldRef("syslog_version"),
    msgid=FieldRef("msgid"),
    structured_data=FieldRef("structured_data"),
    sender=FieldRef("host"),
)
ECS = FieldNames(
    priority=FieldRef("[log][syslog][priority]"),
    severity=FieldRef("[log][syslog][severity][code]"),
    severity_label=FieldRef("[log][syslog][severity][name]"),
    facility=FieldRef("[log][syslog][facility][code]"),
    facility_label=FieldRef("[log][syslog][facility][name]"),
    host=FieldRef("[host][hostname]"),
    program=FieldRef("[process][name]"),
    pid=FieldRef("[process][pid]"),
    version=FieldRef("[log][syslog][version]"),
    msgid=FieldRef("[log][syslog][msgid]"),
    structured_data=FieldRef("[log][syslog][structured_data]"),
    sender=FieldRef("[host][ip]"),
)
_PROCESS_ID = FieldRef("[log][syslog][procid]")
_ORIGINAL, _SERVICE = FieldRef("[event][original]"), FieldRef("[service][type]")
_TIME, _ISO_TIME, _MESSAGE = FieldRef("timestamp"), FieldRef("timestamp8601"), FieldRef("message")


@dataclass(frozen=True, slots=True)
class SyslogFields:
    """How messages become fields.

    Attributes:
        ecs: Use the names of the Elastic Common Schema.
        field: The field of the text.
        grok_pattern: Parses it; empty: RFC 3164 and 5424.
        timezone: Of times without one, as for the filter `date`.
        locale: Of the names of months.
        service_type: With ECS, `[service][type]` of events without one.
        labels: The names of facilities and severities; None: none.
    """

    ecs: bool
    field: FieldRef
    grok_pattern: str
    timezone: str
    locale: str
    service_type: str
    labels: tuple[Sequence[str], Sequence[str]] | None

    @property
    def names(self) -> FieldNames:
        """Where the parts of a message go."""
        return ECS if self.ecs else LEGACY

    def grok_options(self) -> grok_filter.Options:
        """Return the options of the filter that parses messages with the pattern of the config."""
        return grok_filter.Options(
            match={self.field.text: [self.grok_pattern]},
            overwrite=[self.field],
            tag_on_failure=[FAILURE_TAG],
            ecs_compatibility="v8" if self.ecs else "disabled",
        )

    def touches(self) -> Touch:
        """Return the fields that are read and set."""
        refs = [*self.names.all(), _MESSAGE, _TIME]
        if self.ecs:
            refs += [_PROCESS_ID, _ORIGINAL, _SERVICE]
        names = frozenset(ref.text for ref in refs)
        touch = Touch(reads=names | {self.field.text, "tags"}, sets=names | {"tags", "@timestamp"})
        if self.grok_pattern:
            spec = find("filter", "grok")
            assert spec is not None  # noqa: S101 -- it is imported above
            touch |= spec.touches(self.grok_options()) | Touch(reads=frozenset({_ISO_TIME.text}))
        return touch

    def stages(self, context: BuildContext) -> list[ColumnsFn]:
        """Return what to do with the events of a chunk, in this order.

        Raises:
            ValueError: An option is wrong; its text says which.
        """
        date = date_filter.build(
            date_filter.Options(
                match=[_TIME.text, *_TIME_FORMATS],
                timezone=Template(self.timezone),
                locale=Template(self.locale or "en"),
            ),
            context,
        )
        parse = self._with_grok(context) if self.grok_pattern else self._parser()
        return [parse, date]

    # RFC 3164 and 5424

    def _parser(self) -> ColumnsFn:
        field, fields_of_priority = self.field, self._fields_of_priority()
        fields = self._fields

        def parse(table: Table, rows: Rows, received_ns: int) -> Rows:
            texts = _without_nul(table, rows, field)
            events: list[Event] = []
            failed: list[int] = []
            for row, text in zip(rows, texts, strict=True):
                message = parse_syslog(text) if type(text) is str else None
                if message is None:
                    failed.append(row)
                    found = priority(text) if type(text) is str else None
                    events.append(fields_of_priority(DEFAULT_PRIORITY if found is None else found))
                else:
                    events.append(_merged(fields_of_priority(message.priority), fields(message)))
            _merge(table, rows, events)
            for row in failed:
                table.add_tag(row, FAILURE_TAG)
            return rows

        if not self.ecs:
            return parse

        def parse_ecs(table: Table, rows: Rows, received_ns: int) -> Rows:
            originals = _without_nul(table, rows, field)
            parse(table, rows, received_ns)
            self._complete(table, rows, originals)
            return rows

        return parse_ecs

    def _fields(self, message: SyslogMessage) -> Event:
        """Return the fields of a message but those of its priority, by their top-level names."""
        if self.ecs:
            return _ecs_fields(message)
        event: Event = {"message": message.message}
        for name, value in (
            ("timestamp", message.timestamp),
            ("logsource", message.host),
            ("program", message.program),
            ("pid", message.pid),
            ("msgid", message.msgid),
            ("syslog_version", message.version),
            ("structured_data", message.structured_data),
        ):
            if value:
                event[name] = value
        return event

    def _fields_of_priority(self) -> Callable[[int], Event]:
        names, labels = self.names, self.labels

        @lru_cache(maxsize=_CACHED_PRIORITIES)
        def fields(number: int) -> Event:
            facility, severity = divmod(number, 8)
            event: Event = {}
            names.priority.set(event, number)
            names.severity.set(event, severity)
            names.facility.set(event, facility)
            if labels is not None:
                for ref, texts, code in (
                    (names.facility_label, labels[0], facility),
                    (names.severity_label, labels[1], severity),
                ):
                    if 0 <= code < len(texts):
                        ref.set(event, texts[code])
            return event

        return fields

    def _complete(self, table: Table, rows: Rows, originals: Sequence[Any]) -> None:
        """Set, with ECS, the text as it came and the type of the service, unless they are there."""
        for ref, values in ((_ORIGINAL, originals), (_SERVICE, [self.service_type] * len(originals))):
            held, put = table.values(ref), table.setter(ref)
            for row, value in zip(rows, values, strict=True):
                if held[row] is None and value:
                    with suppress(FieldError):  # the event has another field of this name
                        put(row, value)

    # Grok

    def _with_grok(self, context: BuildContext) -> ColumnsFn:
        grok = grok_filter.build(self.grok_options(), context)
        names, fields_of_priority = self.names, self._fields_of_priority()
        ecs = self.ecs

        def parse(table: Table, rows: Rows, received_ns: int) -> Rows:
            originals = _without_nul(table, rows, self.field)
            matched = {*grok(table, rows, received_ns)}
            numbers = table.pick(table.values(names.priority), rows)
            events = [
                fields_of_priority(_number(value) if row in matched else DEFAULT_PRIORITY)
                for row, value in zip(rows, numbers, strict=True)
            ]
            _merge(table, rows, events)
            _unify_times(table, [row for row in rows if row in matched])
            if ecs:
                self._complete(table, rows, originals)
            return rows

        return parse


def _without_nul(table: Table, rows: Rows, field: FieldRef) -> list[Any]:
    """Return the texts of a field, after the NUL was removed with which Python's SysLogHandler ends each."""
    texts = [*table.pick(table.values(field), rows)]
    put = table.setter(field)
    for place, text in enumerate(texts):
        if type(text) is str and text.endswith("\0"):
            texts[place] = text.rstrip("\0")
            put(rows[place], texts[place])
    return texts


def _ecs_fields(message: SyslogMessage) -> Event:
    syslog: Event = {}
    event: Event = {"message": message.message}
    if message.version:
        syslog["version"] = str(message.version)
    if message.msgid:
        syslog["msgid"] = message.msgid
    if message.structured_data:
        syslog["structured_data"] = message.structured_data
    process: Event = {"name": message.program} if message.program else {}
    if message.pid.isdecimal() and message.pid.isascii():
        process["pid"] = int(message.pid)
    elif message.pid:
        syslog["procid"] = message.pid
    if process:
        event["process"] = process
    if message.host:
        event["host"] = {"hostname": message.host}
    if message.timestamp:
        event["timestamp"] = message.timestamp
    return event | ({"log": {"syslog": syslog}} if syslog else {})


def _number(value: Any) -> int:
    """Return a captured priority; what is none counts as the default."""
    value = value[0] if type(value) is list and value else value
    number = to_i(value) if type(value) is str else value
    return number if type(number) is int and 0 <= number <= MAX_PRIORITY else DEFAULT_PRIORITY


def _unify_times(table: Table, rows: Rows) -> None:
    """Let `timestamp` have the time that the stock patterns call `timestamp8601`; tag events that have neither."""
    times, others = table.column(_TIME.text), table.column(_ISO_TIME.text)
    missing = [row for row in rows if times[row] is ABSENT]
    put = table.setter(_TIME)
    for row in missing:
        if others[row] is ABSENT:
            table.add_tag(row, _DATE_FAILURE_TAG)
        else:
            put(row, others[row])


def _merge(table: Table, rows: Rows, events: Sequence[Event]) -> None:
    """Set the fields of each event, by their top-level names; objects are merged with those that are there."""
    for name in sorted(frozenset().union(*events)):
        before = table.pick(table.column(name), rows)
        after = [_merged(old, event.get(name, ABSENT)) for old, event in zip(before, events, strict=True)]
        table.replace(name, rows, after)


def _merged(old: Any, new: Any) -> Any:
    if new is ABSENT:
        return old
    if type(new) is dict and type(old) is dict:
        return old | {key: _merged(old.get(key, ABSENT), value) for key, value in new.items()}
    return new


class SyslogCodec(MessagesCodec):
    """Decodes messages, and then the syslog in them.

    Args:
        messages: Of ``MessagesCodec``.
        stages: Of ``SyslogFields``.
    """

    stages: Sequence[ColumnsFn] = ()

    def decode(self, chunk: Chunk) -> Table:
        """Return the events of all messages, with the fields of syslog."""
        table = super().decode(chunk)
        for stage in self.stages:
            stage(table, table.rows, chunk.time_ns)
        return table
