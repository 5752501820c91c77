"""The state of the daemon in one sentence, for ``systemctl status``."""

from __future__ import annotations

from collections.abc import Sequence

from ingestd.supervisor.channel import Message

_MAX_CHARS = 250


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
