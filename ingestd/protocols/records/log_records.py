"""Records of Python's formatters other than python-logstash's: where each puts what all of them log.

* python-logstash-async (https://python-logstash-async.readthedocs.io): as python-logstash, but everything except level
  and message lies under ``extra``; its formatter for Django adds ``req_uri`` and more there, its ECS formatters
  write the Elastic Common Schema
* ecs-logging: the same schema, ``log.level`` as one key (https://www.elastic.co/docs/reference/ecs)
* python-json-logger, json-log-formatter: the attributes of ``logging.LogRecord``: ``levelname``, ``name``, ``exc_info``
* logstash_formatter: the same with ``@version``, and ``exc_info`` as an array of lines
* structlog's JSONRenderer: ``event``, ``level``, ``logger``, ``timestamp``, ``exception``
"""

from __future__ import annotations

import re
from typing import Any

FIELDS = frozenset(
    [
        *("extra", "log", "log.level", "log.logger", "error", "error.stack_trace", "error.type", "error.message"),
        *("http", "url", "client", "user_agent", "http.request.method", "http.response.status_code"),
        *("http.request.referrer", "url.original", "client.ip", "user_agent.original"),
        *("levelname", "severity", "logger", "name", "funcName", "module", "pathname", "event", "msg"),
        *("exc_info", "exception", "exc_text", "traceback"),
        *("timestamp", "time", "asctime", "ts", "datetime", "request", "RequestMethod"),
        *(
            "level",
            "logger_name",
            "message",
            "stack_trace",
            "status_code",
            "server_time",
            "bytes",
            "duration_ms",
            "visit",
        ),
        *("method", "request_path", "search_word", "referrer", "client_ip", "x_forwarded_for", "HTTP_X_FORWARDED_FOR"),
        *("error_type", "@timestamp"),
    ]
)
"""The top-level keys that are read or set."""

LIFTED = (
    *("logger_name", "level", "stack_trace", "error_type", "request", "status_code", "server_time", "bytes"),
    *("duration_ms", "method", "request_path", "search_word", "visit", "referrer", "client_ip", "x_forwarded_for"),
    "HTTP_X_FORWARDED_FOR",
)
"""Keys under ``extra`` that belong to the top; a site's own stay where they are."""

_LEVELS = frozenset(["DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL"])
_TIMES = ("timestamp", "time", "asctime", "ts", "datetime")
_PYTHON = ("levelname", "funcName", "module", "pathname")  # one of them shows that ``name`` is that of a logger
_TRACES = ("exc_info", "exception", "exc_text", "traceback")
_url_path = re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^/?#]*(/.*)?", re.DOTALL).fullmatch

Record = dict[str, Any]


def conform(record: Record) -> bool:
    """Give a record the names of python-logstash, in place at the top level only; return whether anything changed.

    A field that is there under the right name is kept. Values are moved, except those of the Elastic Common Schema,
    which Kibana's own apps look for; of these only the stack trace is moved.
    """
    found: Record = {}
    extra = record.get("extra")
    if type(extra) is dict:
        _lift(record, extra, found)
    _common_schema(record, found)
    _python_names(record, found)
    for name, value in found.items():
        if record.get(name) in (None, ""):
            record[name] = value
    changed = bool(found)
    level = record.get("level")
    if type(level) is str and level not in _LEVELS and level.upper() in _LEVELS:
        record["level"] = level.upper()
        changed = True
    return changed


def time_of(record: Record) -> str:
    """Return the time that a record brings in another field than ``@timestamp``, as text; empty: none."""
    for name in _TIMES:
        value = record.get(name)
        if type(value) is str and value:
            return value
        if type(value) is int or type(value) is float:
            return str(value / 1000 if value > 1e11 else value)
    return ""


def clients_of(record: Record) -> list[str]:
    """Return the addresses that Django's request had, the client's first, then proxies; usually none."""
    extra, request = _hash(record.get("extra")), _hash(record.get("request"))
    meta = _hash(request.get("META"))
    clients = extra.get("req_forwarded_for")
    clients = list(clients) if type(clients) is list else []
    clients += [meta.get("HTTP_X_FORWARDED_FOR"), extra.get("req_remote_address"), meta.get("REMOTE_ADDR")]
    clients += [_hash(record.get("client")).get("ip"), record.get("client.ip")]
    return [client for client in clients if type(client) is str and client]


def _hash(value: Any) -> Record:
    return value if type(value) is dict else {}


