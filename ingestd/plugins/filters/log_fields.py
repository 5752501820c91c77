"""``log_fields``: give the records of all Python formatters the same field names.

Not in Logstash. The rest of the product looks for ``level``, ``logger_name``, ``stack_trace``, ``status_code`` and
more, as python-logstash names them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.fields import Event
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.filters._addresses import address_reader, first_address
from ingestd.plugins.filters._times import line_timestamper
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option
from ingestd.protocols.records.log_records import FIELDS, clients_of, conform, time_of

_SIGNS = FIELDS - {"message", "@timestamp"}
"""What a line of text has none of."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``log_fields``."""

    timezone: str = option(
        "", "Time zone of times in records that have none: `Asia/Seoul`, `+09:00`; default: the zone of this machine."
    )


def _touches(options: Options) -> Touch:
    return Touch(reads=frozenset({"logger_name"}), foreign=FIELDS, whole=frozenset({"extra", "log", "levelname"}))


@filter_plugin("log_fields", Options, touches=_touches, failure_tag="_logfields_error", columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Give a record python-logstash's field names: `level`, `logger_name`, `message`, `stack_trace`, `status_code`.

    Records of python-logstash-async (its default, Django and ECS formatters), ecs-logging, python-json-logger,
    json-log-formatter and structlog are recognised. Fields are moved, except those of the Elastic Common Schema, which
    are copied; one that has its right name is kept, and so is what a site adds under `extra`. Levels are written in
    capitals. `method`, `request_path`, `client_ip`, `user_agent` and `referrer` of a Django request are set where the
    formatter has them. A record without `@timestamp` gets the time in its `timestamp`, `time`, `asctime`, `ts` or
    `datetime`.
    """
    timestamp = line_timestamper(options.timezone)
    _, read = address_reader()

    def change(event: Event, received_ns: int) -> bool:
        clients = clients_of(event)
        changed = conform(event)
        if (time := time_of(event)) and "@timestamp" in event:
            event["@timestamp"] = timestamp(event["@timestamp"], time, received_ns)
        if clients and event.get("client_ip") is None:
            address, _ = first_address(",".join(clients), read)
            if address is not None:
                event["client_ip"] = address
        return changed

    def log_fields(table: Table, rows: Rows, received_ns: int) -> Rows:
        loggers, extras = table.column("logger_name"), table.column("extra")
        # The records of python-logstash have these names.
        rows = [row for row in rows if loggers[row] is ABSENT or extras[row] is not ABSENT]
        if not rows:
            return rows
        events = table.take(rows, table.decoded_names)
        rows = [row for row, event in zip(rows, events, strict=True) if not _SIGNS.isdisjoint(event)]
        events = [event for event in events if not _SIGNS.isdisjoint(event)]
        passed = [row for row, event in zip(rows, events, strict=True) if change(event, received_ns)]
        if rows:
            table.put_back(rows, events, {*table.decoded_names}.union(*events))
        return passed

    return log_fields
