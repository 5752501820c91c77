"""The filter ``log_fields``: one record of ``django.request`` as each formatter writes it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.timestamp import from_epoch
from ingestd.protocols.records.log_records import FIELDS
from tests.plugins.filters.tables import RECEIVED_NS, Case, build, check

RECEIVED = from_epoch(RECEIVED_NS / 1e9)
OWN = {"@timestamp": "2026-11-26T10:00:00.000Z", "@version": "1"}
MESSAGE = "Internal Server Error: /boom/"
REQUEST = "<WSGIRequest: GET '/boom/?q=x'>"
TRACE = (
    'Traceback (most recent call last):\n  File "shop.py", line 8, in boom\n    raise ValueError\nValueError: 터짐\n'
)
FOUND = {"level": "ERROR", "logger_name": "django.request", "message": MESSAGE, "stack_trace": TRACE}
META = {"PATH_INFO": "/boom/", "QUERY_STRING": "q=x", "HTTP_X_FORWARDED_FOR": "8.8.8.8", "REMOTE_ADDR": "127.0.0.1"}
HTTP = {"response": {"status_code": 500}, "request": {"method": "GET", "referrer": "http://r/"}}
ASYNC = {
    "logger_name": "django.request",
    "stack_trace": TRACE,
    "status_code": 500,
    "request": REQUEST,
}
DJANGO = {
    "req_method": "GET",
    "req_uri": "http://testserver/boom/?q=x",
    "req_useragent": "UA",
    "req_referer": "",
    "req_remote_address": "10.0.0.1",
    "req_forwarded_for": ["8.8.8.8"],
}
VISITOR = {"method": "GET", "request_path": "/boom/?q=x", "user_agent": "UA", "client_ip": "8.8.8.8"}
FRAME = {"filename": "shop.py", "lineno": 8, "name": "boom", "locals": {"a": "1"}}
DICT_TRACE = 'Traceback (most recent call last):\n  File "shop.py", line 8, in boom\nValueError: 터짐\n'

CASES = [
    Case("python_logstash", {}, {**OWN, **FOUND}, {**OWN, **FOUND}, False),
    Case("text", {}, {"@timestamp": RECEIVED, "message": "x"}, {"@timestamp": RECEIVED, "message": "x"}, False),
    Case(
        "logstash_async",
        {},
        {**OWN, "level": "ERROR", "message": MESSAGE, "extra": {**ASYNC, "path": "/log.py", "line": 293, "shop": 7}},
        {
            **OWN,
            **FOUND,
            "status_code": 500,
            "request": REQUEST,
            "extra": {"path": "/log.py", "line": 293, "shop": 7},
        },
    ),
    Case(
        "logstash_async_django",
        {},
        {**OWN, "level": "ERROR", "message": MESSAGE, "extra": {**ASYNC, **DJANGO}},
        {**OWN, **FOUND, "status_code": 500, "request": REQUEST, **VISITOR, "extra": DJANGO},
    ),
    Case(
        "logstash_async_without_a_request",
        {},
        {**OWN, "level": "INFO", "message": "x", "extra": {"logger_name": "shop", "req_useragent": "<none>"}},
        {**OWN, "level": "INFO", "message": "x", "logger_name": "shop", "extra": {"req_useragent": "<none>"}},
    ),
    Case(
        "own_fields_are_kept",
        {},
        {**OWN, "level": "INFO", "message": "x", "status_code": 1, "extra": {"status_code": 2, "logger_name": "shop"}},
        {
            **OWN,
            "level": "INFO",
            "message": "x",
            "status_code": 1,
            "logger_name": "shop",
            "extra": {"status_code": 2},
        },
    ),
    Case(
        "own_extra_of_a_site",
        {},
        {**OWN, "logger_name": "shop", "level": "INFO", "extra": {"id": 5}},
        {**OWN, "logger_name": "shop", "level": "INFO", "extra": {"id": 5}},
        False,
    ),
    Case(
        "logstash_async_ecs",
        {},
        {
            **OWN,
            "message": MESSAGE,
            "extra": {"request": REQUEST, "x": 1},
            "http": HTTP,
            "log": {"level": "ERROR", "logger": "django.request"},
            "error": {"type": "ValueError", "stack_trace": TRACE},
            "client": {"ip": "8.8.8.8"},
            "url": {"original": "http://testserver/boom/?q=x"},
        },
        {
            **OWN,
            "message": MESSAGE,
            "extra": {"x": 1},
            "http": HTTP,
            "log": {"level": "ERROR", "logger": "django.request"},
            "error": {"type": "ValueError"},
            "client": {"ip": "8.8.8.8"},
            "url": {"original": "http://testserver/boom/?q=x"},
            **FOUND,
            "request": REQUEST,
            "method": "GET",
            "request_path": "/boom/?q=x",
            "status_code": 500,
            "referrer": "http://r/",
            "client_ip": "8.8.8.8",
        },
    ),
    Case(
        "ecs_logging",
        {},
        {
            "@timestamp": OWN["@timestamp"],
            "message": MESSAGE,
            "log.level": "error",
            "status_code": 500,
            "log": {"logger": "django.request"},
            "error": {"type": "ValueError", "message": "터짐", "stack_trace": '  File "shop.py"\n    raise\n'},
        },
        {
            "@timestamp": OWN["@timestamp"],
            "message": MESSAGE,
            "log.level": "error",
            "status_code": 500,
            "log": {"logger": "django.request"},
            "error": {"type": "ValueError", "message": "터짐"},
            "level": "ERROR",
            "logger_name": "django.request",
            "stack_trace": '  File "shop.py"\n    raise\nValueError: 터짐\n',
        },
    ),
    Case(
        "ecs_with_dots",
        {},
        {"log.logger": "a", "error.stack_trace": TRACE, "http.request.method": "GET", "url.original": "/b?c"},
        {
            "log.logger": "a",
            "http.request.method": "GET",
            "url.original": "/b?c",
            "logger_name": "a",
            "stack_trace": TRACE,
            "method": "GET",
            "request_path": "/b?c",
        },
    ),
    Case(
        "python_json_logger",
        {"timezone": "Asia/Seoul"},
        {
            "@timestamp": RECEIVED,
            "asctime": "2026-11-28 10:00:00,123",
            "levelname": "ERROR",
            "name": "django.request",
            "message": MESSAGE,
            "exc_info": TRACE,
            "status_code": 500,
            "request": REQUEST,
        },
        {
            "@timestamp": "2026-11-28T01:00:00.123Z",
            "asctime": "2026-11-28 10:00:00,123",
            **FOUND,
            "status_code": 500,
            "request": REQUEST,
        },
    ),
    Case(
        "json_log_formatter",
        {},
        {
            "@timestamp": RECEIVED,
            "time": "2026-11-28T01:00:00.5+00:00",
            "message": MESSAGE,
            "exc_info": TRACE,
            "request": {"method": "GET", "META": META},
        },
        {
            "@timestamp": "2026-11-28T01:00:00.500Z",
            "time": "2026-11-28T01:00:00.5+00:00",
            "message": MESSAGE,
            "stack_trace": TRACE,
            "request": {"method": "GET", "META": META},
            "method": "GET",
            "request_path": "/boom/?q=x",
            "client_ip": "8.8.8.8",
        },
    ),
    Case(
        "json_log_formatter_verbose",
        {},
        {"levelname": "INFO", "name": "shop", "funcName": "f", "message": "x"},
        {"level": "INFO", "logger_name": "shop", "funcName": "f", "message": "x"},
    ),
    Case(
        "logstash_formatter",
        {},
        {**OWN, "levelname": "INFO", "name": "shop", "exc_info": TRACE.splitlines(), "message": "x"},
        {
            **OWN,
            "level": "INFO",
            "logger_name": "shop",
            "exc_info": TRACE.splitlines(),
            "message": "x",
            "stack_trace": TRACE,
        },
    ),
    Case("a_name_is_no_logger", {}, {"name": "Kim", "message": "x"}, {"name": "Kim", "message": "x"}, False),
    Case(
        "structlog",
        {},
        {
            "@timestamp": RECEIVED,
            "timestamp": "2026-11-28T01:00:00.5Z",
            "event": MESSAGE,
            "level": "error",
            "logger": "django.request",
            "exception": TRACE,
        },
        {"@timestamp": "2026-11-28T01:00:00.500Z", "timestamp": "2026-11-28T01:00:00.5Z", **FOUND},
    ),
    Case(
        "structlog_dict_tracebacks",
        {},
        {
            "@timestamp": RECEIVED,
            "timestamp": 1_795_914_935.5,
            "event": "x",
            "level": "error",
            "exception": [{"exc_type": "ValueError", "exc_value": "터짐", "frames": [FRAME]}],
        },
        {
            "@timestamp": "2026-11-29T01:15:35.500Z",
            "timestamp": 1_795_914_935.5,
            "message": "x",
            "level": "ERROR",
            "stack_trace": DICT_TRACE,
            "exception": [{"exc_type": "ValueError", "exc_value": "터짐", "frames": [FRAME]}],
        },
    ),
    Case("level_of_a_site", {}, {"level": "notice"}, {"level": "notice"}, False),
    Case("exception_in_a_word", {}, {"exception": "timeout"}, {"exception": "timeout"}, False),
    Case(
        "caddy_is_for_access_line",
        {},
        {"logger": "http.log.access", "level": "info", "request": {"uri": "/", "method": "GET"}},
        {"logger": "http.log.access", "level": "INFO", "request": {"uri": "/", "method": "GET"}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_log_fields(case: Case) -> None:
    check("log_fields", case)


KEYS = ["request", "response", "level", "logger", "stack_trace", "original", "ip", "req_uri"]
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["GET", "http://a/b", "x\ny", "ERROR", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, "frames", "META"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS - {"logger_name"})), json_values))
def test_any_record_is_read(record: dict[str, Any]) -> None:
    build("log_fields")({"@timestamp": RECEIVED, **record})
