"""The load: what a busy Django site sends through python-logstash, version 1, the same bytes every time."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus

_TOWNS = ["서울", "부산", "대구", "인천", "광주", "대전", "울산", "세종", "수원", "강남"]
_WHAT = ["맛집", "카페", "여행", "날씨", "호텔", "병원", "학원", "축제", "지도", "django"]
_QUOTED = {f"{quote_plus(town)}+{quote_plus(what)}": f"{town} {what}" for town in _TOWNS for what in _WHAT}
WORDS = {f"{quoted}+{n}%25": f"{text} {n}%" for n in range(200) for quoted, text in _QUOTED.items()}
"""20,000 search words, as they stand in a query and decoded."""
ESCAPED_WORDS = list(WORDS)
SEARCH_SHARE = 0.4
_TRACE = 'Traceback (most recent call last):\n  File "/srv/shop/views.py", line 41, in detail\n' + "    raise\n" * 6
_SERVER = "/srv/shop/lib/python3.11/site-packages/django/core/servers/basehttp.py"
_LOG = "/srv/shop/lib/python3.11/site-packages/django/utils/log.py"


def make_lines(count: int, seed: int = 1) -> list[bytes]:
    """Return ``count`` records as JSON lines, line ends included: 40 % searches, 48 % other requests, 12 % the rest."""
    chance = random.Random(seed)
    return [_encode(_record(number, chance)) for number in range(count)]


def expected(line: bytes) -> dict[str, object]:
    """Return what the default pipeline must make of a record, worked out in another way than it does."""
    record = json.loads(line)
    message, request = record["message"], record.get("request", "")
    found: dict[str, object] = {}
    if message.startswith('"'):
        method, path = message[1:].split(" ")[:2]
        found = {"method": method, "request_path": path, "bytes": int(message.rsplit(" ", 1)[1])}
        found["visit"] = True
    elif request.startswith("<WSGIRequest"):
        method, path = request.removeprefix("<WSGIRequest: ").split(" ", 1)
        found = {"method": method, "request_path": path.strip("'>"), "visit": False}
    if "raddr=('" in request:
        found["client_ip"] = request.split("raddr=('")[1].split("'")[0]
    path = str(found.get("request_path", ""))
    if "?q=" in path and int(path.rpartition("=")[2]) < 2:  # the first page of the result
        word = path.split("?q=")[1].split("&")[0]
        found["search_word"] = WORDS[word]
    if "stack_trace" in record:
        found |= {"problem": "656e17cfdd50", "problem_title": "Error in views.detail"}
    return dict(record, **found)


def _encode(record: dict[str, object]) -> bytes:
    return json.dumps(record).encode() + b"\n"  # ASCII with escapes, as the handler sends it


def _record(number: int, chance: random.Random) -> dict[str, object]:
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    stamp = (begin + timedelta(milliseconds=3 * number)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    kind = chance.random()
    if kind < SEARCH_SHARE:
        word = ESCAPED_WORDS[int(len(ESCAPED_WORDS) ** chance.random()) - 1]  # by Zipf's law
        path = f"/search?q={word}&page={chance.randrange(9)}"
        return _access(stamp, number, path, 200, chance)
    if kind < 0.88:
        return _access(stamp, number, f"/items/{chance.randrange(10**6)}/", chance.choice([200, 200, 200, 304]), chance)
    if kind < 0.98:
        path = f"/favicon-{chance.randrange(99)}.ico"
        return _base(stamp, number, f"Not Found: {path}", "WARNING", "django.request", _LOG) | {
            "status_code": 404,
            "request": f"<WSGIRequest: GET '{path}'>",
        }
    return _base(stamp, number, "Internal Server Error: /items/", "ERROR", "django.request", _LOG) | {
        "status_code": 500,
        "request": "<WSGIRequest: POST '/items/'>",
        "stack_trace": _TRACE,
        "lineno": 241,
        "process": 4711,
        "thread_name": "Thread-7",
    }


def _access(stamp: str, number: int, path: str, status: int, chance: random.Random) -> dict[str, object]:
    message = f'"GET {path} HTTP/1.1" {status} {chance.randrange(99999)}'
    client = f"('203.0.113.{number % 255}', {1024 + number % 60000})"
    return _base(stamp, number, message, "INFO", "django.server", _SERVER) | {
        "request": f"<socket.socket fd=9, family=2, type=1, proto=0, laddr=('127.0.0.1', 8000), raddr={client}>",
        "server_time": "22/Nov/2026 10:11:12",
        "status_code": status,
    }


def _base(stamp: str, number: int, message: str, level: str, logger: str, path: str) -> dict[str, object]:
    return {
        "@timestamp": stamp,
        "@version": "1",
        "message": message,
        "host": f"web-{number % 20}",
        "path": path,
        "tags": [],
        "type": "logstash",
        "level": level,
        "logger_name": logger,
    }
