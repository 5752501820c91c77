"""``access_line``: find the request that a record is about, and mark the records that count as visits.

Not in Logstash. One record of each request is written by the server that answered it: its access line. Django's
``django.request`` logs some of the requests once more, with a reason; both have the path and the status, but only the
access line is a visit. The forms of the lines are in ``ingestd/protocols/records/access_lines.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.filters._addresses import address_reader, first_address
from ingestd.plugins.filters._times import line_timestamper
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option
from ingestd.protocols.records.access_lines import (
    AccessDetails,
    AccessLine,
    access_time,
    find_access_line,
    leading_time,
    parse_access_lines,
    unescaped,
)
from ingestd.protocols.records.access_records import FIELDS, MARKS, parse_access_record

_request_repr = re.compile(r"<(?:[AW]SGIRequest|[\w.]{1,100}\.Request): ([A-Z][A-Z-]{0,30}) (['\"])(/.*)\2>", re.DOTALL)

_FORWARDED = ("x_forwarded_for", "HTTP_X_FORWARDED_FOR")
_ABOUT_REQUESTS = frozenset(["request", "method", "request_path", "client_ip", *_FORWARDED])
"""A record with one of these that is not an access line is not a visit, nor is one with a logger and a status."""
_PARSED = ("method", "request_path", "status_code", "bytes", "user_agent", "referrer", "duration_ms")
_SETS = frozenset([*_PARSED, "client_ip", "visit", "@timestamp", "message"])
_CACHED_LOGGERS = 1000
_MAX_DIGITS = 18  # of a size: more do not fit 64 bits

Describe = Callable[[Table, Rows, Sequence[AccessDetails], int], None]
"""Sets the fields that not every server writes in some rows; the last argument is the time of receipt."""


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
        "Loggers of outgoing requests, each with its child loggers; these requests are not visits.",
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
    is_outgoing, again = _outgoing(options.outgoing_loggers), context.again
    describe = _describer(line_timestamper(options.timezone))

    def access_line(table: Table, rows: Rows, received_ns: int) -> Rows:
        texts, loggers = (
            table.pick(column, rows) for column in (table.values(options.source), table.column("logger_name"))
        )
        lines: list[Any] = parse_access_lines(texts)
        visits: list[Any] = [True] * len(lines)
        unmatched = _find_in_access_logs(lines, texts, loggers)
        if {*map(type, loggers)} == {str}:
            names = {*loggers}
        else:
            names = {logger for logger in loggers if type(logger) is str}
            lines = [*map(_unescaped, lines, texts, loggers)]
        if outgoing := {*filter(is_outgoing, names)}:
            for number, logger in enumerate(loggers):
                if type(logger) is str and logger in outgoing and lines[number][0]:
                    lines[number], visits[number] = _NO_REQUEST, False
        if again:
            _remove_parsed(table, [row for row, line in zip(rows, lines, strict=True) if line[0]])
        if unmatched:
            request_of = _requests(table, options.request)
            for number in unmatched:
                lines[number], visits[number] = request_of(rows[number], texts[number])
        methods, paths, statuses, sizes, details = zip(*lines, strict=True)
        table.fill("method", rows, methods)
        table.fill("request_path", rows, paths)
        table.fill("visit", rows, visits)
        _fill_numbers(table, rows, statuses, sizes)
        if any(details):
            described = [row for row, found in zip(rows, details, strict=True) if found]
            describe(table, described, [found for found in details if found], received_ns)
        return [*compress(rows, methods)]

    return access_line


_NO_REQUEST = (ABSENT, ABSENT, "", "", None)


def _find_in_access_logs(lines: list[AccessLine], texts: Sequence[Any], loggers: Sequence[Any]) -> list[int]:
    """Set the lines of loggers whose records are all access lines, in a format that the user may have chosen.

    Returns the numbers of the records that have no access line.
    """
    unmatched = [number for number, line in enumerate(lines) if not line[0]]
    found = False
    for number in unmatched:
        if type(logger := loggers[number]) is str and logger.endswith(".access") and type(texts[number]) is str:
            lines[number] = find_access_line(texts[number]) or lines[number]
            found = True
    return [number for number in unmatched if not lines[number][0]] if found else unmatched


def _unescaped(line: AccessLine, text: Any, logger: Any) -> AccessLine:
    """Return a line without the escapes of nginx and Apache if it is not from Python's logging."""
    return unescaped(text, line) if line[0] and type(logger) is not str and "\\" in text else line


