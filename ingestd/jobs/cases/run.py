"""Run cases: each with a pipeline of its own, as filters may remember events."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ingestd.config.errors import ConfigErrors
from ingestd.config.nodes import Config
from ingestd.diagnosis.trace import Trace, Tracing, UnknownInputError
from ingestd.event.jsontext import dumps
from ingestd.jobs.cases.case import Case, Source
from ingestd.jobs.cases.compare import differences
from ingestd.plugins.interfaces import UndecodableError
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings

LoadConfig = Callable[[Source], Config]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case: it failed if there are ``differences``, and could not run if there is an ``error``."""

    case: Case
    seconds: float
    differences: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether all came out as expected."""
        return not (self.differences or self.error)


def run_case(case: Case, load: LoadConfig, settings: Settings) -> Outcome:
    """Run a case; ``load`` returns its config, or raises ConfigErrors."""
    started = time.perf_counter()
    try:
        found = differences(case, traces_of(case, load(case.source), settings))
        return Outcome(case, time.perf_counter() - started, found)
    except ConfigErrors as errors:
        return Outcome(case, time.perf_counter() - started, error=errors.render())
    except (UnknownInputError, UndecodableError) as error:
        return Outcome(case, time.perf_counter() - started, error=str(error))


def traces_of(case: Case, config: Config, settings: Settings) -> list[Trace]:
    """Return the traces of the events of a case, which reach the filters together.

    Raises:
        ConfigErrors: The config is wrong.
        UnknownInputError: It does not have the input of the case.
    """
    tracing = Tracing(config, BuildContext(settings=settings, again=case.again))
    if case.events:
        lines = b"".join(dumps(event) + b"\n" for event in case.events)
        return tracing.events(lines, case.received_ns)
    end = tracing.delimiter(case.input)
    data = b"".join(line.encode() + end for line in case.lines)
    return tracing.records(case.input, data, case.sender, case.received_ns)
