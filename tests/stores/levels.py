"""Events with a level in one of its fields, in both, or in none: which level counts, on each store."""

from __future__ import annotations

import json
from typing import Any

from ingestd.stores import lucene
from ingestd.stores.base import LogStore
from ingestd.stores.level_histogram import level_histogram
from ingestd.stores.query import Query, level_at_least

DAY = "2026.11.22"
EVENTS: dict[str, tuple[dict[str, Any], str]] = {  # key: what has a level, and the level that it is shown with
    "own": ({"level": "INFO", "log": {"level": "error"}}, "INFO"),
    "own_and_dotted": ({"level": "info", "log.level": "error"}, "info"),
    "nested": ({"log": {"level": "error"}}, "error"),
    "dotted": ({"log.level": "Error"}, "Error"),
    "null": ({"level": None, "log": {"level": "error"}}, "error"),
    "empty": ({"level": "", "log": {"level": "error"}}, "error"),
    "empty_array": ({"level": [], "log": {"level": "error"}}, "error"),
    "array": ({"level": ["INFO", "CRITICAL"], "log": {"level": "info"}}, "CRITICAL"),
    "nested_array": ({"log": {"level": ["debug", "error"]}}, "error"),
    "other": ({"level": "NOTICE", "log": {"level": "error"}}, "NOTICE"),
    "none": ({}, ""),
}
DOCUMENTS = {
    key: json.dumps({"@timestamp": f"2026-11-22T10:00:{number:02}.000Z", "message": key} | event).encode()
    for number, (key, (event, _)) in enumerate(EVENTS.items())
}
ERRORS = ["array", "dotted", "empty", "empty_array", "nested", "nested_array", "null"]
IN_PAGE = '(level:>={0} OR (log.level:>={0} AND NOT (level:* AND NOT level:"")))'
"""The same condition as the page writes it."""


def check(store: LogStore) -> None:
    """Make sure that a store with these events finds and counts each by its own level."""
    assert _found(store, "error") == ERRORS
    assert _found(store, "info") == sorted([*ERRORS, "own", "own_and_dotted"])
    assert _found(store, "notice") == ["other"]
    (bucket,) = level_histogram(lambda query, field: store.histogram(query, 86_400, 0, field), Query(), "level")
    assert bucket.counts == {"INFO": 3, "CRITICAL": 1, "NOTICE": 1, "ERROR": 6, "DEBUG": 1, "": 1}
    (by_other,) = level_histogram(lambda query, field: store.histogram(query, 86_400, 0, field), Query(), "log.level")
    assert by_other.counts["INFO"] == 1


def _found(store: LogStore, level: str) -> list[str]:
    condition = level_at_least(level)
    keys = sorted(str(json.loads(hit.document)["message"]) for hit in store.search(Query(condition=condition)))
    if level != "notice":
        text = IN_PAGE.format(level.upper())
        assert store.count(Query(condition=lucene.parse(text))) == len(keys)
    return keys
