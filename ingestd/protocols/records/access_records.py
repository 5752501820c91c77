"""Access records: what a web server writes about each request as one JSON object.

* Caddy: https://caddyserver.com/docs/logging - ``{"request": {"method": "GET", "uri": "/p", "remote_ip": ...,
  "headers": {"User-Agent": [...]}}, "status": 200, "size": 5316, "duration": 0.0012, "ts": 1764324000.5}``
* Traefik: https://doc.traefik.io/traefik/observe/logs-and-access-logs/ - ``RequestMethod``, ``RequestPath``,
  ``DownstreamStatus``, ``DownstreamContentSize``, ``ClientHost``, ``Duration`` in nanoseconds, ``StartUTC``
* nginx with ``log_format ... escape=json``: the keys are the user's choice, usually the names of nginx's variables
  (https://nginx.org/en/docs/varindex.html); values may be text
"""

from __future__ import annotations

import re
from typing import Any

from ingestd.protocols.records.access_lines import AccessDetails, AccessLine

FIELDS = frozenset(
    [
        *("request", "status", "size", "duration", "ts"),
        *("RequestMethod", "RequestPath", "DownstreamStatus", "OriginStatus", "DownstreamContentSize", "ClientHost"),
        *("Duration", "StartUTC", "StartLocal", "time", "request_User-Agent", "request_Referer"),
        *(
            "request_method",
            "request_uri",
            "uri",
            "args",
            "remote_addr",
            "body_bytes_sent",
            "bytes_sent",
            "request_time",
        ),
        *("http_referer", "http_referrer", "http_user_agent", "http_x_forwarded_for"),
        *("time_iso8601", "time_local", "msec"),
    ]
)
"""The top-level keys that are read."""

_REQUEST = re.compile(r"([A-Z][A-Z-]{1,30}) (\S+)(?: HTTP/[0-9.]+)?").fullmatch
_STATUS = re.compile(r"[1-9][0-9]{2}").fullmatch
_METHOD = re.compile(r"[A-Z][A-Z-]{1,30}").fullmatch


MARKS = ("RequestMethod", "request", "status")
"""Every access record has one of these fields."""


def parse_access_record(record: dict[str, Any]) -> AccessLine | None:
    """Return the parts of an access record, None if it is not one; ``time`` may be seconds since the epoch."""
    if "RequestMethod" in record:
        line = _traefik(record)
    elif type(record.get("request")) is dict:
        line = _caddy(record, record["request"])
    elif "status" in record:
        line = _nginx(record)
    else:
        return None
    method, path, status, _, _ = line
    return line if _METHOD(method) and path and not path.isspace() and _STATUS(status) else None


def _caddy(record: dict[str, Any], request: dict[str, Any]) -> AccessLine:
    headers = request.get("headers")
    headers = headers if type(headers) is dict else {}
    client = _first(request, "client_ip", "remote_ip", "remote_addr")
    details = AccessDetails(
        client,
        _text(record.get("ts")),
        _text(headers.get("Referer")),
        _text(headers.get("User-Agent")),
        _text(headers.get("X-Forwarded-For")),
        _milliseconds(record.get("duration"), 1000),
    )
    status, size = _text(record.get("status")), _text(record.get("size"))
    return _text(request.get("method")), _text(request.get("uri")), status, size, details


def _traefik(record: dict[str, Any]) -> AccessLine:
    details = AccessDetails(
        _first(record, "ClientHost"),
        _first(record, "StartUTC", "StartLocal", "time"),
        _first(record, "request_Referer"),
        _first(record, "request_User-Agent"),
        "",
        _milliseconds(record.get("Duration"), 1e-6),
    )
    status = _first(record, "DownstreamStatus", "OriginStatus")
    size = _first(record, "DownstreamContentSize")
    return _first(record, "RequestMethod"), _first(record, "RequestPath"), status, size, details


def _nginx(record: dict[str, Any]) -> AccessLine:
    method, path = _first(record, "request_method"), _first(record, "request_uri")
    if not path and (path := _first(record, "uri")) and (query := _first(record, "args")):
        path = f"{path}?{query}"
    if not (method and path) and (match := _REQUEST(_first(record, "request"))):
        method, path = match.groups()
    details = AccessDetails(
        _first(record, "remote_addr"),
        _first(record, "time_iso8601", "time_local", "msec", "time"),
        _first(record, "http_referer", "http_referrer"),
        _first(record, "http_user_agent"),
        _first(record, "http_x_forwarded_for"),
        _milliseconds(record.get("request_time"), 1000),
    )
    return method, path, _first(record, "status"), _first(record, "body_bytes_sent", "bytes_sent"), details


def _first(record: dict[str, Any], *names: str) -> str:
    """Return the first value that is not empty, as text."""
    return next((text for name in names if (text := _text(record.get(name)))), "")


def _text(value: Any) -> str:
    """Return a text or number, or the first of a list of them, as text; all else, and ``-``, is empty."""
    if type(value) is list and value:
        value = value[0]
    if type(value) is str:
        return "" if value == "-" else value
    return str(value) if type(value) in (int, float) else ""


def _milliseconds(value: Any, factor: float) -> float | None:
    try:
        duration = float(_text(value)) * factor
    except ValueError:
        return None
    return round(duration, 3) if 0 <= duration < 1e12 else None
