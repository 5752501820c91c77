"""How many random cases and combinations are tried: under ``pytest --fast`` a tenth."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import settings

_share = 1

Row = TypeVar("Row")


def use_a_tenth() -> None:
    """Try a tenth of the cases, also of properties without a number of their own; before test modules are imported."""
    global _share  # noqa: PLW0603 -- decorators run when a module is imported
    _share = 10
    usual = settings.get_profile(settings.get_current_profile_name())
    settings.register_profile("fast", usual, max_examples=usual.max_examples // _share)
    settings.load_profile("fast")


def random_cases(count: int) -> settings:
    """Return the settings of a property that is tried with another number of cases than usual."""
    return settings(max_examples=max(count // _share, 1))


def sampled(table: Sequence[Row]) -> list[Row]:
    """Return a large table, such as one of combinations, or a tenth of its rows: in each run others.

    The processes of pytest-xdist choose the same rows.
    """
    if _share == 1:
        return list(table)
    rnd = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID"))
    return [table[at] for at in sorted(rnd.sample(range(len(table)), max(len(table) // _share, 1)))]
