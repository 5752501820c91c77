"""``access_line``: find the request that a record is about, and mark the records that count as visits.

Not in Logstash. One record of each request is written by the server that answered it: its access line. Django's
``django.request`` logs some of the requests once more, with a reason; both have the path and the status, but only the
access line is a visit. The forms of the lines are in ``ingestd/protocols/access_lines.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingestd.event.fields import Event, FieldRef
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.filters._addresses import address_reader, first_address
from ingestd.plugins.filters._times import line_timestamper
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option
from ingestd.protocols.access_lines import (
    AccessDetails,
    AccessLine,
    access_time,
    leading_time,
    parse_access_line,
    unescaped,
)
from ingestd.protocols.access_records import FIELDS, parse_access_record

_request_repr = re.compile(r"<(?:[AW]SGIRequest|[\w.]{1,100}\.Request): ([A-Z][A-Z-]{0,30}) (['\"])(/.*)\2>", re.DOTALL)

_FORWARDED = ("x_forwarded_for", "HTTP_X_FORWARDED_FOR")
_ABOUT_REQUESTS = frozenset(["request", "method", "request_path", "client_ip", *_FORWARDED])
"""A record with one of these that is no access line is marked as no visit; so is one of a logger that has a status."""
_PARSED = ("method", "request_path", "status_code", "bytes", "user_agent", "referrer", "duration_ms")
_SETS = frozenset([*_PARSED, "client_ip", "visit", "@timestamp", "message"])
_CACHED_LOGGERS = 1000
_MAX_DIGITS = 18  # of a size: more do not fit 64 bits

Describe = Callable[[Event, AccessDetails, int], None]
"""Sets the fields that not every server writes; the last argument is the time of receipt."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``access_line``."""

    source: FieldRef = option(FieldRef("message"), "Field with the text of the record.")
    request: FieldRef = option(
        FieldRef("request"), "Field with Django's request as text: `<WSGIRequest: GET '/search?q=x'>`."
    )
    timezone: str = option(
        "", "Time zone of times in lines that have none: `Asia/Seoul`, `+09:00`; default: the zone of this machine."
    )
    outgoing_loggers: list[str] = option(
        [
            *("urllib3", "requests", "httpx", "httpcore", "aiohttp.client", "botocore", "boto3", "s3transfer"),
            *("elasticsearch", "elastic_transport", "opensearch", "opensearchpy", "googleapiclient", "stripe"),
        ],
        "Loggers, each with those below it, of requests that go out; they are no visits.",
    )


def _touches(options: Options) -> Touch:
    reads = {options.source.text, options.request.text, "logger_name", *_ABOUT_REQUESTS}
    return Touch(reads=frozenset(reads) | _SETS, sets=_SETS, foreign=FIELDS)


