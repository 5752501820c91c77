"""Logs and counts filters that fail."""

from __future__ import annotations

from collections.abc import Callable

from ingestd import metrics
from ingestd.compiler.bound import Step
from ingestd.event.fields import Event
from ingestd.logs import get_logger

log = get_logger(__name__)


def report_failures(pipeline_id: str) -> Callable[[Step, Event, Exception], None]:
    """Return a function that counts and logs the failures of a pipeline's filters."""

    def report(step: Step, event: Event, error: Exception) -> None:
        metrics.EVENTS_FAILED.add(1, pipeline_id, step.plugin_id, step.spec.failure_tag)
        position = f"{step.span.file}:{step.span.line}:{step.span.column}"
        log.warning("a filter failed; the event continues", filter=step.plugin_id, config=position, error=repr(error))

    return report
