"""The pipeline that runs when no config is given: records as they come, documents as they are stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingestd.app.pipelines import default_config
from ingestd.compiler.pipeline import compile_pipeline
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.tally import Tally
from ingestd.plugins.interfaces import SocketInput
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings

RECEIVED_NS = 1_795_860_000_000_000_000  # 2026-11-28T10:00:00Z
STAMP = {"@timestamp": "2026-11-24T10:00:00.000Z", "@version": "1", "level": "INFO"}
SEOUL = "%EC%84%9C%EC%9A%B8"
DATE = "28/Nov/2026:10:00:00 +0900"


def documents(*records: dict[str, Any], **settings: Any) -> list[dict[str, Any]]:
    """Return what the default pipeline makes of records."""
    return documents_of(b"".join(json.dumps(record).encode() + b"\n" for record in records), **settings)


def documents_of(data: bytes, **settings: Any) -> list[dict[str, Any]]:
    """Return what the default pipeline makes of lines."""
    pipeline = compile_pipeline(default_config(Settings(**settings)), BuildContext())
    chunk = Chunk("tcp_0", "s", {}, 0, RECEIVED_NS, 0, data)
    table = pipeline.inputs[0].codec.decode(chunk)
    [rows] = pipeline.process(table, None, RECEIVED_NS, Tally())
    return [json.loads(document) for document in Batch(table, rows, "s", RECEIVED_NS).documents()]


def record(message: str, **fields: Any) -> dict[str, Any]:
    return STAMP | {"message": message} | fields


VISITS = [  # id, message, client
    ("runserver", f'"GET /search?q={SEOUL} HTTP/1.1" 200 5316', None),
    ("gunicorn", f'192.0.2.5 - - [{DATE}] "GET /search?q={SEOUL} HTTP/1.1" 200 5316 "-" "Mozilla/5.0"', "192.0.2.5"),
    ("gunicorn_no_size", f'192.0.2.5 - - [{DATE}] "GET /search?q={SEOUL} HTTP/1.1" 200 - "-" "-"', "192.0.2.5"),
    ("uvicorn", f'INFO:     127.0.0.1:53498 - "GET /search?q={SEOUL} HTTP/1.1" 200 OK', "127.0.0.1"),
    ("daphne", f'127.0.0.1:52122 - - [28/Nov/2026:10:00:00] "GET /search?q={SEOUL}" 200 5316', "127.0.0.1"),
    ("channels", f"HTTP GET /search?q={SEOUL} 200 [0.01, 127.0.0.1:52122]", "127.0.0.1"),
    (
        "uwsgi",
        "[pid: 12|app: 0|req: 4/9] 192.0.2.5 () {40 vars in 741 bytes} [Sat Nov 28 10:00:00 2026] GET "
        f"/search?q={SEOUL} => generated 2566 bytes in 45 msecs (HTTP/1.1 200) 7 headers in 241 bytes",
        "192.0.2.5",
    ),
    ("several_lines", f'line1\nline2 "GET /search?q={SEOUL} HTTP/1.1" 200 5316\nline3', None),
    ("size_of_20_digits", f'"GET /search?q={SEOUL} HTTP/1.1" 200 99999999999999999999', None),
]


@pytest.mark.parametrize(("message", "client"), [row[1:] for row in VISITS], ids=[row[0] for row in VISITS])
def test_visit(message: str, client: str | None) -> None:
    [found] = documents(record(message))
    request = {"method": "GET", "request_path": f"/search?q={SEOUL}", "status_code": 200, "visit": True}
    assert found.items() >= (record(message) | request | {"search_word": "서울"}).items()
    assert found.get("client_ip") == client


RAW = "/search?q=서울+책"
OLD_BROWSERS = [  # id, line as the server writes it if the client sends raw bytes
    (
        "uwsgi",
        "[pid: 12|app: 0|req: 4/9] 192.0.2.5 () {40 vars in 741 bytes} [Sat Nov 28 10:00:00 2026] GET "
        f"{RAW} => generated 2566 bytes in 45 msecs (HTTP/1.1 200) 7 headers in 241 bytes (2 switches on core 0)",
    ),
    ("uwsgi_log_format", f'192.0.2.5 - - [{DATE}] "GET {RAW} HTTP/1.1" 200 5 "-" "UA" 4512'),
    ("syslog", f'<190>Nov 28 10:00:00 web nginx: 192.0.2.5 - - [{DATE}] "GET {RAW} HTTP/1.1" 200 5 "-" "UA"'),
    ("nginx_json", f'{{"remote_addr": "192.0.2.5", "request": "GET {RAW} HTTP/1.1", "status": "200"}}'),
]


@pytest.mark.parametrize("charset", ["utf-8", "cp949"])
@pytest.mark.parametrize("line", [row[1] for row in OLD_BROWSERS], ids=[row[0] for row in OLD_BROWSERS])
def test_what_old_browsers_send(line: str, charset: str) -> None:
    found, after = documents_of(line.encode(charset) + b"\n" + json.dumps(record("after")).encode() + b"\n")
    assert (found["visit"], found["search_word"], found["client_ip"]) == (True, "서울 책", "192.0.2.5")
    assert "\\x" not in found["message"]
    assert after["message"] == "after"


NO_VISITS = [  # id, record
    ("bot", record(rf'192.0.2.5 - - [{DATE}] "\x03\x00\x00/*\xE0Cookie: mstshash=x" 400 150 "-" "-"')),
    ("bad_version", record("code 400, message Bad request version ('\u00c0\\x13')")),
    ("urllib3", record(f'https://api.example.com:443 "GET /v1/x?q={SEOUL} HTTP/1.1" 200 537')),
    ("by_logger", record(f'"GET /v1/x?q={SEOUL} HTTP/1.1" 200 537', logger_name="urllib3.connectionpool")),
    ("quoted", record(f'user said "GET /search?q={SEOUL} HTTP/1.1" 200 5')),
    ("quoted_in_json", record(json.dumps({"log": f'192.0.2.5 - - [{DATE}] "GET /search?q={SEOUL} HTTP/1.1" 200 5'}))),
    ("rest_framework", record("x", request=f"<rest_framework.request.Request: GET '/search?q={SEOUL}'>")),
]


@pytest.mark.parametrize("event", [row[1] for row in NO_VISITS], ids=[row[0] for row in NO_VISITS])
def test_no_visit(event: dict[str, Any]) -> None:
    [found] = documents(event)
    assert found.items() >= event.items()
    assert found.get("visit") in (None, False)
    assert "search_word" not in found


def test_one_search_counts_once() -> None:
    not_found = record(
        "Not Found: /search",
        logger_name="django.request",
        status_code=404,
        request="<WSGIRequest: GET '/search?q=zzz'>",
    )
    line = record('"GET /search?q=zzz HTTP/1.1" 404 179', logger_name="django.server")
    first, second = documents(not_found, line)
    assert first == not_found | {"method": "GET", "request_path": "/search?q=zzz", "visit": False}
    assert (second["search_word"], second["status_code"], second["visit"]) == ("zzz", 404, True)


def test_a_proxy_is_not_the_client() -> None:
    line = record('10.0.0.1:5 - "GET / HTTP/1.1" 200', x_forwarded_for="8.8.8.8, 10.0.0.1")
    [found] = documents(line)
    assert found["client_ip"] == "8.8.8.8"


def test_lines_of_text_have_the_time_that_they_say() -> None:
    lines = [f'1.2.3.4 - - [{DATE}] "GET / HTTP/1.1" 200 5', "2025-03-05 12:00:00,123 ERROR boom", "no time"]
    stamps = [
        found["@timestamp"] for found in documents(*[{"message": line} for line in lines], line_timezone="Asia/Seoul")
    ]
    assert stamps == ["2026-11-28T01:00:00.000Z", "2025-03-05T03:00:00.123Z", "2026-11-28T10:00:00.000Z"]


@pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.000Z"])
def test_the_first_and_the_last_year(stamp: str) -> None:
    [found] = documents(record('"GET / HTTP/1.1" 200 5') | {"@timestamp": stamp})
    assert (found["@timestamp"], found["visit"]) == (stamp, True)


TRACE = "Traceback (most recent call last):\n" + '  File "shop.py", line 8, in boom\n' * 50 + "ValueError: 터짐\n"
REQUEST = "<WSGIRequest: GET '/boom/?q=x'>"


def test_a_record_of_python_logstash_async() -> None:
    extra = {
        "status_code": 500,
        "request": REQUEST,
        "logger_name": "django.request",
        "stack_trace": TRACE,
        "path": "/srv/shop/log.py",
        "application": "shop",
        "req_uri": "http://testserver/boom/?q=x",
    }
    [found] = documents(record("Internal Server Error: /boom/", level="ERROR", extra=extra))
    expected = {
        "method": "GET",
        "request_path": "/boom/?q=x",
        "status_code": 500,
        "level": "ERROR",
        "visit": False,
        "logger_name": "django.request",
        "stack_trace": TRACE,
    }
    assert found.items() >= expected.items()
    assert "search_word" not in found
    assert found["extra"] == {key: extra[key] for key in ("path", "application", "req_uri")}


def test_an_access_line_of_python_logstash_async() -> None:
    socket = "<socket.socket fd=9, family=2, type=1, proto=0, laddr=('127.0.0.1', 8000), raddr=('8.8.8.8', 36965)>"
    extra = {"status_code": 200, "request": socket, "logger_name": "django.server"}
    [found] = documents(record('"GET /search?q=Zzz HTTP/1.1" 200 179', extra=extra))
    assert (found["visit"], found["search_word"], found["client_ip"]) == (True, "zzz", "8.8.8.8")
    outgoing = {"logger_name": "urllib3.connectionpool"}
    [found] = documents(record('"GET /search?q=zzz HTTP/1.1" 200 179', extra=outgoing))
    assert (found["visit"], "search_word" in found) == (False, False)


def test_records_of_several_formatters_in_one_chunk() -> None:
    python_logstash = record('"GET /a?q=1 HTTP/1.1" 200 5', logger_name="django.server")
    structlog = {"event": "boom", "level": "error", "logger": "shop", "timestamp": "2026-11-28T01:00:00Z"}
    first, second, third = documents(
        python_logstash, structlog, record("x", extra={"logger_name": "shop", "stack_trace": TRACE})
    )
    assert first.items() >= python_logstash.items()
    assert (second["message"], second["level"], second["logger_name"]) == ("boom", "ERROR", "shop")
    assert second["@timestamp"] == "2026-11-28T01:00:00.000Z"
    assert third["stack_trace"] == TRACE


def test_it_takes_events_of_beats_if_there_is_a_port_for_them() -> None:
    settings = Settings(beats_port=5044)
    tcp, beats = compile_pipeline(default_config(settings), BuildContext()).inputs
    assert isinstance(beats.input, SocketInput)
    assert beats.input.address == ("127.0.0.1", 5044)
    document = b'{"@timestamp":"2026-11-24T10:00:00.000Z","@metadata":{"_id":"a"},"message":"hello"}\n'
    table = beats.codec.decode(Chunk("beats_1", "s", {}, 0, RECEIVED_NS, 1, document))
    assert json.loads(Batch(table, table.rows, "s", RECEIVED_NS).documents()[0]) == {
        "@timestamp": "2026-11-24T10:00:00.000Z",
        "@version": "1",
        "message": "hello",
    }
    assert isinstance(tcp.input, SocketInput)
