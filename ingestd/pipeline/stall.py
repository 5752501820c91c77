"""Outputs that deliver nothing although events wait for them, whatever the cause."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ingestd.units import format_duration

STALLED_SECONDS = 10.0
"""An output that delivers nothing for this long while events wait is reported."""


class Stall(NamedTuple):
    """One output; ``str()`` is a sentence."""

    pipeline: str
    output: str
    seconds: float
    """How long it has delivered nothing."""
    oldest_seconds: float
    """How long ago the oldest event that waits for it was received."""
    reason: str
    """Empty: not known."""

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return (
            f"output {self.output} of pipeline {self.pipeline} has delivered nothing for {_shown(self.seconds)}, "
            f"its oldest event has waited for {_shown(self.oldest_seconds)}{reason}"
        )

    def document(self) -> dict[str, str | int]:
        """Return it as JSON, for ``/health``."""
        numbers: dict[str, str | int] = {
            "seconds": round(self.seconds),
            "oldest_event_seconds": round(self.oldest_seconds),
        }
        return numbers | {"pipeline": self.pipeline, "output": self.output, "reason": self.reason}


def worst(stalls: Iterable[Stall]) -> list[Stall]:
    """Return one for each output: that of the process with the oldest event."""
    found: dict[tuple[str, str], Stall] = {}
    for stall in stalls:
        known = found.setdefault(stall[:2], stall)
        if stall.oldest_seconds > known.oldest_seconds:
            found[stall[:2]] = stall
    return list(found.values())


def _shown(seconds: float) -> str:
    return format_duration(max(round(seconds), 0))
