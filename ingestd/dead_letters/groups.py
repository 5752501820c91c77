"""Dead letters grouped by cause, and the selection of some of them. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ingestd.dead_letters.dead_letter import DeadLetter, DeadLetterGroup


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters a command works on; an empty attribute does not restrict."""

    groups: tuple[str, ...] = ()
    stage: str | None = None
    reason: str | None = None
    """A part of the reason or the detail, in any case."""

    def __call__(self, dead_letter: DeadLetter) -> bool:
        """Return whether a dead letter is selected."""
        return (
            (not self.groups or dead_letter.group.id in self.groups)
            and self.stage in (None, dead_letter.stage)
            and (self.reason is None or self.reason.lower() in f"{dead_letter.reason}\n{dead_letter.detail}".lower())
        )

    @property
    def everything(self) -> bool:
        """Whether nothing is restricted."""
        return not self.groups and self.stage is None and self.reason is None

    @property
    def text(self) -> str:
        """The selection as the action log has it: ``group=3f9c, stage=filter``, or ``all``."""
        parts = [f"group={group}" for group in self.groups]
        parts += [f"{name}={value}" for name, value in (("stage", self.stage), ("reason", self.reason)) if value]
        return ", ".join(parts) or "all"


@dataclass(slots=True)
class GroupSummary:
    """The dead letters of a group: their number, size as received, first and last time, and the detail of one."""

    group: DeadLetterGroup
    count: int
    bytes: int
    first: str
    last: str
    sample: str


def summarize(dead_letters: Iterable[DeadLetter]) -> list[GroupSummary]:
    """Return the groups, the one with the newest dead letter last."""
    summaries: dict[DeadLetterGroup, GroupSummary] = {}
    for dead_letter in dead_letters:
        group, time = dead_letter.group, dead_letter.time
        summary = summaries.get(group)
        if summary is None:
            sample = dead_letter.detail or dead_letter.reason
            summary = summaries[group] = GroupSummary(group, 0, 0, time, time, sample)
        summary.count += 1
        summary.bytes += dead_letter.size
        summary.first, summary.last = min(summary.first, time), max(summary.last, time)
    return sorted(summaries.values(), key=lambda summary: summary.last)
