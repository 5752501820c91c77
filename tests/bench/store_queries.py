"""One query of the dashboard in a process of its own: ``python -m tests.bench.store_queries ROOT NAME``.

Prints the seconds of the first time and of later ones, the CPU seconds of the last one, the highest memory in kB
and the size of the answer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sized
from pathlib import Path

import duckdb  # noqa: F401 -- a process that answers queries has loaded it

from ingestd.stores.local import LocalStore
from ingestd.stores.query import And, Equal, Gap, Like, Query, Range, Text, level_at_least
from tests.processes import peak_bytes

WARNINGS = Query(condition=level_at_least("WARNING"))
SEARCHES = Equal("search_word", "서울 맛집")
PREFIX = Like("request_path", ("/items/12", Gap.MANY))


def _second_page(store: LocalStore) -> Sized:
    *_, last = store.search(WARNINGS, 50)
    begin = time.perf_counter()
    found = list(store.search(WARNINGS, 50, last.cursor))
    _LAPS.append(time.perf_counter() - begin)
    return found


_LAPS: list[float] = []


QUERIES: dict[str, Callable[[LocalStore], Sized]] = {
    "indices": lambda store: store.indices(),
    "top words": lambda store: store.top("search_word", Query()),
    "top paths of errors": lambda store: store.top("request_path", Query(condition=Range("status_code", "400", None))),
    "top words of a country": lambda store: store.top(
        "search_word", Query(condition=Equal("geoip.country_code2", "JP"))
    ),
    "top of a field without a column": lambda store: store.top("thread_name", Query()),
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
}


def main(root: Path, name: str, repeats: int = 5) -> None:
    """Ask once, then again."""
    store = LocalStore(root)
    seconds, cpu, answer = [], 0.0, 0
    for _ in range(1 + repeats):
        _LAPS.clear()
        begin, cpu = time.perf_counter(), time.process_time()
        answer = len(QUERIES[name](store))
        seconds.append(_LAPS[0] if _LAPS else time.perf_counter() - begin)
        cpu = time.process_time() - cpu
    memory = peak_bytes(os.getpid())
    figures = {"cold": seconds[0], "warm": sorted(seconds[1:]), "cpu": cpu, "memory_kb": memory >> 10, "answer": answer}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
