"""The state of the daemon in one sentence, for ``systemctl status``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ingestd.supervisor.notify import Notifier
from ingestd.supervisor.processes.channel import Message
from ingestd.supervisor.processes.children import Child

_MAX_CHARS = 250


class StatusReporter:
    """Sends systemd the sentence whenever it changes."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier, self._sent = notifier, ""

    def report(self, state: str, workers: int, running: Iterable[Child]) -> None:
        """Send it, given what ``describe`` needs, of the workers that run."""
        text = describe(state, workers, [child.report for child in running if child.report is not None])
        if text != self._sent:
            self._sent = text
            self._notifier.status(text)


def describe(state: str, workers: int, reports: Sequence[Message]) -> str:
    """Return the sentence.

    Args:
        state: Of the supervisor, ``running`` or another word.
        workers: How many there should be.
        reports: The last heartbeat of each that runs, see ``Worker``.
    """
    waiting = sum(report["waiting"] for report in reports)
    problems = list(dict.fromkeys(text for report in reports for text in report["problems"]))
    parts = [
        f"{len(reports)} of {workers} workers" if len(reports) < workers else _count(workers, "worker"),
        f"{_count(waiting, 'event')} waiting",
    ]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        parts.append(f"problem: {problems[0]}{more}")
    text = f"{state}: {', '.join(parts)}".replace("\n", " ")
    return text if len(text) <= _MAX_CHARS else f"{text[: _MAX_CHARS - 3]}..."


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
