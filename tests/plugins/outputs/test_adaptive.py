"""The limit follows the server: up slowly while it answers well, down at once when it does not."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins.outputs._adaptive import AdaptiveLimit

CASES = {  # id: (what happens, the limit after it), beginning with 2 of at most 8
    "nothing": ("", 2),
    "one_good": ("g", 2),
    "a_round_of_good": ("ggg", 3),
    "good_for_long": ("g" * 100, 8),
    "bad_halves": ("g" * 100 + "b", 4),
    "bad_again": ("g" * 100 + "bb", 2),
    "never_below_one": ("b" * 10, 1),
    "slow_is_bad": ("g" * 100 + "s", 4),
    "recovers": ("b" * 10 + "g" * 100, 8),
}


@pytest.mark.parametrize(("story", "limit"), CASES.values(), ids=CASES.keys())
def test_limit(story: str, limit: int) -> None:
    adaptive = AdaptiveLimit(8)
    for letter in story:
        if letter == "b":
            adaptive.bad()
        else:
            adaptive.good(1.0 if letter == "s" else 0.1)
    assert adaptive.limit == limit


@given(st.text("gb", max_size=200))
def test_the_limit_stays_in_its_bounds(story: str) -> None:
    adaptive = AdaptiveLimit(8)
    for letter in story:
        adaptive.bad() if letter == "b" else adaptive.good(0.1)
        assert 1 <= adaptive.limit <= 8


async def test_no_more_than_the_limit_are_under_way() -> None:
    adaptive = AdaptiveLimit(8)
    under_way, most = 0, 0

    async def request() -> None:
        nonlocal under_way, most
        async with adaptive.slot():
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

    await asyncio.gather(*(request() for _ in range(50)))
    assert (most, under_way) == (2, 0)
