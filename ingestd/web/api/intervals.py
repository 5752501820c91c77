"""How wide the bars of a histogram are, so that a chart has about 60 of them."""

from __future__ import annotations

import math

BARS = 60
MOST_BARS = 2000
"""More than a screen has columns: a histogram with more is refused."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

WIDTHS = (
    *(1, 2, 5, 10, 15, 30),
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 7, 14, 30, 90, 365)),
)
"""Widths in seconds at which people read a clock or a calendar."""


def bar_seconds(span_s: float) -> int:
    """Return the width, one of ``WIDTHS``, that cuts ``span_s`` seconds into about ``BARS`` bars."""
    wanted = max(span_s, 1) / BARS
    return min(WIDTHS, key=lambda width: abs(math.log(width / wanted)))
