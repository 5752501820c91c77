"""The events of the suite: three days of a site, and other events of all kinds."""

from __future__ import annotations

import json
from typing import Any

from tests.stores.exact import exact

DAYS = ("2026.11.20", "2026.11.21", "2026.11.22")

TRACE = (
    "Traceback (most recent call last):\n"
    '  File "/srv/shop/views.py", line 42, in search\n'
    "    return 1 / 0\n"
    "ZeroDivisionError: division by zero\n"
)

Event = dict[str, Any]


def _access(time: str, word: str | None, path: str, status: int, **more: Any) -> Event:
    return {
        "@timestamp": time,
        "level": "INFO" if status < 400 else "WARNING" if status < 500 else "ERROR",
        "logger_name": "django.server",
        "message": f'"GET {path} HTTP/1.1" {status} {len(path) * 100}',
        "method": "GET",
        "request_path": path,
        "status_code": status,
        "bytes": len(path) * 100,
        **({} if word is None else {"search_word": word}),
        **more,
    }


def _text(number: int, message: Any, **more: Any) -> Event:
    return {"@timestamp": f"2026-11-21T12:00:{number:02}.000Z", "level": "INFO", "message": message, **more}


def _from(country: str, big: int | None = None) -> Event:
    return {"country": country} | ({} if big is None else {"big": big})


def _shape(number: int, hour: str = "21T16", /, **fields: Any) -> Event:
    return {"@timestamp": f"2026-11-{hour}:00:{number:02}.000Z", "level": "INFO", **fields}


def _took(nr: int) -> Event:
    return {"took": TOOK[nr]} if nr < len(TOOK) else {}


TOOK = (0.5, 20, "30", None, "fast", [5, 15.5], ["slow"], 20, "", "1e2", 20)
"""Numbers, some of them texts, and what is none."""

