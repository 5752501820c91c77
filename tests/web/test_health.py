from typing import Any

import pytest

from ingestd.web.health import Health

CASES = [  # id, state, live, ready, reasons
    ("well", Health(), True, True, []),
    ("starting", Health(not_ready=("the inputs are not open yet",)), True, False, ["the inputs are not open yet"]),
    ("stuck", Health(not_live=("the worker is stuck",)), False, False, ["the worker is stuck"]),
    ("both", Health(("a",), ("b",)), False, False, ["a", "b"]),
    ("degraded", Health(degraded=("no backup",)), True, True, ["no backup"]),
]


@pytest.mark.parametrize(("state", "live", "ready", "reasons"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_health(state: Health, live: bool, ready: bool, reasons: list[str]) -> None:
    degraded = bool(state.degraded)
    assert state.document() == {"live": live, "ready": ready, "degraded": degraded, "reasons": reasons}


def test_details_come_along() -> None:
    details: dict[str, Any] = {"queue": {"events": 3}}
    assert Health(details=details).document()["details"] == details
