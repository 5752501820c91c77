"""How many random cases, kills and combinations are tried: more in ``make chaos``, a tenth under ``pytest --fast``."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import settings

LONG = os.environ.get("INGESTD_TEST_CHAOS") == "long"
"""Whether this is ``make chaos``."""

_LONGER = 10
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
    return settings(max_examples=count * _LONGER if LONG else max(count // _share, 1))


def share(usual: int = 1) -> int:
    """Return of how many rows or steps one is tried, if in ``make test`` it is one of ``usual``."""
    return 1 if LONG else usual * _share


def sampled(table: Sequence[Row], usual: int = 1) -> list[Row]:
    """Return the rows of a large table, such as one of combinations, that are tried: see `share`. In each run others.

    The processes of pytest-xdist choose the same rows.
    """
    if share(usual) == 1:
        return list(table)
    rnd = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID"))
    return [table[at] for at in sorted(rnd.sample(range(len(table)), max(len(table) // share(usual), 1)))]
