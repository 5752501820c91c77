"""The page of figures has one place for each measurement, and the text around it stays."""

from __future__ import annotations

import pytest

from tests.bench.__main__ import MEASUREMENTS
from tests.bench.page import PATH, replaced
from tests.bench.reference import Reference
from tests.bench.results import Result, Unit, markdown


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_place(name: str) -> None:
    page = PATH.read_text("utf-8")
    written = replaced(page, name, "| a |")
    assert f"<!-- table {name} -->\n| a |\n<!-- end of {name} -->" in written
    assert replaced(replaced(page, name, ""), name, "| a |") == written


def test_no_place() -> None:
    with pytest.raises(ValueError, match="once"):
        replaced("# Performance\n", "cpu", "| a |")


RESULTS = [  # id, result, its row
    (
        "cost",
        Result("default", 8.0, Unit.CPU_US, Reference(2.0, 1.04), goal=6.3),
        "| default | 8.00 | CPU us per event | <= 6.30 | not met | 4.00 | 2.00 | 1.0 |",
    ),
    (
        "rate",
        Result("default", 250_000, Unit.RATE, Reference(2.0, 1.5), goal=250_000, at_least=True),
        "| default | 250,000 | events/s | >= 250,000 | met | 0.75 | 2.00 | 1.5 |",
    ),
    (
        "start",
        Result("check", 0.3, Unit.CPU_S, Reference(2.0, 1.0), goal=0.4),
        "| check | 0.30 | CPU s | <= 0.40 | met | 150,000 | 2.00 | 1.0 |",
    ),
    ("memory", Result("idle", 99.0, Unit.MB), "| idle | 99.00 | MB PSS |  |  |  |  |  |"),
]


@pytest.mark.parametrize(("result", "row"), [row[1:] for row in RESULTS], ids=[row[0] for row in RESULTS])
def test_row(result: Result, row: str) -> None:
    assert markdown([result])[-1] == row
