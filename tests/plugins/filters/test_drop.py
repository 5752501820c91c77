"""The filter ``drop``."""

from __future__ import annotations

import pytest

from ingestd.plugins.registry import BuildContext
from tests.plugins.filters.tables import Case, build, check, options_of, spec_of

CASES = [
    Case("all", {}, {"a": 1}, {"a": 1}, True),
    Case("hundred", {"percentage": 100}, {"a": 1}, {"a": 1}, True),
    Case("none", {"percentage": 0}, {"a": 1}, {"a": 1}, False),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_drop(case: Case) -> None:
    """True drops the event."""
    check("drop", case)


def test_percentage() -> None:
    drop = build("drop", percentage=40)
    dropped = sum(drop({}) for _ in range(10_000))
    assert 3_500 < dropped < 4_500  # ten standard deviations


def test_common_options_run_for_what_stays() -> None:
    event: dict[str, str] = {}
    context = BuildContext(common_options=lambda kept: kept.update(stays="yes"))
    spec_of("drop").build(options_of("drop", {"percentage": 0}), context)(event)
    assert event == {"stays": "yes"}
