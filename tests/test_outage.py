"""A failure that lasts is logged rarely."""

from __future__ import annotations

from typing import Any

from ingestd.logs import Outage


def test_at_its_start_once_a_minute_and_at_its_end() -> None:
    now, logged = [1000.0], list[tuple[float, str, dict[str, Any]]]()

    def write(sentence: str, **fields: Any) -> None:
        logged.append((now[0] - 1000, sentence, fields))

    outage = Outage(write, "away", write, "back", lambda: now[0])
    outage.recovered()
    for _ in range(1301):
        outage.failed(error="no")
        now[0] += 0.1
    lasted = [outage.ongoing]
    outage.recovered(output="o")
    outage.recovered()
    assert [*lasted, outage.ongoing] == [True, False]
    outage.failed()
    assert [(round(at), sentence, fields) for at, sentence, fields in logged] == [
        (0, "away", {"error": "no"}),
        (60, "away", {"error": "no", "for_seconds": 60}),
        (120, "away", {"error": "no", "for_seconds": 120}),
        (130, "back", {"output": "o", "after_seconds": 130.1}),
        (130, "away", {}),
    ]
