"""Durations as Logstash's input ``file`` reads them: ``1 second``, ``500 ms``, ``2 weeks``, or a number."""

from __future__ import annotations

import re

from ingestd.plugins.registry import OptionError

_DURATION = re.compile(
    r"(?P<number>\d+(?:\.\d+)?)\s?(?P<unit>us|ms|s|m|h|d|w|usecs?|msecs?|secs?|seconds?|mins?|minutes?|hours?|days?|"
    r"weeks?)?"
)
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def seconds(name: str, text: str, *, unit: float = 1) -> float:
    """Return the duration in seconds; ``unit``: what a number without a unit means. Raises OptionError."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise OptionError(f"{name}: {text!r} is no duration", text, "write it as 10, 500 ms, 15 seconds or 2 weeks")
    word = match["unit"] or ""
    key = word if word in _SECONDS else word[:2] if word[:2] in ("us", "ms") else word[:1]
    return float(match["number"]) * (_SECONDS[key] if key else unit)
