"""What rules measure: the same on every store."""

from __future__ import annotations

from typing import Any

import pytest

from ingestd.alerts.evaluation import Measured, measure
from ingestd.alerts.preview import preview
from ingestd.alerts.rules import make_rule
from ingestd.alerts.state import RuleState
from ingestd.event.jsontext import dumps
from ingestd.event.timestamp import from_epoch
from ingestd.settings import parse_rule
from ingestd.stores.base import LogStore
from tests.alerts.site import START


def _event(ago: float, **fields: Any) -> bytes:
    return dumps({"@timestamp": from_epoch(START - ago), "level": "ERROR", "message": "it went wrong\nmore", **fields})


EVENTS = {  # from the day before, the window before the last, and the last
    "a1": _event(80_000, problem="old", problem_title="Old"),
    "b1": _event(500, level="INFO", duration_ms=900),
    "b2": _event(400, problem="old", duration_ms=10),
    "c1": _event(299, problem="old", duration_ms=10),
    "c2": _event(200, problem="new", problem_title="ValueError in views.py", duration_ms=20),
    "c3": _event(100, problem="new", problem_title="ValueError in views.py", duration_ms=30),
    "c4": _event(0.001, problem="untitled", duration_ms=40),
    "d1": _event(0, level="ERROR", problem="later", duration_ms=5000),
}
INDEX = "2026.11.19"

RULES: list[tuple[dict[str, Any], Measured]] = [
    ({"above": 1, "query": "level:ERROR"}, Measured(4)),
    ({"above": 1, "query": "level:INFO"}, Measured(0)),
    ({"type": "rate", "above": 1}, Measured(4 / 300)),
    ({"type": "change", "above": 1, "minimum": 2}, Measured(2.0)),
    ({"type": "change", "above": 1, "minimum": 5}, Measured(None)),
    ({"type": "metric", "above": 1, "metric": "avg:duration_ms"}, Measured(25.0)),
    ({"type": "metric", "above": 1, "metric": "p95:duration_ms"}, Measured(pytest.approx(38.5, abs=1.6))),  # type: ignore[arg-type]
    ({"type": "metric", "above": 1, "metric": "max:duration_ms"}, Measured(40.0)),
    ({"type": "metric", "above": 1, "metric": "avg:duration_ms", "query": "level:FATAL"}, Measured(None)),
    ({"type": "silence"}, Measured(4)),
    (
        {"type": "new_problem"},
        Measured(2, (("new", "ValueError in views.py"), ("untitled", "it went wrong"))),
    ),
]


def check(store: LogStore) -> None:
    """Assert that a store that has EVENTS measures what RULES say, and that previews agree with that."""
    for raw, expected in RULES:
        rule = make_rule("a", parse_rule(raw), ())
        state = RuleState()
        assert measure(store, rule, state, START) == expected, raw
        assert preview(store, rule, START, 1)["points"][-1]["value"] == expected.value, raw
        if rule.type == "new_problem":
            assert measure(store, rule, state, START) == Measured(2), "they are noted once"
