"""One query of the dashboard in a process of its own: ``python -m tests.bench.store_queries ROOT NAME REPEATS``.

Prints the seconds of the first time and of later ones, the CPU seconds of the last one, the highest memory in kB, the
bytes that the first one read from files, and the size of the answer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sized
from datetime import UTC
from pathlib import Path

import duckdb  # noqa: F401 -- a process that answers queries has loaded it

from ingestd.analytics.problems import list_problems
from ingestd.analytics.words import words_report
from ingestd.stores.aggregation import Aggregation, Interval, Metric, Terms
from ingestd.stores.local import LocalStore
from ingestd.stores.query import And, Equal, Gap, Like, Not, Query, Range, Text, level_at_least
from tests.processes import peak_bytes

WARNINGS = Query(condition=level_at_least("WARNING"))
SEARCHES = Equal("search_word", "서울 맛집")
LAST_DAYS = Query(since="2026-11-08T00:00:00Z", until="2026-11-23T00:00:00Z")
"""Of thirty days of events."""

PREFIX = Like("request_path", ("/items/12", Gap.MANY))


def _second_page(store: LocalStore) -> Sized:
    *_, last = store.search(WARNINGS, 50)
    start = time.perf_counter()
    found = list(store.search(WARNINGS, 50, last.cursor))
    _LAPS.append(time.perf_counter() - start)
    return found


_LAPS: list[float] = []


def _first_page(store: LocalStore) -> Sized:
    """Ask what the dashboard asks for its first page, one after the other."""
    visits = Query(condition=Not(Equal("visit", "false")))
    panels = [store.top(field, visits, 10, paths=field == "request_path") for field in _PANELS]
    return [*store.histogram(Query(), 43_200), *store.search(Query(), 100), *panels]


_PANELS = ("search_word", "request_path", "status_code")


def _aggregate(store: LocalStore, metrics: str, by: str = "", seconds: int | None = None) -> Sized:
    terms = tuple(Terms(field, 10, paths=field == "request_path") for field in by.split())
    interval = None if seconds is None else Interval(seconds)
    return store.aggregate(Query(), Aggregation(tuple(map(Metric.parse, metrics.split())), terms, interval))


QUERIES: dict[str, Callable[[LocalStore], Sized]] = {
    "first page of the dashboard": _first_page,
    "indices": lambda store: store.indices(),
    "top words": lambda store: store.top("search_word", Query()),
    "top paths of errors": lambda store: store.top("request_path", Query(condition=Range("status_code", "400", None))),
    "top words of a country": lambda store: store.top(
        "search_word", Query(condition=Equal("geoip.country_code2", "JP"))
    ),
    "top of a field that is not declared": lambda store: store.top("thread_name", Query()),
    "histogram by level, hours": lambda store: store.histogram(Query(), 3600),
    "histogram by level, days of Seoul": lambda store: store.histogram(Query(), 86_400, 9 * 3600),
    "latest 50": lambda store: list(store.search(Query(), 50)),
    "latest 50 WARNING and above": lambda store: list(store.search(WARNINGS, 50)),
    "the next page of them": _second_page,
    "latest 50 of a word": lambda store: list(store.search(Query(condition=SEARCHES), 50)),
    "substring, Korean": lambda store: list(store.search(Query(condition=Text("패: 서울 맛집")), 50)),
    "substring, of no event": lambda store: list(store.search(Query(condition=Text("nosuchword")), 50)),
    "substring, counted": lambda store: range(store.count(Query(condition=Text("internal server")))),
    "path prefix, counted": lambda store: range(store.count(Query(condition=PREFIX))),
    "word and level, counted": lambda store: range(
        store.count(Query(condition=And((SEARCHES, level_at_least("INFO")))))
    ),
    "sum, avg, min, max of a number": lambda store: _aggregate(store, "sum:bytes avg:bytes min:bytes max:bytes"),
    "percentiles of a number by level": lambda store: _aggregate(store, "count p50:bytes p95:bytes p99:bytes", "level"),
    "distinct words by days": lambda store: _aggregate(store, "distinct:search_word", seconds=86_400),
    "words by country": lambda store: _aggregate(store, "count", "geoip.country_code2 search_word"),
    "paths over time": lambda store: _aggregate(store, "count", "request_path", 86_400),
    "words of the last 15 days, compared": lambda store: words_report(store, LAST_DAYS, zone=UTC).words,
    "problems": lambda store: list_problems(store, Query(), {}, now=LAST_DAYS.until or ""),
    "SQL, average by level": lambda store: list(
        store.select("SELECT level, avg(bytes) FROM events GROUP BY level", Query())
    ),
}


def main(root: Path, name: str, repeats: int) -> None:
    """Ask once, then again, ``repeats`` times."""
    store = LocalStore(root)
    seconds, cpu, answer, read = [], 0.0, 0, 0
    for repeat in range(1 + repeats):
        before = _bytes_read()
        _LAPS.clear()
        start, cpu = time.perf_counter(), time.process_time()
        answer = len(QUERIES[name](store))
        seconds.append(_LAPS[0] if _LAPS else time.perf_counter() - start)
        cpu = time.process_time() - cpu
        read = read if repeat else _bytes_read() - before
    memory = peak_bytes(os.getpid())
    figures = {"cold": seconds[0], "warm": sorted(seconds[1:]), "cpu": cpu, "memory_kb": memory >> 10, "answer": answer}
    print(json.dumps(figures | {"read_bytes": read}))


def _bytes_read() -> int:
    """Return how many bytes this process has read by system calls (proc(5), io)."""
    line = Path("/proc/self/io").read_text("ascii").splitlines()[0]
    return int(line.removeprefix("rchar: "))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
