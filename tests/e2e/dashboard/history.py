"""Thirty days of a Django site's log, of which every answer is known."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Seoul")
"""Where the browser of the tests is, so that "14:00" is not the server's."""

TRACE = """Traceback (most recent call last):
  File "/srv/shop/venv/lib/python3.13/site-packages/django/core/handlers/exception.py", line 42, in inner
    response = get_response(request)
  File "/srv/shop/venv/lib/python3.13/site-packages/django/core/handlers/base.py", line 253, in _get_response
    response = wrapped_callback(request, *callback_args, **callback_kwargs)
  File "/srv/shop/orders/views.py", line 88, in checkout
    total = sum(item.price for item in cart.items)
TypeError: unsupported operand type(s) for *: 'NoneType' and 'int'"""
HOSTILE = "<img src=x onerror=alert(1)>"
DAYS = 30
HOSTS = ("web-1", "web-2")
KOREA = (("KR", "Seoul", "Gangnam-gu"), ("KR", "Gyeonggi-do", "Suwon"), ("KR", "Busan", "Busan"))
DURATIONS_MS = {"서울 맛집": 40, "부산 여행": 60, "jeju": 250}
SLOW_MS, FAILED_MS = 900, 1500
"""How long a search for any other word takes, and a request that fails."""


CHECKOUT = "/checkout/%EA%B2%B0%EC%A0%9C"
"""The path of the view that fails, as browsers send `/checkout/결제`."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One event, and what is expected to be read out of it."""

    time: dt.datetime
    level: str
    message: str
    word: str = ""
    place: tuple[str, ...] = ()
    host: str = HOSTS[0]
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def country(self) -> str:
        return self.place[0] if self.place else ""

    @property
    def status(self) -> int:
        return int(self.more.get("status_code") or self.message.split()[-2])

    @property
    def event(self) -> dict[str, Any]:
        stamp = self.time.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event = {"@timestamp": stamp, "@version": "1", "type": "django", "level": self.level, "message": self.message}
        names = ("country_code2", "region_name", "city_name")
        place = {"geoip": dict(zip(names, self.place, strict=False))} if self.place else {}
        return event | {"host": self.host} | place | self.more


def search(time: dt.datetime, word: str, *place: str, host: str = HOSTS[0]) -> Sent:
    """Return the access line of a search; ``place``: country, and region and city if they are known."""
    more = {"duration_ms": DURATIONS_MS.get(word, SLOW_MS)}
    return Sent(time, "INFO", f'"GET /search?q={quote_plus(word)} HTTP/1.1" 200 5316', word, place, host, more)


def warning(time: dt.datetime) -> Sent:
    """Return what Django says of a page that is not there."""
    return Sent(time, "WARNING", "Not Found: /wp-login.php", host=HOSTS[1], more={"status_code": 404})


def failure(time: dt.datetime) -> list[Sent]:
    """Return what Django says of a view that raises, and the access line of a second later."""
    more = {"status_code": 500, "stack_trace": TRACE, "tags": ["django", "checkout"]}
    line = f'"GET {CHECKOUT} HTTP/1.1" 500 145'
    return [
        Sent(time, "ERROR", "Internal Server Error: /checkout", more=more),
        Sent(time + dt.timedelta(seconds=1), "INFO", line, more={"duration_ms": FAILED_MS}),
    ]


@dataclass(frozen=True)
class History:
    """All that was sent; ``now`` is when that was."""

    now: dt.datetime
    sent: tuple[Sent, ...]

    def between(self, since: dt.datetime, until: dt.datetime) -> list[Sent]:
        return [sent for sent in self.sent if since <= sent.time < until]

    @property
    def incident(self) -> tuple[dt.datetime, dt.datetime]:
        """The ten minutes of yesterday in which something happened: 14:00 to 14:10 where the browser is."""
        yesterday = self.now.astimezone(ZONE).replace(hour=14, minute=0, second=0, microsecond=0) - dt.timedelta(days=1)
        return yesterday, yesterday + dt.timedelta(minutes=10)


def words(sent: list[Sent]) -> Counter[str]:
    """Return how often each word was searched."""
    return Counter(event.word for event in sent if event.word)


def make(now: dt.datetime) -> History:
    """Return the history up to ``now``."""
    sent: list[Sent] = []
    for day in range(1, DAYS):
        morning = now.astimezone(ZONE).replace(hour=10, minute=0, second=0, microsecond=0) - dt.timedelta(days=day)
        at = [morning + dt.timedelta(minutes=7 * n) for n in range(8)]
        found = ["서울 맛집"] * 4 + ["부산 여행"] * 2 + ["jeju"]
        places = [KOREA[0], KOREA[0], KOREA[1], KOREA[2], KOREA[2], ("US",), ("US",)]
        sent += [search(time, word, *place) for time, word, place in zip(at[:7], found, places, strict=True)]
        sent.append(warning(at[7]))
    incident = History(now, ()).incident[0]
    sent += [search(incident + dt.timedelta(seconds=40 * n), "제주 렌터카", "JP", host=HOSTS[n % 2]) for n in range(5)]
    sent += [warning(incident + dt.timedelta(minutes=n, seconds=5)) for n in range(2, 6)]
    for n in range(6, 9):
        sent += failure(incident + dt.timedelta(minutes=n, seconds=30))
    recent = now - dt.timedelta(minutes=4)
    sent += [search(recent + dt.timedelta(seconds=n), "서울 맛집", "KR") for n in range(3)]
    sent += [search(recent, HOSTILE, "DE"), warning(recent), *failure(recent + dt.timedelta(seconds=9))]
    return History(now, tuple(sorted(sent, key=lambda event: event.time)))
