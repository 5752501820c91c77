"""What the API shows of values that are too long to be shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingestd.stores.local import LocalStore
from ingestd.web.processes.query_calls import MAX_VALUE_CHARS, QueryCalls
from ingestd.web.protocol import QueryProcessConfig
from tests.analytics.conftest import fill

pytestmark = pytest.mark.usefixtures("shared_duckdb")

EVENTS: list[dict[str, Any]] = [
    *({"level": "x" * 100_000 + end} for end in "ab"),
    {"level": "INFO", "log": {"level": "error"}},
    {"log": {"level": "error"}},
]
CUT = "x" * MAX_VALUE_CHARS + "…"
QUERY = {"q": "", "since": "2026-11-22T00:00:00Z", "until": "2026-11-23T00:00:00Z", "now": "2026-11-23T00:00:00Z"}
BARS = {"seconds": 86_400, "offset": 0, "field": "level"}
ANSWERS: list[tuple[str, dict[str, Any], str, Any]] = [  # call, arguments, part of the answer, and what it is
    ("top", {"field": "level", "n": 9}, "values", [{"value": CUT, "count": 1}] * 2 + [{"value": "INFO", "count": 1}]),
    ("histogram", BARS, "total", 4),
    (
        "histogram",
        BARS,
        "buckets",
        [{"time": "2026-11-22T00:00:00.000Z", "counts": {CUT.upper(): 2, "INFO": 1, "ERROR": 1}}],
    ),
    (
        "aggregate",
        {"metrics": ["count"], "by": ["level"], "n": 9, "paths": False, "seconds": 0, "offset": 0},
        "buckets",
        [{"key": {"level": level}, "metrics": {"count": 1}} for level in ("INFO", CUT, CUT)],
    ),
]


def test_long_values_are_cut(tmp_path: Path) -> None:
    fill(tmp_path, [{"@timestamp": "2026-11-22T10:00:00.000Z", "message": "x"} | event for event in EVENTS])
    store = LocalStore(tmp_path, threads=1)
    calls = QueryCalls(lambda: store, QueryProcessConfig(str(tmp_path), 1 << 28, 60))
    for call, arguments, part, expected in ANSWERS:
        found = json.loads(calls.run(call, QUERY | arguments).body)[part]
        if part == "values":
            found.sort(key=lambda value: value["value"], reverse=True)
        assert found == expected, call
    store.close()
