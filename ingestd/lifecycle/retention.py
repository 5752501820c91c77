"""Which indices go and which stay, and why: a decision over a list, without I/O.

The rules are those of Elasticsearch's Curator (delete_indices: age, space, count) in one go. An index must be
allowed to go by one rule at least, and nothing may hold it; rules that free space take the oldest days first.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ingestd.stores.base import IndexInfo
from ingestd.units import format_duration, round_size


@dataclass(frozen=True, slots=True)
class Rules:
    """What may stay. None is no rule.

    Attributes:
        index: A pattern with ``*``; other indices are not looked at.
        max_age: Seconds from the begin of its day that an index stays, as Curator counts with ``source: name``; a
            part of a day counts as a whole one. 30 days: today and the 29 days before stay.
        max_bytes: Bytes of all indices together.
        max_indices: How many days.
        keep_free: Bytes that must be free on the disk.
    """

    index: str = "logstash-*"
    max_age: float | None = None
    max_bytes: int | None = None
    max_indices: int | None = None
    keep_free: int | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing ever goes."""
        return self.max_age is self.max_bytes is self.max_indices is self.keep_free is None


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an index; ``why`` is a sentence for people, ``held`` that only a hold keeps it."""

    info: IndexInfo
    delete: bool
    why: str
    held: bool = False


def decide(
    indices: Iterable[IndexInfo],
    rules: Rules,
    today: datetime.date,
    *,
    free_bytes: int | None = None,
    holds: Mapping[str, str] | None = None,
) -> list[Decision]:
    """Decide for each index that the pattern meets, the oldest first.

    Args:
        indices: The indices of a store.
        rules: What may stay.
        today: The day in the time zone of the schedule. Its index, and those of later days, always stay.
        free_bytes: What is free on the store's disk now; None: not known, then ``keep_free`` frees nothing.
        holds: Indices that must stay, and why: not backed up, restored, ...
    """
    holds = holds or {}
    seen = [one for one in indices if fnmatchcase(one.index, rules.index)]
    dated = sorted((one for one in seen if one.day is not None), key=lambda one: (one.day, one.index))
    undated = [Decision(one, delete=False, why="its name has no day") for one in seen if one.day is None]
    decisions = []
    for info, reason in zip(dated, _reasons(dated, rules, today, free_bytes, holds), strict=True):
        if reason is None:
            decisions.append(Decision(info, delete=False, why=_why_kept(info, rules, today)))
        elif hold := holds.get(info.index):
            decisions.append(Decision(info, delete=False, why=f"{hold}; else it would go: {reason}", held=True))
        else:
            decisions.append(Decision(info, delete=True, why=reason))
    return decisions + undated


def next_deletion(info: IndexInfo, rules: Rules) -> datetime.date | None:
    """Return the first day on which age lets an index go; None: age never does."""
    if info.day is None or rules.max_age is None or not fnmatchcase(info.index, rules.index):
        return None
    try:
        return info.day + datetime.timedelta(days=_days(rules.max_age))
    except OverflowError:
        return None


def _reasons(
    dated: Sequence[IndexInfo],
    rules: Rules,
    today: datetime.date,
    free_bytes: int | None,
    holds: Mapping[str, str],
) -> list[str | None]:
    """Return for each index, the oldest first, the rule that lets it go, or None.

    What goes or is held by one rule counts for the next ones: a held index frees nothing.
    """
    count, total = len(dated), sum(one.bytes for one in dated)
    missing = 0 if rules.keep_free is None or free_bytes is None else rules.keep_free - free_bytes
    reasons: list[str | None] = []
    for info in dated:
        reason = None
        if info.day is None or info.day >= today:
            pass
        elif rules.max_age is not None and (next_deletion(info, rules) or datetime.date.max) <= today:
            reason = f"it is {(today - info.day).days} days old, max_age is {format_duration(rules.max_age)}"
        elif rules.max_indices is not None and count > rules.max_indices:
            reason = f"there are {count} indices from this day on, max_indices is {rules.max_indices}"
        elif rules.max_bytes is not None and total > rules.max_bytes:
            reason = f"{round_size(total)} lie from this day on, max_bytes is {round_size(rules.max_bytes)}"
        elif rules.keep_free is not None and missing > 0:
            reason = f"{round_size(missing)} are missing to keep_free of {round_size(rules.keep_free)}"
        reasons.append(reason)
        if reason is not None and info.index not in holds:
            count, total, missing = count - 1, total - info.bytes, missing - info.bytes
    return reasons


def _why_kept(info: IndexInfo, rules: Rules, today: datetime.date) -> str:
    if info.day is not None and info.day >= today:
        return "it is being written"
    if (day := next_deletion(info, rules)) is not None:
        return f"until {day}"
    return "no rule lets it go" if not rules.empty else "there is no rule"


def _days(seconds: float) -> int:
    """Return whole days, rounded up: an index is a whole day and goes as one."""
    return -int(-seconds // 86400)