def _lift(record: Record, extra: Record, found: Record) -> None:
    """Move what belongs to the top out of ``extra``."""
    rest = dict(extra)
    for name in LIFTED:
        if name in rest and record.get(name) is None:
            found[name] = rest.pop(name)
    for name, target in (("req_method", "method"), ("req_referer", "referrer")):
        _take(rest.get(name), target, found)
    _take(_path(rest.get("req_uri")), "request_path", found)
    if rest.get("req_useragent") not in (None, "", "<none>"):
        found.setdefault("user_agent", rest["req_useragent"])
    if len(rest) < len(extra):
        record["extra"] = rest


def _common_schema(record: Record, found: Record) -> None:
    """Copy from the Elastic Common Schema, whose names are nested or have dots."""
    log, error = _hash(record.get("log")), _hash(record.get("error"))
    http = _hash(record.get("http"))
    request, response = _hash(http.get("request")), _hash(http.get("response"))
    _take(log.get("level") or record.get("log.level"), "level", found)
    _take(log.get("logger") or record.get("log.logger"), "logger_name", found)
    _take(request.get("method") or record.get("http.request.method"), "method", found)
    _take(request.get("referrer") or record.get("http.request.referrer"), "referrer", found)
    _take(_path(_hash(record.get("url")).get("original") or record.get("url.original")), "request_path", found)
    status = response.get("status_code") or record.get("http.response.status_code")
    if type(status) is int:
        found.setdefault("status_code", status)
    if type(trace := error.get("stack_trace")) is str and trace:
        found.setdefault("stack_trace", with_cause(trace, error.get("type"), error.get("message")))
        record["error"] = {name: value for name, value in error.items() if name != "stack_trace"}
    elif type(trace := record.get("error.stack_trace")) is str and trace:
        del record["error.stack_trace"]
        found.setdefault("stack_trace", with_cause(trace, record.get("error.type"), record.get("error.message")))


def _python_names(record: Record, found: Record) -> None:
    """Rename attributes of ``logging.LogRecord`` and keys of structlog."""
    by_python = any(name in record for name in _PYTHON)
    _rename(record, ("levelname", "severity"), "level", found)
    if not _is_access_record(record):
        _rename(record, ("logger", "name") if by_python else ("logger",), "logger_name", found)
        _rename(record, ("event", "msg"), "message", found)
    for name in _TRACES:
        value = record.get(name)
        trace = value if type(value) is str and "\n" in value else _listed_trace(value)
        if trace and "stack_trace" not in found and not record.get("stack_trace"):
            found["stack_trace"] = trace
            if trace is value:
                del record[name]
    request = record.get("request")
    if type(request) is dict and type(meta := request.get("META")) is dict:  # json-log-formatter writes all of it
        _take(request.get("method"), "method", found)
        path, query = meta.get("PATH_INFO"), meta.get("QUERY_STRING")
        _take(f"{path}?{query}" if path and query else path, "request_path", found)


def _is_access_record(record: Record) -> bool:
    """Return whether a record is one of Caddy's or Traefik's, which the filter ``access_line`` reads."""
    return "RequestMethod" in record or "uri" in _hash(record.get("request"))


def _rename(record: Record, names: tuple[str, ...], target: str, found: Record) -> None:
    for name in names:
        if (
            type(value := record.get(name)) is str
            and value
            and target not in found
            and record.get(target) in (None, "")
        ):
            found[target] = value
            del record[name]


def _take(value: Any, target: str, found: Record) -> None:
    if type(value) is str and value:
        found.setdefault(target, value)


def _path(url: Any) -> str:
    """Return the path of a URL with its query."""
    if type(url) is not str:
        return ""
    match = _url_path(url)
    return url if url.startswith("/") else (match[1] or "/") if match else ""


def with_cause(trace: str, kind: Any, message: Any) -> str:
    """Return a stack trace with its last line, which ecs-logging leaves out."""
    if type(kind) is not str or type(message) is not str or f"\n{kind}: " in trace:
        return trace
    return f"{trace.rstrip()}\n{kind}: {message}\n"


def _listed_trace(value: Any) -> str:
    """Return the text of a stack trace in lines, or of structlog's ``dict_tracebacks``; empty if it is none."""
    if type(value) is not list:
        return ""
    if len(value) > 1 and all(type(line) is str for line in value):
        return "\n".join(line.rstrip("\n") for line in value) + "\n"
    parts: list[str] = []
    for error in map(_hash, reversed(value)):
        frames = error.get("frames")
        if type(frames) is not list:
            return ""
        parts.append("Traceback (most recent call last):")
        parts += [
            f'  File "{frame.get("filename")}", line {frame.get("lineno")}, in {frame.get("name")}'
            for frame in map(_hash, frames)
        ]
        parts.append(f"{error.get('exc_type')}: {error.get('exc_value')}")
    return "\n".join([*parts, ""]) if parts else ""
