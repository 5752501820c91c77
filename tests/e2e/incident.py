"""Thirty days of a site with an incident and a word that everybody starts to search for: the answers are known.

The days are fixed, 31 October to 29 November 2026, and the same in UTC and Seoul. On 19 November a view fails for half
an hour (`FAILED_VIEW`); in the last three days one word is searched for ten times as often as before (`RISING`).

The events are records as ingestd-django sends them, so a store can take them as they are.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

Event = dict[str, Any]

DAYS = 30
FIRST = dt.datetime(2026, 10, 31, tzinfo=dt.UTC)
LAST_DAYS = 3
"""How long the words have been other ones."""

SINCE, UNTIL = "2026-11-27T00:00:00Z", "2026-11-30T00:00:00Z"
"""The last days; the period before is as long."""

RISING, STARTED, FALLEN = "붕어빵", "수능 시간표", "단풍 명소"
"""Searched for ten times as often in the last days; not before them; not in them."""

NEXT, LATER = "호떡", "지하철 노선도"
"""Searched for by visitors who had searched for `RISING`: by every other one after 5 minutes; by one a day after 30."""

NOISE = "캠핑 의자"
"""Searched for once in the days before the last days, and three times in them."""

NOT_FOUND = "붕어방"
"""The only word without results."""

STEADY = {"서울 맛집": 24, "부산 여행": 12, "제주 렌터카": 8, "jeju": 6, NOT_FOUND: 2}
"""Searches of each day."""

INCIDENT = dt.datetime(2026, 11, 19, 5, tzinfo=dt.UTC)
FAILED_VIEW, FAILURES = "/checkout/", 48
"""The view that failed, and how many requests did, in the half hour from `INCIDENT` on."""

MOBILE = "/m/%EA%B2%80%EC%83%89"
"""Where every fifth search is, `/m/검색`."""

DAILY_FAILURES = 30
"""Failures of another view, one each day."""

_PLACES = [("KR", "서울특별시"), ("KR", "서울특별시"), ("KR", "부산광역시"), ("JP", "Tokyo")]
_HOSTS = ("web1", "web2")


def events() -> list[Event]:
    """Return all events in order of time."""
    found = [*_searches(), *_incident(), *_daily_failures()]
    return sorted(found, key=lambda event: str(event["@timestamp"]))


def words_of(day: int) -> dict[str, int]:
    """Return how often each word is searched for on a day, 0 to 29."""
    is_last = day >= DAYS - LAST_DAYS
    changed = {RISING: 30 if is_last else 3, STARTED: 20 if is_last else 0, FALLEN: 0 if is_last else 10}
    noise = {NOISE: 1 if is_last or day == DAYS - LAST_DAYS - 1 else 0, f"한 번 {day}": 1}
    return {word: count for word, count in (STEADY | changed | noise).items() if count}


def _searches() -> Iterator[Event]:
    for day in range(DAYS):
        morning = FIRST + dt.timedelta(days=day, hours=1)
        found = [word for word, count in words_of(day).items() for _ in range(count)]
        for number, word in enumerate(found):
            time = morning + dt.timedelta(minutes=4 * number, seconds=day)
            visitor = f"203.0.113.{number % 200}"
            yield _search(time, word, visitor, number)
            if word == RISING and number % 2:
                yield _search(time + dt.timedelta(minutes=5), NEXT, visitor, number)
            if word == RISING and number == found.index(RISING):
                yield _search(time + dt.timedelta(minutes=30), LATER, visitor, number)


def _search(time: dt.datetime, word: str, visitor: str, number: int) -> Event:
    country, region = _PLACES[number % len(_PLACES)]
    path = f"/search?q={quote_plus(word)}" if number % 5 else f"{MOBILE}?q={quote_plus(word)}"
    return _visit(time, path, 200, number) | {
        "search_word": word,
        "search_results": 0 if word == NOT_FOUND else 12,
        "client_ip": visitor,
        "geoip": {"country_code2": country, "region_name": region},
    }


def _visit(time: dt.datetime, path: str, status: int, number: int) -> Event:
    level = "ERROR" if status >= 500 else "INFO"
    return _event(time, level, f"GET {path} {status}", number) | {
        "logger_name": "ingestd_django.access",
        "method": "GET",
        "request_path": path,
        "status_code": status,
        "visit": True,
        "duration_ms": 20 + number % 50,
        "client_ip": f"203.0.113.{number % 200}",
    }


def _event(time: dt.datetime, level: str, message: str, number: int) -> Event:
    stamp = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    host = _HOSTS[number % len(_HOSTS)]
    return {"@timestamp": stamp, "@version": "1", "level": level, "message": message, "host": host}


def _incident() -> Iterator[Event]:
    for number in range(FAILURES):
        time = INCIDENT + dt.timedelta(seconds=37 * number)
        text = f"Error 111 connecting to 10.0.3.{10 + number % 3}:6379. Connection refused for order {4000 + number}"
        yield from _failure(time, f"{FAILED_VIEW}?order={4000 + number}", _checkout_trace(text, number), number)


def _daily_failures() -> Iterator[Event]:
    for day in range(DAILY_FAILURES):
        time = FIRST + dt.timedelta(days=day, hours=9)
        yield from _failure(time, f"/items/{700 + day}/", _item_trace(700 + day), day)


def _failure(time: dt.datetime, path: str, trace: str, number: int) -> Iterator[Event]:
    """Yield the two records of a request that fails: Django's, and the access line; both are of level ERROR."""
    seen = time + dt.timedelta(milliseconds=4)
    more = {"logger_name": "django.request", "request_path": path, "status_code": 500, "visit": False}
    message = f"Internal Server Error: {path.partition('?')[0]}"
    access_line = _visit(seen, path, 500, number)
    more["client_ip"] = access_line["client_ip"]
    yield _event(time, "ERROR", message, number) | more | {"stack_trace": trace}
    yield access_line


_HANDLER = """Traceback (most recent call last):
  File "/srv/shop/.venv/lib/python3.12/site-packages/django/core/handlers/exception.py", line 55, in inner
    response = get_response(request)
"""


def _checkout_trace(text: str, number: int) -> str:
    """Return a trace that ends in a library; the innermost frame of the site's own code is ``checkout``."""
    retries = itertools.repeat(
        '  File "/srv/shop/.venv/lib/python3.12/site-packages/redis/retry.py", line 62, in call\n'
    )
    return (
        f'{_HANDLER}  File "/srv/shop/orders/views.py", line 88, in checkout\n'
        "    cart = cache.get(request.session.session_key)\n"
        f"{''.join(itertools.islice(retries, number % 2))}"
        '  File "/srv/shop/.venv/lib/python3.12/site-packages/redis/connection.py", line 363, in connect\n'
        f"    raise ConnectionError(self._error_message(e))\nredis.exceptions.ConnectionError: {text}"
    )


def _item_trace(item: int) -> str:
    return f'{_HANDLER}  File "/srv/shop/items/views.py", line 31, in item\n    return ITEMS[item_id]\nKeyError: {item}'