def _remove_parsed(table: Table, rows: Rows) -> None:
    """Remove what a line is read for once more."""
    for name in _PARSED if rows else ():
        table.replace(name, rows, [ABSENT] * len(rows))


def _fill_numbers(table: Table, rows: Rows, statuses: Sequence[str], sizes: Sequence[str]) -> None:
    """Set the status and the size where the lines have them, but neither if it is there."""
    if table.lacks("status_code", rows):
        table.fill("status_code", rows, [int(text) if text else ABSENT for text in statuses])
    if table.lacks("bytes", rows):
        table.fill("bytes", rows, _sizes(sizes))


def _sizes(texts: Sequence[str]) -> list[Any]:
    if "".join(texts).isdecimal() and max(map(len, texts)) <= _MAX_DIGITS:  # usually, and quicker
        return [int(text) if text else ABSENT for text in texts]
    return [int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else ABSENT for text in texts]


def _requests(table: Table, request: FieldRef) -> Callable[[int, Any], tuple[Any, Any]]:
    """Return a function for the records without an access line in their text, given the row and the text.

    It returns what the record says of a request, in the form of an access line, and its ``visit``.
    """
    loggers, requests, statuses = table.column("logger_name"), table.values(request), table.column("status_code")
    signs = [table.column(name) for name in _ABOUT_REQUESTS]
    of_records = [table.column(name) for name in MARKS]

    def request_of(row: int, text: Any) -> tuple[Any, Any]:
        details, logger = None, loggers[row]
        if logger is ABSENT:
            is_record = any(column[row] is not ABSENT for column in of_records)
            if is_record and (line := _record(table, row)) is not None:
                return line, True
            if type(text) is str and (time := access_time(text) or leading_time(text)):
                details = AccessDetails(time=time)
        value = requests[row]
        if type(value) is str and (match := _request_repr.fullmatch(value)):
            return (match[1], match[3], "", "", details), False
        about = any(column[row] is not ABSENT for column in signs) or (
            logger is not ABSENT and statuses[row] is not ABSENT
        )
        if not about and type(text) is str and '"' in text:  # a line about an invalid request
            about = access_time(text) != ""
        return (ABSENT, ABSENT, "", "", details), False if about else ABSENT

    return request_of


def _record(table: Table, row: int) -> AccessLine | None:
    """Return the parts of a JSON access record, which gets a message if it has none; None if it is not one."""
    event = table.event(row)
    line = parse_access_record(event)
    if line is not None and not event.get("message"):
        table.writable("message")[row] = " ".join(line[:3])
    return line


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


def _describer(timestamp: Callable[[Any, str, int], Any]) -> Describe:
    """Return a function that sets the fields that not every server writes."""
    known, read = address_reader()

    def describe(table: Table, rows: Rows, details: Sequence[AccessDetails], received_ns: int) -> None:
        clients, times, referrers, agents, lists, durations = zip(*details, strict=True)
        stamps = table.pick(table.column("@timestamp"), rows)
        stamps = [timestamp(old, text, received_ns) if text else old for old, text in zip(stamps, times, strict=True)]
        table.replace("@timestamp", rows, stamps)
        table.fill("referrer", rows, [text or ABSENT for text in referrers])
        table.fill("user_agent", rows, [text or ABSENT for text in agents])
        table.fill("duration_ms", rows, [ABSENT if duration is None else duration for duration in durations])
        # A record with the header as a field has a better source than a line, where the client may be a proxy.
        headers, held = [table.column(name) for name in _FORWARDED], table.column("client_ip")
        for row, client, forwarded in zip(rows, clients, lists, strict=True):
            lacks = held[row] is ABSENT or held[row] is None
            if (client or forwarded) and lacks and all(column[row] is ABSENT for column in headers):
                address, public = first_address(forwarded, read) if forwarded else (None, False)
                if not public:
                    address = _client(client, known, read) or address
                if address is not None:
                    held = table.writable("client_ip")
                    held[row] = address

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
