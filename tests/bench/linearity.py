"""How the cost grows: with the number of events, and with the number of grok patterns."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.cases import grok_config
from tests.bench.cost import full_chunks, times
from tests.bench.events import make_lines
from tests.bench.options import Options
from tests.bench.results import Result, Unit
from tests.bench.stages import least_us, pipeline_of

_LINES, _ROUNDS = 20_000, 5
_PATTERNS = (1, 10, 50)


def linearity(options: Options) -> Iterator[Result]:
    """Measure N and 10 N events, and 1, 10 and 50 patterns of which the last one matches."""
    few, many = full_chunks("default", options.events // 10), full_chunks("default", options.events)
    title = f"{options.events:,} events against {options.events // 10:,}, cost of an event"
    yield Result(title, times(many, few), Unit.TIMES, goal=1.1)
    costs = {}
    for patterns in _PATTERNS:
        spent, loop = least_us(pipeline_of(grok_config(patterns)), make_lines(_LINES), _ROUNDS)
        costs[patterns] = spent["filter"] / loop.us
        yield Result(f"filter stage, grok with {patterns} patterns", spent["filter"], Unit.CPU_US, loop)
    fewest, *_, most = _PATTERNS
    title = f"grok with {most} patterns against {fewest}"
    yield Result(title, costs[most] / costs[fewest], Unit.TIMES, goal=most / fewest / 2)
