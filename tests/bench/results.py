"""The figures of the benchmark, as lines for a terminal and for a table in Markdown."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tests.bench.reference import Reference


class Unit(enum.StrEnum):
    """What a figure counts. CPU is user and system time of all processes of the daemon."""

    CPU_US = "CPU us per event"
    CPU_S = "CPU s"
    RATE = "events/s"
    MS = "ms"
    MB = "MB PSS"
    BYTES = "bytes per event"
    TIMES = "times"


@dataclass(frozen=True, slots=True)
class Result:
    """A figure, and what the reference loop cost in the same seconds.

    Attributes:
        goal: At most this, or at least, if ``at_least``; None: no goal.
    """

    name: str
    value: float
    unit: Unit
    reference: Reference | None = None
    goal: float | None = None
    at_least: bool = False

    @property
    def ratio(self) -> float | None:
        """The figure divided by what the reference loop needs for an event, or makes of events in a second.

        CPU is compared with the loop's CPU; latency and events per second are compared with the time that it took.
        """
        if self.reference is None:
            return None
        cpu_us, wall_us = self.reference.us, self.reference.us * self.reference.load
        ratios = {
            Unit.CPU_US: self.value / cpu_us,
            Unit.CPU_S: self.value * 1e6 / cpu_us,
            Unit.MS: self.value * 1e3 / wall_us,
            Unit.RATE: self.value * wall_us / 1e6,
        }
        return ratios.get(self.unit)

    @property
    def verdict(self) -> str:
        """Whether the goal is met."""
        if self.goal is None:
            return ""
        return "met" if (self.value >= self.goal if self.at_least else self.value <= self.goal) else "not met"

    def columns(self) -> list[str]:
        """Return the texts for `HEADS`."""
        goal = "" if self.goal is None else f"{'>=' if self.at_least else '<='} {_number(self.goal)}"
        us, load = (f"{self.reference.us:.2f}", f"{self.reference.load:.1f}") if self.reference else ("", "")
        ratio = "" if self.ratio is None else _number(self.ratio)
        return [self.name, _number(self.value), self.unit, goal, self.verdict, ratio, us, load]


HEADS = ["measurement", "figure", "unit", "goal", "", "ratio", "reference us", "load"]
_WIDTHS = [64, 10, 17, 11, 8, 11, 13, 6]


def line(columns: list[str]) -> str:
    """Return the columns for a terminal."""
    name, *figures = columns
    cells = [name.ljust(_WIDTHS[0])]
    cells += [
        text.rjust(width) if at != 1 else f" {text:{width}}"
        for at, (text, width) in enumerate(zip(figures, _WIDTHS[1:], strict=True))
    ]
    return "".join(cells).rstrip()


def markdown(results: list[Result]) -> list[str]:
    """Return the lines of a table."""
    rows = [HEADS, ["---"] * len(HEADS), *(result.columns() for result in results)]
    return [f"| {' | '.join(row)} |" for row in rows]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