@filter_plugin("access_line", Options, touches=_touches, failure_tag="_accessline_error", columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Read the access line of a web server: which request was answered, to whom, and how.

    Sets `method`, `request_path` (with its query), `status_code`, and as far as the line has them `bytes`,
    `client_ip`, `user_agent`, `referrer` and `duration_ms`; fields that a record already has are kept. `visit` is
    `true` for an access line, and `false` for any other record about a request, such as those of `django.request`,
    whose method and path are read from `request`. Records that have `visit` keep it; one that is not about a request
    gets none.

    Lines are recognised of Django's and channels' `runserver`, gunicorn, uvicorn, daphne, hypercorn, granian, uWSGI,
    waitress, nginx, Apache and Traefik, and JSON records of nginx, Caddy and Traefik. A whole number after the user
    agent is taken for microseconds (`%(D)s` of gunicorn, `%D` of Apache), one with a fraction for seconds (`%(L)s`,
    nginx's `$request_time`).

    If the record came without a timestamp, as plain text does, the time in the line becomes `@timestamp`: that of an
    access line, or an ISO 8601 time at the start of any other line.
    """
    is_outgoing = _outgoing(options.outgoing_loggers)
    change, again = _changer(options, again=context.again), context.again

    def access_line(table: Table, rows: Rows, received_ns: int) -> Rows:
        texts, loggers, requests = (
            table.values(options.source),
            table.column("logger_name"),
            table.values(options.request),
        )
        lines: list[tuple[int, AccessLine]] = []
        matches: list[tuple[int, re.Match[str]]] = []
        others: list[tuple[int, Any, AccessLine | None, bool]] = []
        outgoing = {logger for logger in loggers if type(logger) is str and is_outgoing(logger)}
        for row in rows:
            text, logger = texts[row], loggers[row]
            line = parse_access_line(text) if type(text) is str else None
            if line is not None and type(logger) is not str and "\\" in text:
                line = unescaped(text, line)
            goes_out = bool(outgoing) and type(logger) is str and logger in outgoing
            if line is None and logger is not ABSENT and (match := _parse_request(requests[row])):
                matches.append((row, match))
            elif line is None or line[4] is not None or goes_out or again:
                others.append((row, text, line, goes_out))
            else:
                lines.append((row, line))
        _store_lines(table, lines)
        _store_requests(table, matches)
        passed = [row for row, _ in lines] + [row for row, _ in matches]
        if others:
            events = table.take([other[0] for other in others], table.decoded_names)
            for event, (row, text, line, goes_out) in zip(events, others, strict=True):
                if change(event, text, line, goes_out, received_ns):
                    passed.append(row)
            table.put_back([other[0] for other in others], events, {*table.decoded_names}.union(*events))
        return passed

    return access_line


def _store_lines(table: Table, lines: list[tuple[int, AccessLine]]) -> None:
    """Set the fields that every access line has, but none that is there, as ``_store`` does."""
    methods, paths, visits = map(table.writable, ("method", "request_path", "visit"))
    statuses, sizes = map(table.column, ("status_code", "bytes"))
    for row, (method, path, status, size, _) in lines:
        if methods[row] is ABSENT:
            methods[row] = method
        if paths[row] is ABSENT:
            paths[row] = path
        if statuses[row] is ABSENT:
            statuses = table.writable("status_code")
            statuses[row] = int(status)
        if sizes[row] is ABSENT and size.isdecimal() and len(size) <= _MAX_DIGITS:
            sizes = table.writable("bytes")
            sizes[row] = int(size)
        if visits[row] is ABSENT:
            visits[row] = True


def _store_requests(table: Table, matches: list[tuple[int, re.Match[str]]]) -> None:
    """Set the fields of Django's requests that were no visits."""
    methods, paths, visits = map(table.writable, ("method", "request_path", "visit"))
    for row, match in matches:
        if methods[row] is ABSENT:
            methods[row] = match[1]
        if paths[row] is ABSENT:
            paths[row] = match[3]
        if visits[row] is ABSENT:
            visits[row] = False


def _changer(options: Options, *, again: bool) -> Callable[[Event, Any, AccessLine | None, bool, int], bool]:
    """Return a function that sets the fields of an event, given its text, the line in it, and whether that went out."""
    describe = _describer(line_timestamper(options.timezone))
    unmatched = _unmatched(options.request, describe)

    def change(event: Event, text: Any, line: AccessLine | None, goes_out: bool, received_ns: int) -> bool:
        if line is None:
            return unmatched(event, text, received_ns)
        if goes_out:
            event.setdefault("visit", False)
            return False
        if again:
            for field in _PARSED:
                event.pop(field, None)
        _store(event, line)
        if line[4] is not None:
            describe(event, line[4], received_ns)
        return True

    return change


def _parse_request(value: Any) -> re.Match[str] | None:
    """Return the match of Django's request as text, None if it is not that."""
    return _request_repr.fullmatch(value) if type(value) is str else None


def _store(event: Event, line: AccessLine) -> None:
    """Set the fields that every access line has, but none that is there."""
    method, path, status, size, _ = line
    if "method" not in event:
        event["method"] = method
    if "request_path" not in event:
        event["request_path"] = path
    if "status_code" not in event:
        event["status_code"] = int(status)
    if "bytes" not in event and size.isdecimal() and len(size) <= _MAX_DIGITS:
        event["bytes"] = int(size)
    if "visit" not in event:
        event["visit"] = True


def _unmatched(request: FieldRef, describe: Describe) -> Callable[[Event, Any, int], bool]:
    """Return a function for the records without an access line in their text."""

    def unmatched(event: Event, text: Any, received_ns: int) -> bool:
        if "logger_name" not in event:
            if (line := parse_access_record(event)) is not None:
                return _record(event, line, describe, received_ns)
            if type(text) is str and (time := access_time(text) or leading_time(text)):
                describe(event, AccessDetails(time=time), received_ns)
        match = _parse_request(request.get(event))
        if match is not None:
            event.setdefault("method", match[1])
            event.setdefault("request_path", match[3])
        if _is_about_request(event, text):
            event.setdefault("visit", False)
        return match is not None

    return unmatched


def _is_about_request(event: Event, text: Any) -> bool:
    """Return whether a record without an access line is about a request, or a line about an invalid one."""
    if not _ABOUT_REQUESTS.isdisjoint(event) or ("status_code" in event and "logger_name" in event):
        return True
    return type(text) is str and '"' in text and access_time(text) != ""


def _record(event: Event, line: AccessLine, describe: Describe, received_ns: int) -> bool:
    """Set the fields of a JSON access record."""
    _store(event, line)
    if not event.get("message"):
        event["message"] = " ".join(line[:3])
    if line[4] is not None:
        describe(event, line[4], received_ns)
    return True


def _outgoing(loggers: list[str]) -> Callable[[str], bool]:
    """Return a function that says whether a logger, or one above it, is in the list."""
    known: dict[str, bool] = {}
    prefixes = tuple(f"{logger}." for logger in loggers)

    def is_outgoing(logger: str) -> bool:
        if logger in known:
            return known[logger]
        answer = f"{logger}.".startswith(prefixes)
        if len(known) < _CACHED_LOGGERS:
            known[logger] = answer
        return answer

    return is_outgoing


def _describer(set_timestamp: Callable[[Event, str, int], None]) -> Describe:
    """Return a function that sets the fields that not every server writes."""
    known, read = address_reader()

    def describe(event: Event, details: AccessDetails, received_ns: int) -> None:
        client, time, referrer, agent, forwarded, duration = details
        if time:
            set_timestamp(event, time, received_ns)
        if referrer and "referrer" not in event:
            event["referrer"] = referrer
        if agent and "user_agent" not in event:
            event["user_agent"] = agent
        if duration is not None and "duration_ms" not in event:
            event["duration_ms"] = duration
        # A record with the header as a field has a better source than a line, where the client may be a proxy.
        if (client or forwarded) and event.get("client_ip") is None and not any(name in event for name in _FORWARDED):
            address, public = first_address(forwarded, read) if forwarded else (None, False)
            if not public:
                address = _client(client, known, read) or address
            if address is not None:
                event["client_ip"] = address

    return describe


def _client(
    client: str, known: dict[str, tuple[str | None, bool]], read: Callable[[str], tuple[str | None, bool]]
) -> str | None:
    """Return the address of ``address``, ``address:port`` or ``[address]:port``."""
    if client in known:
        return known[client][0]
    if client.count(":") == 1:
        client = client.partition(":")[0]
    elif client[:1] == "[":
        client = client[1:].partition("]")[0]
    address = read(client)[0]
    return address if address is not None or ":" not in client else read(client.rpartition(":")[0])[0]
