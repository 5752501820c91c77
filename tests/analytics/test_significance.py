"""Changes, and what chance makes of none."""

from __future__ import annotations

import math
import random

import pytest

from ingestd.analytics.significance import SIGNIFICANT, certain_ratio, log_likelihood_ratio


@pytest.mark.parametrize(
    ("count", "total", "previous", "previous_total", "expected"),
    [
        pytest.param(1, 1000, 3, 1000, False, id="1_to_3_is_noise"),
        pytest.param(2, 1000, 20, 1000, True, id="tenfold"),
        pytest.param(0, 1000, 7, 1000, False, id="few_are_no_news"),
        pytest.param(0, 1000, 8, 1000, True, id="new"),
        pytest.param(100, 1000, 200, 2000, False, id="twice_as_many_of_twice_as_many"),
        pytest.param(0, 0, 90, 1000, False, id="nothing_to_compare_with"),
    ],
)
def test_significant(count: int, total: int, previous: int, previous_total: int, expected: bool) -> None:
    """A change is as significant as its reverse."""
    assert (log_likelihood_ratio(count, total, previous, previous_total) >= SIGNIFICANT) is expected
    assert (log_likelihood_ratio(previous, previous_total, count, total) >= SIGNIFICANT) is expected


def test_a_reference() -> None:
    """The example of Rayson and Garside (2000) computed by hand: 2 (a ln(a/E1) + b ln(b/E2))."""
    expected = 2 * (90 * math.log(90 / 49.5) + 9 * math.log(9 / 49.5))
    assert log_likelihood_ratio(90, 500, 9, 500) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("more", "less"),
    [
        pytest.param((90, 9), (45, 3), id="more_events_are_more_certain"),
        pytest.param((90, 9), (1600, 1000), id="tenfold_before_much"),
        pytest.param((20, 2), (12, 1), id="twelvefold_of_1_is_less"),
    ],
)
def test_order(more: tuple[int, int], less: tuple[int, int]) -> None:
    assert certain_ratio(more[0], 10_000, more[1], 10_000) > certain_ratio(less[0], 10_000, less[1], 10_000) > 0
    assert certain_ratio(more[1], 10_000, more[0], 10_000) < certain_ratio(less[1], 10_000, less[0], 10_000) < 0


def test_chance_makes_few_changes() -> None:
    """Of 2,000 words that are searched for as often as before, about 2 seem to have changed."""
    chance = random.Random(16)

    def drawn() -> int:
        return sum(chance.random() < 0.01 for _ in range(1000))

    pairs = [(drawn(), drawn()) for _ in range(200)]
    assert sum(log_likelihood_ratio(a, 10_000, b, 10_000) >= SIGNIFICANT for a, b in pairs) <= 2
