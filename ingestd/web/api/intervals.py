"""The width of a histogram's bars, chosen so that a chart has about 60 of them."""

from __future__ import annotations

import math

BARS = 60
MAX_BARS = 2000
"""More than a screen has columns; a histogram with more is rejected."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

WIDTHS = (
    *(1, 2, 5, 10, 15, 30),
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 7, 14, 30, 90, 365, 730, 1825, 3650, 7300, 18_250, 36_500)),
)
"""Widths in seconds that are round on a clock or a calendar."""


def bar_seconds(span_s: float) -> int:
    """Return the width, one of ``WIDTHS``, that divides ``span_s`` seconds into about ``BARS`` bars."""
    wanted = max(span_s, 1) / BARS
    return min(WIDTHS, key=lambda width: abs(math.log(width / wanted)))
