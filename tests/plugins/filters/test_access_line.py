"""The filter ``access_line``: a line of each server, as its own documentation gives it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.timestamp import from_epoch
from ingestd.plugins.filters._ruby import inspect_text
from ingestd.protocols.records.access_lines import parse_access_line, parse_access_lines
from tests.plugins.filters.tables import RECEIVED_NS, Case, build, check

PATH = "/search?q=%EC%84%9C%EC%9A%B8"
RECEIVED = from_epoch(RECEIVED_NS / 1e9)
OWN = "2026-11-28T10:00:00.000Z"
FULL = f"GET {PATH} HTTP/1.1"
DATE = "28/Nov/2026:10:00:00 +0900"


def line(id_: str, message: str, *, status: int = 200, **found: Any) -> Case:
    """Return a case of a visit with method GET and ``PATH``, and the fields ``found`` besides."""
    before = {"@timestamp": OWN, "message": message}
    request = {"method": "GET", "request_path": PATH, "status_code": status, "visit": True}
    return Case(id_, {}, before, before | request | found)


def ignored(id_: str, message: str, *, done: bool = False, **record: Any) -> Case:
    """Return a case of a record that is kept as it is."""
    before = {"@timestamp": OWN, "message": message} | record
    return Case(id_, {}, before, before, done)


def json_record(id_: str, record: dict[str, Any], **found: Any) -> Case:
    """Return a case of a JSON access record that came without a timestamp, with status 200 and the agent UA."""
    request = {"method": "GET", "request_path": PATH, "status_code": 200, "visit": True, "bytes": 5316}
    before = {"@timestamp": RECEIVED, **record}
    return Case(id_, {}, before, before | request | {"user_agent": "UA"} | found)


QUOTING_AGENT = rf'192.0.2.5 - - [{DATE}] "GET /a HTTP/1.1" 200 5 "http://x/?q=1" "UA \"GET /b?q=z HTTP/1.1\" 5"'
UA: dict[str, Any] = {"user_agent": "Mozilla/5.0 (X11)"}
SERVERS = [
    line("runserver", f'"{FULL}" 200 5316', bytes=5316),
    line("runserver_console", f'[28/Nov/2026 10:00:00] "{FULL}" 200 5316', bytes=5316),
    line("runserver_coloured", f'\x1b[32;1m"{FULL}" 200 5316\x1b[0m', bytes=5316),
    line("channels_runserver", f"HTTP GET {PATH} 200 [0.01, 192.0.2.5:52122]", client_ip="192.0.2.5", duration_ms=10.0),
    line("channels_ipv6", f"HTTP GET {PATH} 200 [1.25, ::1:52122]", client_ip="::1", duration_ms=1250.0),
    line(
        "channels_coloured",
        f"\x1b[31mHTTP GET {PATH} 500 [0.01, 192.0.2.5:52122]\x1b[0m",
        status=500,
        client_ip="192.0.2.5",
        duration_ms=10.0,
    ),
    line(
        "gunicorn",
        f'192.0.2.5 - - [{DATE}] "{FULL}" 200 5316 "https://example.com/" "Mozilla/5.0 (X11)"',
        client_ip="192.0.2.5",
        bytes=5316,
        referrer="https://example.com/",
        **UA,
    ),
    line("gunicorn_no_size", f'192.0.2.5 - - [{DATE}] "{FULL}" 304 - "-" "-"', status=304, client_ip="192.0.2.5"),
    line("gunicorn_unix_socket", f' - - [{DATE}] "{FULL}" 200 5316 "-" "-"', bytes=5316),
    line(
        "gunicorn_D",
        f'192.0.2.5 - - [{DATE}] "{FULL}" 200 5316 "-" "Mozilla/5.0 (X11)" 12345',
        client_ip="192.0.2.5",
        bytes=5316,
        duration_ms=12.345,
        **UA,
    ),
    line(
        "gunicorn_L",
        f'192.0.2.5 - - [{DATE}] "{FULL}" 200 5316 "-" "Mozilla/5.0 (X11)" 0.012345',
        client_ip="192.0.2.5",
        bytes=5316,
        duration_ms=12.345,
        **UA,
    ),
    line(
        "gunicorn_forwarded",  # %({x-forwarded-for}i)s in the place of %(h)s
        f'8.8.8.8, 10.0.0.1 - - [{DATE}] "{FULL}" 200 5316 "-" "Mozilla/5.0 (X11)"',
        client_ip="8.8.8.8",
        bytes=5316,
        **UA,
    ),
    line("uvicorn", f'192.0.2.5:53498 - "{FULL}" 200', client_ip="192.0.2.5"),
    line("uvicorn_reason", f'192.0.2.5:53498 - "{FULL}" 404 Not Found', status=404, client_ip="192.0.2.5"),
    line("uvicorn_console", f'INFO:     127.0.0.1:53498 - "{FULL}" 200 OK', client_ip="127.0.0.1"),
    line("uvicorn_ipv6", f'2001:db8::1:8000 - "{FULL}" 200', client_ip="2001:db8::1"),
    line("uvicorn_unix_socket", f' - "{FULL}" 200'),
    line(
        "daphne",
        f'192.0.2.5:52122 - - [28/Nov/2026:10:00:00] "GET {PATH}" 200 5316',
        client_ip="192.0.2.5",
        bytes=5316,
    ),
    line(
        "hypercorn",
        f'192.0.2.5:52122 - - [{DATE}] "GET {PATH} 1.1" 200 5316 "-" "Mozilla/5.0 (X11)"',
        client_ip="192.0.2.5",
        bytes=5316,
        **UA,
    ),
    line(
        "hypercorn_http2",
        f'192.0.2.5:52122 - - [{DATE}] "GET {PATH} 2" 200 - "-" "Mozilla/5.0 (X11)"',
        client_ip="192.0.2.5",
        **UA,
    ),
    line(
        "granian",
        f'[2026-11-28 10:00:00 +0900] 192.0.2.5 - "{FULL}" 200 1.234',
        client_ip="192.0.2.5",
        duration_ms=1.234,
    ),
    line(
        "uwsgi",
        "[pid: 12|app: 0|req: 4/9] 192.0.2.5 () {40 vars in 741 bytes} [Sat Nov 28 10:00:00 2026] "
        f"GET {PATH} => generated 5316 bytes in 45 msecs (HTTP/1.1 200) 7 headers in 241 bytes (2 switches on core 0)",
        client_ip="192.0.2.5",
        bytes=5316,
        duration_ms=45.0,
    ),
    line(
        "uwsgi_memory_report_micros",
        "{address space usage: 97 bytes/0MB} {rss usage: 9 bytes/0MB} [pid: 12|app: 0|req: 4/9] 192.0.2.5 (kim) "
        f"{{40 vars in 741 bytes}} [Sun Nov  8 10:00:00 2026] GET {PATH} => generated 5316 bytes in 4512 micros "
        "(HTTP/1.1 200) 7 headers in 241 bytes (2 switches on core 0)",
        client_ip="192.0.2.5",
        bytes=5316,
        duration_ms=4.512,
    ),
    line(
        "waitress_translogger",
        f'192.0.2.5 - kim [{DATE}] "{FULL}" 200 5316 "-" "Mozilla/5.0 (X11)"',
        client_ip="192.0.2.5",
        bytes=5316,
        **UA,
    ),
    line(
        "nginx_combined",
        f'192.0.2.5 - - [{DATE}] "GET {PATH} HTTP/2.0" 200 5316 "-" "Mozilla/5.0 (X11)"',
        client_ip="192.0.2.5",
        bytes=5316,
        **UA,
    ),
    line(
        "nginx_main",
        f'10.0.0.1 - - [{DATE}] "{FULL}" 200 5316 "-" "Mozilla/5.0 (X11)" "8.8.8.8, 10.0.0.2"',
        client_ip="8.8.8.8",
        bytes=5316,
        **UA,
    ),
    line(
        "nginx_request_time",
        f'192.0.2.5 - - [{DATE}] "{FULL}" 200 5316 "-" "Mozilla/5.0 (X11)" "-" rt=0.012 uct="0.001" urt="0.011"',
        client_ip="192.0.2.5",
        bytes=5316,
        duration_ms=12.0,
        **UA,
    ),
    line("apache_common", f'192.0.2.5 - - [{DATE}] "{FULL}" 200 5316', client_ip="192.0.2.5", bytes=5316),
    line(
        "apache_combined_D",
        f'2001:db8::1 - kim [{DATE}] "{FULL}" 200 5316 "-" "Mozilla/5.0 (X11)" 45000',
        client_ip="2001:db8::1",
        bytes=5316,
        duration_ms=45.0,
        **UA,
    ),
    line(
        "apache_vhost",
        f'shop.example.com:443 192.0.2.5 - - [{DATE}] "{FULL}" 200 5316 "-" "Mozilla/5.0 (X11)"',
        client_ip="192.0.2.5",
        bytes=5316,
        **UA,
    ),
    line(
        "traefik_common",
        f'192.0.2.5 - - [{DATE}] "{FULL}" 200 5316 "-" "Mozilla/5.0 (X11)" 71 "shop@docker" "http://172.18.0.2" 12ms',
        client_ip="192.0.2.5",
        bytes=5316,
        duration_ms=12.0,
        **UA,
    ),
    line("werkzeug", f'192.0.2.5 - - [28/Nov/2026 10:00:00] "{FULL}" 200 -', client_ip="192.0.2.5"),
    line("formatter_prefix", f'2026-11-28 10:00:00,123 INFO uvicorn.access "{FULL}" 200'),
    line("inside_a_text", f'line1\nline2 "{FULL}" 200 5316\nline3', bytes=5316),
    line("size_of_20_digits", f'"{FULL}" 200 99999999999999999999'),
    json_record(
        "caddy",
        {
            "level": "info",
            "ts": 1764291600.5,
            "logger": "http.log.access",
            "message": "handled request",
            "request": {
                "remote_ip": "192.0.2.5",
                "client_ip": "192.0.2.5",
                "proto": "HTTP/2.0",
                "method": "GET",
                "host": "example.com",
                "uri": PATH,
                "headers": {"User-Agent": ["UA"], "Referer": ["https://example.com/"]},
            },
            "duration": 0.0125,
            "size": 5316,
            "status": 200,
        },
        client_ip="192.0.2.5",
        referrer="https://example.com/",
        duration_ms=12.5,
        **{"@timestamp": "2025-11-28T01:00:00.500Z"},
    ),
    json_record(
        "traefik",
        {
            "ClientAddr": "192.0.2.5:52122",
            "ClientHost": "192.0.2.5",
            "DownstreamContentSize": 5316,
            "DownstreamStatus": 200,
            "Duration": 12_500_000,
            "RequestMethod": "GET",
            "RequestPath": PATH,
            "StartUTC": "2026-11-28T01:00:00.123456789Z",
            "request_User-Agent": "UA",
            "level": "info",
            "msg": "",
        },
        client_ip="192.0.2.5",
        duration_ms=12.5,
        message=f"GET {PATH} 200",
        **{"@timestamp": "2026-11-28T01:00:00.123Z"},
    ),
    json_record(
        "nginx_json",
        {
            "time_iso8601": "2026-11-28T10:00:00+09:00",
            "remote_addr": "192.0.2.5",
            "request": FULL,
            "status": "200",
            "body_bytes_sent": "5316",
            "request_time": "0.012",
            "http_user_agent": "UA",
            "http_referer": "-",
        },
        client_ip="192.0.2.5",
        duration_ms=12.0,
        message=f"GET {PATH} 200",
        **{"@timestamp": "2026-11-28T01:00:00.000Z"},
    ),
    json_record(
        "nginx_json_variables",
        {
            "time_local": DATE,
            "remote_addr": "10.0.0.1",
            "http_x_forwarded_for": "8.8.8.8",
            "request_method": "GET",
            "uri": "/search",
            "args": PATH.partition("?")[2],
            "status": 200,
            "bytes_sent": 5316,
            "http_user_agent": "UA",
        },
        client_ip="8.8.8.8",
        message=f"GET {PATH} 200",
        **{"@timestamp": "2026-11-28T01:00:00.000Z"},
    ),
]

LATIN1 = "/search?q=서울 HTTP/1.1".encode().decode("latin-1")
RAW = [  # id, message, logger, path, word
    (
        "nginx",
        rf'192.0.2.5 - - [{DATE}] "GET /search?q=\xEC\x84\x9C\xEC\x9A\xB8 HTTP/1.1" 200 5 "-" "-"',
        "",
        PATH,
        "서울",
    ),
    ("apache", rf'192.0.2.5 - - [{DATE}] "GET /search?q=\xec\x84\x9c\xec\x9a\xb8 HTTP/1.1" 200 5', "", PATH, "서울"),
    ("nginx_cp949", rf'1.2.3.4 - - [{DATE}] "GET /?q=\xBC\xAD HTTP/2.0" 200 5 "-" "-"', "", "/?q=%BC%AD", "서"),
    ("nginx_backslash", rf'1.2.3.4 - - [{DATE}] "GET /?q=a\x5CxEC HTTP/1.1" 200 5', "", "/?q=a%5CxEC", r"a\xec"),
    ("nginx_quote", rf'1.2.3.4 - - [{DATE}] "GET /?q=\x22a\x22 HTTP/1.1" 200 5', "", "/?q=%22a%22", '"a"'),
    ("apache_backslash", rf'1.2.3.4 - - [{DATE}] "GET /?q=a\\xEC HTTP/1.1" 200 5', "", "/?q=a%5CxEC", r"a\xec"),
    ("apache_quote", rf'1.2.3.4 - - [{DATE}] "GET /?q=\"a\"\t HTTP/1.1" 200 5', "", "/?q=%22a%22%09", '"a"'),
    ("syslog", rf'<190>x nginx: 1.2.3.4 - - [{DATE}] "GET /?q=\xEC\x84\x9C HTTP/1.1" 200 5', "", "/?q=%EC%84%9C", "서"),
    (
        "gunicorn_backslash",
        rf'1.2.3.4 - - [{DATE}] "GET /?q=a\xEC HTTP/1.1" 200 5',
        "gunicorn.access",
        r"/?q=a\xEC",
        r"a\xec",
    ),
    ("runserver_backslash", r'"GET /?q=a\xEC HTTP/1.1" 200 5', "django.server", r"/?q=a\xEC", r"a\xec"),
    ("runserver_backslash_plain", r'"GET /?q=a\xEC HTTP/1.1" 200 5', "", r"/?q=a\xEC", r"a\xec"),
    ("uvicorn_backslash", r'1.2.3.4:5 - "GET /?q=a\xEC\ HTTP/1.1" 200', "uvicorn.access", "/?q=a\\xEC\\", "a\\xec\\"),
    ("daphne_backslash", r'1.2.3.4:5 - - [28/Nov/2026:10:00:00] "GET /?q=a\xEC" 200 5', "", r"/?q=a\xEC", r"a\xec"),
    ("runserver", f'"GET {LATIN1}" 200 5', "django.server", PATH, "서울"),
    (
        "runserver_blank_bytes",
        '"GET /?q=\xec\xa0\x84\xec\x85\x85 HTTP/1.1" 400 -',
        "django.server",
        "/?q=%EC%A0%84%EC%85%85",
        "전셅",
    ),
    ("runserver_cp949", '"GET /?q=\xbc\xad\xbf\xef HTTP/1.1" 200 5', "django.server", "/?q=%BC%AD%BF%EF", "서울"),
    ("gunicorn", f'1.2.3.4 - - [{DATE}] "GET {LATIN1}" 200 5 "-" "-"', "gunicorn.access", PATH, "서울"),
    ("nginx_unescaped", f'1.2.3.4 - - [{DATE}] "GET /search?q=서울 HTTP/1.1" 200 5 "-" "-"', "", PATH, "서울"),
    ("nginx_unescaped_latin", f'1.2.3.4 - - [{DATE}] "GET /?q=caf\xe9 HTTP/1.1" 200 5', "", "/?q=caf%C3%A9", "café"),
    (
        "gunicorn_euc_kr",
        f'1.2.3.4 - - [{DATE}] "GET /?q=\xbc\xad HTTP/1.1" 200 5',
        "gunicorn.access",
        "/?q=%BC%AD",
        "서",
    ),
    ("in_a_text", '2026-11-28 INFO "GET /?q=서울 HTTP/1.1" 200 5', "", "/?q=%EC%84%9C%EC%9A%B8", "서울"),
    ("ideographic_space", '"GET /?q=서\u3000울 HTTP/1.1" 200 5', "", "/?q=%EC%84%9C%E3%80%80%EC%9A%B8", "서 울"),
    (
        "uwsgi",
        "[pid: 12|app: 0|req: 4/9] 192.0.2.5 () {40 vars in 741 bytes} [Sat Nov 28 10:00:00 2026] GET /search?q=서울 "
        "=> generated 5316 bytes in 45 msecs (HTTP/1.1 200) 7 headers in 241 bytes (2 switches on core 0)",
        "",
        PATH,
        "서울",
    ),
    (
        "uwsgi_log_format_cp949",  # as the codec decodes it
        inspect_text(
            f'1.2.3.4 - - [{DATE}] "GET /search?q=서울 HTTP/1.1" 200 5 "-" "UA"'.encode("cp949").decode(
                "utf-8", "surrogateescape"
            )
        ),
        "",
        "/search?q=%BC%AD%BF%EF",
        "서울",
    ),
    (
        "uwsgi_backslash",
        r"[pid: 12|app: 0|req: 4/9] 192.0.2.5 () {40 vars in 741 bytes} [Sat Nov 28 10:00:00 2026] GET /?q=a\xEC "
        "=> generated 5316 bytes in 45 msecs (HTTP/1.1 200) 7 headers in 241 bytes (2 switches on core 0)",
        "",
        r"/?q=a\xEC",
        r"a\xec",
    ),
]


@pytest.mark.parametrize(
    ("message", "logger", "path", "word"), [case[1:] for case in RAW], ids=[case[0] for case in RAW]
)
def test_bytes_that_are_not_percent_encoded(message: str, logger: str, path: str, word: str) -> None:
    event: dict[str, Any] = {"@timestamp": OWN, "message": message, **({"logger_name": logger} if logger else {})}
    build("access_line")(event)
    build("search_word", fallback_charset="CP949")(event)
    assert (event["request_path"], event["search_word"]) == (path, word)
    assert (event["message"], event["visit"]) == (message, True)


def test_escapes_of_the_client() -> None:
    agent, referrer = r"\xEC\x84\x9C \x22x\x22", r"http://a/?q=\xEC\x84\x9C"
    event: dict[str, Any] = {"message": rf'1.2.3.4 - - [{DATE}] "GET / HTTP/1.1" 200 5 "{referrer}" "{agent}"'}
    build("access_line")(event)
    assert (event["referrer"], event["user_agent"]) == ("http://a/?q=%EC%84%9C", r"서 \x22x\x22")


OTHERS = [
    Case(
        "referrer_and_agent_are_not_the_request",
        {},
        {"message": QUOTING_AGENT},
        {
            "message": QUOTING_AGENT,
            "method": "GET",
            "request_path": "/a",
            "status_code": 200,
            "bytes": 5,
            "visit": True,
            "client_ip": "192.0.2.5",
            "referrer": "http://x/?q=1",
            "user_agent": r"UA \"GET /b?q=z HTTP/1.1\" 5",
        },
    ),
    Case(
        "bot",
        {},
        {"message": rf'192.0.2.5 - - [{DATE}] "\x03\x00/*\xE0Cookie: x" 400 150 "-" "\"GET /b HTTP/1.1\" 500 9"'},
        {
            "message": rf'192.0.2.5 - - [{DATE}] "\x03\x00/*\xE0Cookie: x" 400 150 "-" "\"GET /b HTTP/1.1\" 500 9"',
            "visit": False,
        },
        False,
    ),
    Case(
        "long_method",
        {},
        {"message": '"VERSION-CONTROL /x?q=a HTTP/1.1" 405 0'},
        {
            "message": '"VERSION-CONTROL /x?q=a HTTP/1.1" 405 0',
            "method": "VERSION-CONTROL",
            "request_path": "/x?q=a",
            "status_code": 405,
            "bytes": 0,
            "visit": True,
        },
    ),
    ignored("bad_version", "code 400, message Bad request version ('\u00c0\\x13')"),
    ignored("sentence", "주문 완료: 떡볶이"),
    ignored("not_text", 17),  # type: ignore[arg-type]
    ignored("urllib3", f'https://api.example.com:443 "{FULL}" 200 537'),
    ignored("httpx", f'HTTP Request: GET https://api.example.com{PATH} "HTTP/1.1 200 OK"'),
    ignored("botocore", 'https://s3.eu-west-1.amazonaws.com:443 "PUT /bucket/key HTTP/1.1" 200 0'),
    ignored("elasticsearch", "GET http://localhost:9200/_search [status:200 duration:0.005s]"),
    ignored("websocket", "WebSocket CONNECT /ws/?q=x [127.0.0.1:52122]"),
    ignored("daphne_websocket", '192.0.2.5:5 - - [28/Nov/2026:10:00:00] "WSCONNECT /ws" - -', visit=False),
    Case(
        "outgoing_by_logger",
        {},
        {"message": f'"{FULL}" 200 537', "logger_name": "requests.packages.urllib3.connectionpool"},
        {"message": f'"{FULL}" 200 537', "logger_name": "requests.packages.urllib3.connectionpool", "visit": False},
        False,
    ),
    Case(
        "outgoing_by_setting",
        {"outgoing_loggers": ["shop.api"]},
        {"message": f'"{FULL}" 200 537', "logger_name": "shop.api"},
        {"message": f'"{FULL}" 200 537', "logger_name": "shop.api", "visit": False},
        False,
    ),
    Case(
        "fields_that_are_there_are_kept",
        {},
        {"message": '"GET /a HTTP/1.1" 200 5', "status_code": 404, "method": "x", "visit": False, "bytes": "y"},
        {
            "message": '"GET /a HTTP/1.1" 200 5',
            "status_code": 404,
            "method": "x",
            "visit": False,
            "bytes": "y",
            "request_path": "/a",
        },
    ),
    Case(
        "wsgi_request",
        {},
        {"message": "Not Found: /search", "status_code": 404, "request": "<WSGIRequest: GET '/search?q=zzz'>"},
        {
            "message": "Not Found: /search",
            "status_code": 404,
            "request": "<WSGIRequest: GET '/search?q=zzz'>",
            "method": "GET",
            "request_path": "/search?q=zzz",
            "visit": False,
        },
    ),
    Case(
        "asgi_request_with_quotes",
        {},
        {"message": "x", "request": '<ASGIRequest: POST "/it\'s">'},
        {
            "message": "x",
            "request": '<ASGIRequest: POST "/it\'s">',
            "method": "POST",
            "request_path": "/it's",
            "visit": False,
        },
    ),
    Case(
        "status_of_a_logger",
        {},
        {"message": "payment refused", "status_code": 502, "logger_name": "shop"},
        {"message": "payment refused", "status_code": 502, "logger_name": "shop", "visit": False},
        False,
    ),
    ignored("status_of_an_unknown_program", "Not Found: /wp-login.php", status_code=404),
    Case(
        "rest_framework_request",
        {},
        {"message": "x", "request": "<rest_framework.request.Request: GET '/search?q=abc'>"},
        {
            "message": "x",
            "request": "<rest_framework.request.Request: GET '/search?q=abc'>",
            "method": "GET",
            "request_path": "/search?q=abc",
            "visit": False,
        },
    ),
    Case(
        "header_is_a_better_source_than_a_proxy",
        {},
        {"message": f'10.0.0.1:5 - "{FULL}" 200', "x_forwarded_for": "8.8.8.8"},
        {
            "message": f'10.0.0.1:5 - "{FULL}" 200',
            "x_forwarded_for": "8.8.8.8",
            "method": "GET",
            "request_path": PATH,
            "status_code": 200,
            "visit": True,
        },
    ),
    Case(
        "nested_source",
        {"source": "[log][text]"},
        {"log": {"text": '"GET /a HTTP/1.1" 200 5'}},
        {
            "log": {"text": '"GET /a HTTP/1.1" 200 5'},
            "method": "GET",
            "request_path": "/a",
            "status_code": 200,
            "bytes": 5,
            "visit": True,
        },
    ),
]

CASES = SERVERS + OTHERS


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_access_line(case: Case) -> None:
    check("access_line", case)


TIMES = [  # id, message, @timestamp of a record that came without one, in Seoul
    ("nginx", f'192.0.2.5 - - [{DATE}] "GET /a HTTP/1.1" 200 5', "2026-11-28T01:00:00.000Z"),
    ("other_offset", '192.0.2.5 - - [28/Nov/2026:10:00:00 -0500] "GET /a HTTP/1.1" 200 5', "2026-11-28T15:00:00.000Z"),
    ("daphne", '1.2.3.4:5 - - [28/Nov/2026:10:00:00] "GET /a" 200 5', "2026-11-28T01:00:00.000Z"),
    ("runserver", '[04/Mar/2025 11:00:00] "GET /b HTTP/1.1" 200 179', "2025-03-04T02:00:00.000Z"),
    ("granian", '[2026-11-28 10:00:00 +0100] 1.2.3.4 - "GET /a HTTP/1.1" 200 1.5', "2026-11-28T09:00:00.000Z"),
    ("bot", rf'192.0.2.5 - - [{DATE}] "\x16" 400 150', "2026-11-28T01:00:00.000Z"),
    (
        "uwsgi",
        "[pid: 1|app: 0|req: 4/9] 1.2.3.4 () {4 vars in 7 bytes} [Sun Nov  8 10:00:00 2026] GET / => generated 2 bytes "
        "in 45 msecs (HTTP/1.1 200) 7 headers in 241 bytes",
        "2026-11-08T01:00:00.000Z",
    ),
    ("logging", "2025-03-05 12:00:00,123 ERROR boom", "2025-03-05T03:00:00.123Z"),
    ("logging_in_brackets", "[2025-03-05 12:00:00 +0000] [12] [INFO] Booting worker", "2025-03-05T12:00:00.000Z"),
    ("iso_8601", "2025-03-05T12:00:00.5Z boom", "2025-03-05T12:00:00.500Z"),
    ("no_time", "boom", RECEIVED),
    ("no_such_day", "2025-02-30 12:00:00 boom", RECEIVED),
]


@pytest.mark.parametrize(("message", "expected"), [row[1:] for row in TIMES], ids=[row[0] for row in TIMES])
def test_time_of_a_record_without_one(message: str, expected: str) -> None:
    event = {"message": message, "@timestamp": RECEIVED}
    access_line = build("access_line", timezone="Asia/Seoul")
    access_line(event)
    assert event["@timestamp"] == expected
    own = {"message": message, "@timestamp": OWN}
    access_line(own)
    assert own["@timestamp"] == OWN, "a record's own time wins"


QUOTING = [  # id, text that quotes an access line
    ("sentence", f'user said "{FULL}" 200 5'),
    ("sentence_in_korean", f'손님이 말했다: "{FULL}" 200 5'),
    ("one_word", f'quoted: "{FULL}" 200 5'),
    ("number_in_a_sentence", f'request of user 17: "{FULL}" 200 5'),
    ("formatted_sentence", f'2026-11-28 10:00:00,123 INFO shop.views slow request "{FULL}" 200 5'),
    ("sentence_of_a_service", f'Nov 28 10:00:00 web shop[12]: slow request "{FULL}" 200 5'),
    ("of_nginx", f'he wrote: 192.0.2.5 - - [{DATE}] "{FULL}" 200 5 "-" "UA"'),
    ("start_of_a_sentence", f'"{FULL}" 200 5 was slow'),
    ("start_of_a_clause", f'"{FULL}" 200 5, he said'),
    ("start_of_a_korean_sentence", f'"{FULL}" 200 5라고 했다'),
    ("start_of_a_sentence_of_nginx", f'192.0.2.5 - - [{DATE}] "{FULL}" 200 5 is what I saw'),
    ("start_of_a_sentence_of_uvicorn", f'192.0.2.5:5 - "{FULL}" 200 is what I saw'),
    ("start_of_a_sentence_of_channels", f"HTTP GET {PATH} 200 [0.01, 192.0.2.5:5] is what I saw"),
    ("lines", f'please look:\n"{FULL}" 200 5\nthanks'),
    ("json", rf'{{"log":"192.0.2.5 - - [{DATE}] \"{FULL}\" 200 5 \"-\" \"UA\"","stream":"stdout"}}'),
    ("json_pretty", rf'{{"log": "192.0.2.5 - - [{DATE}] \"{FULL}\" 200 5", "stream": "stdout"}}'),
    (
        "json_of_uwsgi",
        '{"log": "[pid: 1|app: 0|req: 4/9] 192.0.2.5 () {4 vars in 7 bytes} [Sat Nov 28 10:00:00 2026] '
        f'GET {PATH} => generated 2 bytes in 4 msecs (HTTP/1.1 200) 7 headers in 241 bytes"}}',
    ),
    ("python", f"{{'log': '\"{FULL}\" 200 5'}}"),
    ("logfmt", rf'level=info msg="192.0.2.5 - - [{DATE}] \"{FULL}\" 200 5"'),
    ("logfmt_alone", rf'msg="192.0.2.5 - - [{DATE}] \"{FULL}\" 200 5"'),
    ("quotes", f"""the line '"{FULL}" 200 5'"""),
    (
        "sentence_of_uwsgi",
        "it wrote [pid: 1|app: 0|req: 4/9] 192.0.2.5 () {4 vars in 7 bytes} [Sat Nov 28 10:00:00 2026] "
        f"GET {PATH} => generated 2 bytes in 4 msecs (HTTP/1.1 200) 7 headers in 241 bytes",
    ),
]


@pytest.mark.parametrize("logger", [None, "shop.views", "django.server"])
@pytest.mark.parametrize("text", [case[1] for case in QUOTING], ids=[case[0] for case in QUOTING])
def test_a_text_that_quotes_an_access_line_is_no_visit(text: str, logger: str | None) -> None:
    event: dict[str, Any] = {"@timestamp": OWN, "message": text} | ({"logger_name": logger} if logger else {})
    build("access_line")(event)
    assert event.get("visit") is not True
    assert "request_path" not in event


UWSGI = (
    "[pid: 1|app: 0|req: 4/9] 192.0.2.5 () {4 vars in 7 bytes} [Sat Nov 28 10:00:00 2026] "
    f"GET {PATH} => generated 2 bytes in 4 msecs (HTTP/1.1 200) 7 headers in 241 bytes"
)
COMBINED = f'192.0.2.5 - - [{DATE}] "{FULL}" 200 5 "-" "UA"'
PASSED_ON = [  # id, line with what syslog, a container runtime or a formatter puts before it, whether it is whole
    ("nginx_syslog", f"<190>Nov 28 10:00:00 web nginx: {COMBINED}", True),
    ("nginx_syslog_nohostname", f"<190>Nov  8 10:00:00 nginx: {COMBINED}", True),
    ("rsyslog_file", f"2026-11-28T10:00:00.123456+09:00 web nginx: {COMBINED}", True),
    ("rfc_5424", f'<190>1 2026-11-28T10:00:00Z web nginx 12 - [a b="c"] {COMBINED}', True),
    ("journalctl", f"Nov 28 10:00:00 web gunicorn[123]: {COMBINED}", True),
    ("journalctl_uwsgi", f"Nov 28 10:00:00 web uwsgi[123]: {UWSGI}", True),
    ("journalctl_uvicorn", f'Nov 28 10:00:00 web uvicorn[123]: INFO:     192.0.2.5:5 - "{FULL}" 200 OK', True),
    ("kubernetes", f"2026-11-28T10:00:00.123456789Z stdout F {COMBINED}", True),
    ("docker_compose", f"web-1  | {COMBINED}", True),
    ("docker_compose_channels", f'site | "{FULL}" 200 5', False),
    ("uwsgi_log_date", f"Sat Nov 28 10:00:00 2026 - {UWSGI}", True),
    ("logging_default", f'INFO:django.server:"{FULL}" 200 5', False),
    ("django_simple", f'INFO "{FULL}" 200 5', False),
    ("django_verbose", f'INFO 2026-11-28 10:00:00,123 basehttp 1234 140234 "{FULL}" 200 5', False),
    ("celery", f'[2026-11-28 10:00:00,123: INFO/MainProcess] "{FULL}" 200 5', False),
    ("nginx_host_first", f'shop.example.com 192.0.2.5 [{DATE}] "{FULL}" 200 5', False),
    ("aiohttp", f'192.0.2.5 [{DATE}] "{FULL}" 200 5 "-" "UA"', False),
    ("key", f'req="{FULL}" 200 5', False),
]


@pytest.mark.parametrize(("text", "whole"), [case[1:] for case in PASSED_ON], ids=[case[0] for case in PASSED_ON])
def test_a_line_that_was_passed_on_is_a_visit(text: str, whole: bool) -> None:
    event: dict[str, Any] = {"@timestamp": OWN, "message": text}
    build("access_line")(event)
    assert (event["visit"], event["request_path"], event["status_code"]) == (True, PATH, 200)
    assert event.get("client_ip") == ("192.0.2.5" if whole else None)


@pytest.mark.parametrize(("logger", "visit"), [("gunicorn.access", True), ("gunicorn.error", None)])
def test_the_format_of_an_access_log_is_the_choice_of_the_user(logger: str, visit: bool | None) -> None:
    event: dict[str, Any] = {"message": f'our shop answered "{FULL}" 200 5', "logger_name": logger}
    build("access_line")(event)
    assert event.get("visit") is visit


PIECES = [
    "GET /p",
    ' HTTP/1.1" 200 ',
    '"',
    "- - [",
    "] ",
    "[pid: ",
    " => generated ",
    "\x1b[1m",
    "INFO:     ",
    "://",
    "5",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=30).map("".join))
def test_any_text_is_read(text: str) -> None:
    event: dict[str, Any] = {"message": text, "request": text}
    build("access_line")(event)
    assert event["message"] == text


lines = st.lists(st.sampled_from([*PIECES, "\n", f'"{FULL}" 200 5']) | st.text(max_size=5), max_size=6).map("".join)


@given(st.lists(lines | st.none() | st.integers(), max_size=5))
def test_many_lines_at_once(texts: list[Any]) -> None:
    """Each text counts as it does alone, those with several lines and values that are no text among them."""
    expected = [parse_access_line(text) if isinstance(text, str) else None for text in texts]
    found = [(*line[:4], line[4] or None) if line[0] else None for line in parse_access_lines(texts)]
    assert found == expected


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["GET", "200", "/p"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["method", "uri"]), inner),
    max_leaves=5,
)
NAMES = [
    "request",
    "status",
    "RequestMethod",
    "RequestPath",
    "DownstreamStatus",
    "request_uri",
    "message",
    "ts",
    "size",
]


@given(st.dictionaries(st.sampled_from(NAMES), json_values))
def test_any_record_is_read(record: dict[str, Any]) -> None:
    build("access_line")({"@timestamp": RECEIVED, **record})


REPEATED = [
    *PIECES,
    "<1>a b: ",
    '"GET ',
    " ",
    "a",
    "\\",
    '\\"',
    "[",
    "1.1.1.1:5 ",
    ":1",
    '"GET /p" 200 5 "',
    "- ",
    "(",
    "{",
    "\n",
]


@pytest.mark.sampled
@pytest.mark.parametrize("piece", REPEATED)
@pytest.mark.parametrize(
    "start",
    ["", '"', "[", "[pid: 1] ", "<1>a b: ", "<1>1 ", "1.2.3.4 - - [", 'a - - [28/Nov/2026:10] "GET / 1" 200 5 "'],
)
def test_time_is_linear_in_the_length(start: str, piece: str) -> None:
    text = start + piece * (400_000 // len(piece))
    begun = time.process_time()
    parse_access_line(text)
    assert time.process_time() - begun < 1.0
