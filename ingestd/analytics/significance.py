"""Whether a count has changed between two periods, or differs by chance only."""

from __future__ import annotations

import math

SIGNIFICANT = 10.83
"""Least `log_likelihood_ratio` of a change: chance alone gives it to 1 of 1,000 (chi-squared, 1 degree of freedom)."""

_Z = 1.96
"""Standard errors of a confidence interval of 95 %."""


def log_likelihood_ratio(count: int, total: int, previous: int, previous_total: int) -> float:
    """Return G², which grows the less likely it is that two shares differ by chance; 0 if a total is 0.

    Dunning (1993), "Accurate methods for the statistics of surprise and coincidence"; good for small counts as well.
    """
    if not total or not previous_total:
        return 0.0
    both = (count + previous) / (total + previous_total)
    pairs = ((count, total * both), (previous, previous_total * both))
    return 2 * sum(found * math.log(found / expected) for found, expected in pairs if found)


def certain_ratio(count: int, total: int, previous: int, previous_total: int) -> float:
    """Return the logarithm of how many times as large a share is now, by a cautious estimate.

    That is the end nearer to 1 of the 95 % confidence interval of the ratio, so few events make no large ratio. It is
    positive for a share that grew, negative for one that shrank, and 0 if it may be either. Half an event is added to
    both counts (Haldane, Anscombe), so that they may be 0.
    """
    now, then = count + 0.5, previous + 0.5
    ratio = math.log(now / then) - math.log((total + 0.5) / (previous_total + 0.5))
    margin = _Z * math.sqrt(1 / now + 1 / then)
    return math.copysign(max(abs(ratio) - margin, 0.0), ratio)
