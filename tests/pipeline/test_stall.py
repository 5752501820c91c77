"""What is reported of outputs that deliver nothing."""

from __future__ import annotations

from ingestd.pipeline.stall import Stall, worst

OLD = Stall("main", "store_0", 35.2, 60.0, "No space left on device")


def test_it_is_a_sentence() -> None:
    assert str(OLD) == (
        "output store_0 of pipeline main has delivered nothing for 35s, its oldest event has waited for 1m: "
        "No space left on device"
    )
    assert str(OLD._replace(reason="")).endswith("waited for 1m")
    assert OLD.document() == {
        "pipeline": "main",
        "output": "store_0",
        "seconds": 35,
        "oldest_event_seconds": 60,
        "reason": "No space left on device",
    }


def test_the_worst_of_several_workers() -> None:
    other = OLD._replace(output="file_0")
    assert worst([OLD, other, OLD._replace(oldest_seconds=61)]) == [OLD._replace(oldest_seconds=61), other]
    assert worst([]) == []
