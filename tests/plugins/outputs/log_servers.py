"""Servers of others, as far as their documentation says what they take: strict, so that they refuse what those refuse.

Loki: https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
ClickHouse: https://clickhouse.com/docs/interfaces/http and https://clickhouse.com/docs/interfaces/formats/JSONEachRow
VictoriaLogs: https://docs.victoriametrics.com/victorialogs/data-ingestion/#json-stream-api
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs


class Request(NamedTuple):
    """A request; ``path`` without the query, ``body`` not compressed."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class RefusedError(Exception):
    """What the server answers instead."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class LogServer(Protocol):
    """Takes requests and keeps what it is to keep."""

    def take(self, request: Request) -> int:
        """Return the status of the answer. Raises RefusedError."""


def check(holds: object, status: int, text: str) -> None:
    """Refuse the request unless something holds."""
    if not holds:
        raise RefusedError(status, text)


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


Entry = tuple[str, str, str, str]
"""Labels, time, line and structured metadata of an entry; labels and metadata as JSON."""


@dataclass
class Loki:
    """Keeps equal entries of a stream once; refuses those before ``oldest_ns``, not the others of their request."""

    oldest_ns: int = 0
    entries: list[Entry] = field(default_factory=list)

    def take(self, request: Request) -> int:
        """Take a push request."""
        check(request.path == "/loki/api/v1/push", 404, "404 page not found")
        check(request.method == "POST", 405, "method not allowed")
        check(request.headers["Content-Type"] == "application/json", 400, "snappy: corrupt input")
        try:
            content = json.loads(request.body)
        except ValueError as error:
            raise RefusedError(400, f"loghttp.PushRequest.Streams: {error}") from None
        check(isinstance(content, dict) and set(content) == {"streams"}, 400, "no streams")
        streams = [(self._labels(stream["stream"]), self._values(stream)) for stream in content["streams"]]
        labels = [name for name, _ in streams]
        check(len({*labels}) == len(labels), 400, "a stream is there twice")  # Loki would take it, for more work
        late = False
        for name, values in streams:
            for time, line, *metadata in values:
                late |= (too_old := int(time) < self.oldest_ns)
                entry = (name, time, line, json.dumps(metadata[0] if metadata else {}))
                if not too_old and entry not in self.entries:
                    self.entries.append(entry)
        check(not late, 400, "entry has timestamp too old")
        return 204

    def _labels(self, labels: Any) -> str:
        check(_is_texts(labels), 400, "Value looks like Number/Boolean/None, but can't find its end")
        check(labels, 400, "error at least one label pair is required per stream")
        for name, value in labels.items():
            check(re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name), 400, f"error parsing labels: {name}")
            check(len(name) <= 1024 and len(value) <= 2048, 400, "label is too long")
        check(len(labels) <= 15, 400, "too many labels")
        return json.dumps(labels, sort_keys=True)

    def _values(self, stream: Any) -> list[Any]:
        check(set(stream) == {"stream", "values"} and isinstance(stream["values"], list), 400, "no values")
        for value in stream["values"]:
            check(isinstance(value, list) and len(value) in {2, 3}, 400, "ReadArray: no array")
            check(isinstance(value[0], str) and re.fullmatch("[0-9]{19}", value[0]), 400, "Value is not a time")
            check(isinstance(value[1], str) and len(value[1]) <= 256_000, 400, "max entry size exceeded")
            check(len(value) == 2 or _is_texts(value[2]), 400, "structured metadata is not an object of texts")
        return list(stream["values"])


@dataclass
class ClickHouse:
    """Has a table ``logs`` once ``exists``; drops an INSERT that it had. ``rows``: values by column."""

    password: str
    exists: bool = True
    rows: list[dict[str, Any]] = field(default_factory=list)
    inserts: set[bytes] = field(default_factory=set)

    def take(self, request: Request) -> int:
        """Take an INSERT."""
        user = b"default:" + self.password.encode()
        check(request.headers.get("Authorization") == f"Basic {base64.b64encode(user).decode()}", 403, "Code: 516.")
        check(request.method == "POST", 400, "Cannot execute query in readonly mode.")
        parameters = {name: values[-1] for name, values in parse_qs(request.query, strict_parsing=True).items()}
        query = parameters.pop("query")
        check(re.fullmatch(r"INSERT INTO \w+ FORMAT JSONEachRow", query), 400, "Code: 62. Syntax error")
        known = {"input_format_skip_unknown_fields", "date_time_input_format", "wait_end_of_query"}
        check(parameters.keys() <= known, 404, "Code: 115. Unknown setting")
        check(self.exists and query.split()[2] == "logs", 404, "Code: 60. Table does not exist. (UNKNOWN_TABLE)")
        content = request.body
        rows = [self._row(line, parameters) for line in content.splitlines() if line]
        if content not in self.inserts:
            self.inserts.add(content)
            self.rows += rows
        return 200

    def _row(self, line: bytes, settings: Mapping[str, str]) -> dict[str, Any]:
        try:
            fields = json.loads(line)
        except ValueError:
            raise RefusedError(400, "Code: 27. Cannot parse input. (CANNOT_PARSE_INPUT_ASSERTION_FAILED)") from None
        check(isinstance(fields, dict), 400, "Code: 27. Cannot parse input: expected '{'")
        row: dict[str, Any] = {"@timestamp": "1970-01-01", "level": "", "host": "", "message": "", "status_code": None}
        skips = settings.get("input_format_skip_unknown_fields") == "1"
        check(skips or fields.keys() <= row.keys(), 400, "Code: 117. Unknown field found (INCORRECT_DATA)")
        row |= {name: value for name, value in fields.items() if name in row and value is not None}
        basic = re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", row["@timestamp"])
        check(
            basic or settings.get("date_time_input_format") == "best_effort", 400, "Code: 41. (CANNOT_PARSE_DATETIME)"
        )
        status = str(0 if row["status_code"] is None else row["status_code"])
        check(status.isdecimal(), 400, "Code: 27. Cannot parse input (status_code)")
        return row


@dataclass
class VictoriaLogs:
    """Keeps whatever comes, equal entries too: fields by name, with ``_time``, ``_msg`` and ``_stream``."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    def take(self, request: Request) -> int:
        """Take lines; those that it cannot use are skipped, unless there are no others."""
        check(request.path == "/insert/jsonline", 400, "unsupported path requested")
        check(request.method == "POST", 405, "")
        parameters = {name: values[-1] for name, values in parse_qs(request.query, strict_parsing=True).items()}
        check(parameters.keys() <= {"_time_field", "_msg_field", "_stream_fields"}, 400, "it would do nothing")
        lines = [line for line in request.body.split(b"\n") if line]
        found = [entry for line in lines if (entry := self._entry(line, parameters)) is not None]
        check(found or not lines, 400, "cannot process jsonline request")
        self.entries += found
        return 200

    def _entry(self, line: bytes, parameters: Mapping[str, str]) -> dict[str, Any] | None:
        try:
            fields = _flat(json.loads(line))
            time = fields.pop(parameters.get("_time_field", "_time"))
            datetime.fromisoformat(time)
        except (ValueError, KeyError, AttributeError):
            return None
        streams = parameters.get("_stream_fields", "").split(",")
        message = fields.pop(parameters.get("_msg_field", "_msg"), "missing _msg field")
        stream = {name: fields[name] for name in streams if name in fields}
        return {**fields, "_time": time, "_msg": message, "_stream": stream}


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested fields as ``a.b``; values as text."""
    found: dict[str, Any] = {}
    for name, member in value.items():
        if isinstance(member, dict):
            found |= _flat(member, f"{prefix}{name}.")
        else:
            found[prefix + name] = member if isinstance(member, str) else json.dumps(member)
    return found
