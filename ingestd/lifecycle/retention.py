"""Which indices are deleted and which stay, and why: a decision over a list, without I/O.

The rules are those of Elasticsearch's Curator (delete_indices: age, space, count) at once. An index is
deleted if at least one rule says so and nothing holds it; rules that free space delete the oldest days first.
This is not the last word: ``Lifecycle.prune`` keeps an index if its backup turns out not to be intact.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ingestd.stores.base import IndexInfo
from ingestd.units import counted, format_duration, round_size

FUTURE = "its day is yet to come: the clock of a sender is wrong, or the times in its events; it counts for no limit"


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules. None: no such rule.

    Attributes:
        index: A pattern with ``*``; other indices are ignored.
        max_age: Seconds that an index stays after the end of its day, rounded up to whole days. 30 days: today and the
            30 whole days before stay.
        max_bytes: Bytes of all indices together; those of days after today do not count.
        max_indices: How many days; those after today do not count.
        keep_free: Bytes that must be free on the disk.
    """

    index: str = "logstash-*"
    max_age: float | None = None
    max_bytes: int | None = None
    max_indices: int | None = None
    keep_free: int | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is ever deleted."""
        return self.max_age is self.max_bytes is self.max_indices is self.keep_free is None


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to an index; ``reason`` is a sentence for people, ``held``: it would be deleted but for a hold."""

    info: IndexInfo
    delete: bool
    reason: str
    held: bool = False


def decide(
    indices: Iterable[IndexInfo],
    rules: Rules,
    today: datetime.date,
    *,
    free_bytes: int | None = None,
    holds: Mapping[str, str] | None = None,
) -> list[Decision]:
    """Decide for each index that matches the pattern, oldest first.

    Args:
        indices: The indices of a store.
        rules: The rules.
        today: The current day in the time zone of the schedule. Its index, and those of later days, always stay.
        free_bytes: Free bytes on the store's disk; None: unknown, so ``keep_free`` deletes nothing.
        holds: Indices that must stay, and the reason: not backed up, restored, ...
    """
    holds = holds or {}
    matching = [info for info in indices if fnmatchcase(info.index, rules.index)]
    dated = sorted((info for info in matching if info.day is not None), key=lambda info: (info.day, info.index))
    undated = [Decision(info, delete=False, reason="its name has no day") for info in matching if info.day is None]
    decisions = []
    for info, reason in zip(dated, _reasons(dated, rules, today, free_bytes, holds), strict=True):
        if reason is None:
            decisions.append(Decision(info, delete=False, reason=_reason_to_keep(info, rules, today)))
        elif hold := holds.get(info.index):
            decisions.append(Decision(info, delete=False, reason=f"{hold}; otherwise deleted: {reason}", held=True))
        else:
            decisions.append(Decision(info, delete=True, reason=reason))
    return decisions + undated


def next_deletion(info: IndexInfo, rules: Rules) -> datetime.date | None:
    """Return the first day on which an index is deleted because of its age; None: never."""
    if info.day is None or rules.max_age is None or not fnmatchcase(info.index, rules.index):
        return None
    try:
        return info.day + datetime.timedelta(days=_days(rules.max_age) + 1)
    except OverflowError:
        return None


def _reasons(
    dated: Sequence[IndexInfo],
    rules: Rules,
    today: datetime.date,
    free_bytes: int | None,
    holds: Mapping[str, str],
) -> list[str | None]:
    """Return for each index, oldest first, the rule by which it is deleted, or None.

    An index that is deleted counts for the next ones; one that is held frees nothing.
    """
    to_today = [info for info in dated if info.day is not None and info.day <= today]
    count, total = len(to_today), sum(info.bytes for info in to_today)
    missing = 0 if rules.keep_free is None or free_bytes is None else rules.keep_free - free_bytes
    reasons: list[str | None] = []
    for info in dated:
        reason = None
        if info.day is None or info.day >= today:
            pass
        elif rules.max_age is not None and (next_deletion(info, rules) or datetime.date.max) <= today:
            reason = f"it is {counted((today - info.day).days, 'day')} old, max_age is {format_duration(rules.max_age)}"
        elif rules.max_indices is not None and count > rules.max_indices:
            reason = f"there are {count} indices from this day to today, max_indices is {rules.max_indices}"
        elif rules.max_bytes is not None and total > rules.max_bytes:
            limit = round_size(rules.max_bytes)
            reason = f"{round_size(total)} are stored from this day to today, max_bytes is {limit}"
        elif rules.keep_free is not None and missing > 0:
            reason = f"{round_size(missing)} more must be free, keep_free is {round_size(rules.keep_free)}"
        reasons.append(reason)
        if reason is not None and info.index not in holds:
            count, total, missing = count - 1, total - info.bytes, missing - info.bytes
    return reasons


def _reason_to_keep(info: IndexInfo, rules: Rules, today: datetime.date) -> str:
    if info.day is not None and info.day > today:
        return FUTURE
    if info.day == today:
        return "it is being written"
    if (day := next_deletion(info, rules)) is not None:
        return f"until {day}"
    return "no rule applies" if not rules.empty else "there are no rules"


def _days(seconds: float) -> int:
    """Return whole days, rounded up: an index holds a whole day and is deleted as a whole."""
    return -int(-seconds // 86400)
