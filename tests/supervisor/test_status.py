"""The sentence for ``systemctl status``."""

from __future__ import annotations

from typing import Any

import pytest

from ingestd.supervisor.status import describe


def report(waiting: int, *problems: str) -> dict[str, Any]:
    return {"type": "alive", "waiting": waiting, "problems": list(problems)}


CASES = [  # id, state, workers, their reports, sentence
    ("well", "running", 1, [report(0)], "running: 1 worker, 0 events waiting"),
    ("busy", "reloading", 2, [report(1000), report(234)], "reloading: 2 workers, 1,234 events waiting"),
    ("one_is_missing", "running", 2, [report(1)], "running: 1 of 2 workers, 1 event waiting"),
    (
        "problems_of_both",
        "running",
        2,
        [report(0, "a", "b\nc"), report(0, "a")],
        "running: 2 workers, 0 events waiting, problem: a (and 1 more)",
    ),
]


@pytest.mark.parametrize(
    ("state", "workers", "reports", "sentence"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_sentences(state: str, workers: int, reports: list[dict[str, Any]], sentence: str) -> None:
    assert describe(state, workers, reports) == sentence


def test_a_long_problem_is_cut() -> None:
    text = describe("running", 1, [report(0, "first\n" + "x" * 1000)])
    assert (len(text), text[-3:], "\n" in text) == (250, "...", False)