EVENTS: dict[str, Event] = {
    # Requests of three days, with what was searched for.
    "r01": _access(
        "2026-11-20T00:00:00.000Z",
        "서울 맛집",
        "/search?q=%EC%84%9C",
        200,
        client_ip="211.36.1.1",
        **_from("KR", 2**53 + 1),
    ),
    "r02": _access(
        "2026-11-20T10:05:00.000Z",
        "서울 맛집",
        "/search?q=%EC%84%9C&page=2",
        200,
        client_ip="211.36.1.2",
        **_from("KR", 2**53 + 3),
    ),
    "r03": _access("2026-11-20T14:00:00.000Z", "부산", "/search?q=busan", 200, host="web1", **_from("KR")),
    "r04": _access("2026-11-20T14:05:00.000Z", "부산", "/search?q=busan", 500, host={"name": "web2"}, **_from("JP")),
    "r05": _access("2026-11-20T14:09:59.999Z", "제주", "/search?q=jeju", 404, host="web1", **_from("JP")),
    "r06": _access("2026-11-20T14:10:00.000Z", None, "/api/v1/items", 201, duration=0.25),
    "r07": _access("2026-11-20T23:59:59.999Z", None, "/api/v2/items", 404, duration=1.5),
    "r08": _access("2026-11-21T00:00:00.000Z", "서울 맛집", "/search?q=x", 200, duration=12.0),
    "r09": _access("2026-11-21T00:00:00.001Z", "서울", "/admin/", 302, duration=100),
    "r10": _access("2026-11-21T08:30:00.000Z", "Seoul", "/admin/login/", 403, tags=["slow", "auth"]),
    "r11": _access("2026-11-21T09:00:00.000Z", "seoul", "/", 200, tags=["slow", "slow"]),
    "r12": _access("2026-11-22T09:59:59.000Z", "서울 맛집", "/search", 503, tags="auth"),
    # The same time, to the millisecond.
    **{
        f"s{nr:02}": _access("2026-11-22T10:00:00.000Z", f"같은 {nr % 3}", "/s", 200, nr=nr, **_took(nr))
        for nr in range(12)
    },
    # Levels.
    "l01": {"@timestamp": "2026-11-22T11:00:00.000Z", "level": "DEBUG", "message": "details"},
    "l02": {"@timestamp": "2026-11-22T11:00:01.000Z", "level": "warning", "message": "lower case"},
    "l03": {"@timestamp": "2026-11-22T11:00:02.000Z", "level": "Warn", "message": "short name"},
    "l04": {"@timestamp": "2026-11-22T11:00:03.000Z", "level": "CRITICAL", "message": "out of space"},
    "l05": {"@timestamp": "2026-11-22T11:00:04.000Z", "level": "fatal", "message": "fatal"},
    "l06": {"@timestamp": "2026-11-22T11:00:05.000Z", "level": "NOTICE", "message": "of syslog"},
    "l07": {"@timestamp": "2026-11-22T11:00:06.000Z", "message": "no level at all"},
    "l08": {"@timestamp": "2026-11-22T11:00:07.000Z", "level": None, "message": "null as a level"},
    "l09": {
        "@timestamp": "2026-11-22T11:00:08.000Z",
        "level": "ERROR",
        "message": "Internal Server Error: /search",
        "stack_trace": TRACE,
        "logger_name": "django.request",
    },
    # Texts.
    "t01": _text(1, "동서울, 맛집을 찾았다"),
    "t02": _text(2, "서울의 맛집"),
    "t03": _text(3, "connect to db.example.com:5432 timed out after 30.5s"),
    "t04": _text(4, "RuntimeError in foo_bar: it's a time-out (errno=110)"),
    "t05": _text(5, "東京都の天気 Tokyo2026"),
    "t06": _text(6, ["first part", "second part of it"]),
    "t07": _text(7, "café CAFÉ naïve ΑΣ"),
    "t08": _text(8, 'path C:\\temp\\new "quoted" 100% *star* what?'),
    "t09": _text(9, "배포 완료 🚀 v1.2.3"),
    "t10": _text(10, ""),
    "t11": _text(11, "x" * 300 + " long"),
    "t12": _text(12, "서울3호선 3호선 지하철2호선"),
    # Shapes.
    "v01": {"@timestamp": "2026-11-21T15:00:00.000Z", "a": {"b": {"c": "deep"}}, "flag": True, "n": 5},
    "v02": {"@timestamp": "2026-11-21T15:00:01.000Z", "a": {"b": {"c": ["deep", "deeper"]}}, "flag": False, "n": -5},
    "v03": {"@timestamp": "2026-11-21T15:00:02.000Z", "x.y": "dotted", "n": [1, 10, 100], "empty": ""},
    "v04": {"@timestamp": "2026-11-21T15:00:03.000Z", "x": {"y": "nested"}, "nothing": None, "none": [], "n": 0},
    "v05": {"@timestamp": "2026-11-21T15:00:04.000Z", "user": "김철수", "odd": "a\tb\nc", "n": 9007199254740991},
    "v06": {"@timestamp": "2026-11-21T15:00:05.000Z", "user": "kim*", "odd": 'say "hi" \\o/', "n": 42},
    "v07": {"@timestamp": "2026-11-21T15:00:06.000Z", "user": "e\u0301", "odd": "\u200b", "version": "10"},
    "v08": {"@timestamp": "2026-11-21T15:00:07.000Z", "user": "é", "odd": "\U0001f680", "version": "9"},
    "v09": {"@timestamp": "2026-11-21T15:00:08.000Z", "urls": ["/a?q=1", "/a?q=2", "/b", "?q=3"]},
    "v10": {"@timestamp": "2026-11-21T15:00:09.000Z", "urls": ["/a", "c??"]},
    "v11": {
        "@timestamp": "2026-11-21T15:00:10.000Z",
        "request_path": "/go?%EC%A0%9C%EC%A3%BC%EB%8F%84+%EC%97%AC%ED%96%89&caf%c3%a9%20x&%E6%9D%B1%E4%BA%AC%E9%83%BD",
    },
    "v12": {"@timestamp": "2026-11-21T15:00:11.000Z", "request_path": "/bestpath%FF%zz?%EC%84"},
    # Objects in arrays, and arrays in arrays.
    "o01": _shape(1, items=[{"sku": "a1", "qty": 2}, {"sku": "b2", "qty": 3}], order={"lines": [{"sku": "x"}]}),
    "o02": _shape(2, items=[{"sku": "b2", "qty": 5}, {"sku": "b2"}, {"note": "none"}, None]),
    "o03": _shape(3, items={"sku": "a1", "qty": 1}),
    "o04": _shape(4, items=[], order=[{"lines": {"sku": "x"}}, {"lines": [{"sku": "z", "gift": True}, {"sku": "y"}]}]),
    "o05": _shape(5, items=[{"sku": ["c3", "a1"]}], grid=[[1, 2], [3, [30]]]),
    "o06": _shape(6, items=[[{"sku": "d4"}], [{"sku": ""}]], grid=[[1]]),
    "o07": _shape(7, items=[{"sku": None}, {}]),
    "o08": _shape(8, items=[{"sku": "a1"}]) | {"items.sku": "e5"},
    # Dots in names, and between them.
    "d01": _shape(21, **{"http.request.method": "GET"}),
    "d02": _shape(22, http={"request.method": "GET"}),
    "d03": _shape(23, **{"http.request": {"method": "PUT"}}),
    "d04": _shape(24, http={"request": [{"method": "GET"}, {"method": "PUT"}]}),
    # A field that is a number on one day, and a text or an object on others.
    "x01": _shape(1, "20T16", size=5, span={"ms": 1}),
    "x02": _shape(2, "20T16", size=7, span={"ms": 2}),
    "x03": _shape(3, "20T16", size=[5, 70]),
    "x04": _shape(14, size="5", span={"ms": "1"}),
    "x05": _shape(15, size="large", span=[{"ms": "long"}, {"ms": "1"}]),
    "x06": _shape(6, "22T08", size={"width": 5}),
    # Finer than a millisecond, each in another one.
    "m01": {"@timestamp": "2026-11-22T12:00:00.000999Z", "message": "micro one", "stage": "micro"},
    "m02": {"@timestamp": "2026-11-22T12:00:00.001001Z", "message": "micro two", "stage": "micro"},
    "m03": {"@timestamp": "2026-11-22T12:00:00.002123456Z", "message": "nano", "stage": "micro"},
}


def index_of(event: Event) -> str:
    """The day of an event as it ends the name of its index."""
    return str(event["@timestamp"][:10]).replace("-", ".")


DOCUMENTS: dict[str, bytes] = {
    # Every other one as python-logstash sends it, with escapes and blanks.
    key: json.dumps(event, ensure_ascii=number % 2 > 0, separators=(", ", ": ") if number % 2 else (",", ":")).encode()
    for number, (key, event) in enumerate(EVENTS.items())
}

_KEYS = {repr(exact(document.decode())): key for key, document in DOCUMENTS.items()}


def key_of(document: bytes) -> str:
    """The key of the event whose document this is, but for the order of its keys."""
    return _KEYS[repr(exact(document.decode()))]
