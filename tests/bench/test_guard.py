"""No part of a pipeline may need twice the CPU that it does: compared with the reference loop, never with a clock."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import coverage
import pytest

from tests.bench.guard import MARGIN, PARTS, ratio
from tests.random_cases import share

_PATIENCE = 40
"""Most tries of a part: others who use the memory of a busy machine slow down a part and the reference differently."""


@pytest.fixture(autouse=True)
def _untraced() -> None:
    if coverage.Coverage.current() is not None:
        pytest.skip("coverage slows down the code that it traces, and not the reference loop")


@pytest.mark.sampled
@pytest.mark.parametrize("name", PARTS)
def test_cost(name: str) -> None:
    part = PARTS[name]
    limit = MARGIN * part.usual
    assert ratio(part.build(), part, enough=limit, tries=_PATIENCE) <= limit


@pytest.mark.skipif(share() > 1, reason="--fast")
def test_a_filter_that_is_twice_as_slow_is_noticed() -> None:
    part = PARTS["access_line"]
    pipeline = part.build()
    limit = MARGIN * ratio(pipeline, part)
    slow = dataclasses.replace(pipeline, run=twice_as_slow(pipeline.run))
    assert any(ratio(slow, part, tries=1) > limit for _ in range(_PATIENCE))


def twice_as_slow(work: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does the same and takes twice the CPU."""

    def slow(*arguments: Any) -> Any:
        start = time.process_time()
        result = work(*arguments)
        end = 2 * time.process_time() - start
        while time.process_time() < end:
            pass
        return result

    return slow
