"""Which indices are deleted and which stay, and why: a decision over a list, without I/O.

The rules are those of Elasticsearch's Curator (delete_indices: age, space, count) at once. An index is
deleted if at least one rule says so and nothing holds it; rules that free space delete the oldest days first.
Count and size are added up from today backwards: a day is never deleted because of older days that stay.
This is not the last word: ``Lifecycle.prune`` keeps an index if its backup turns out not to be intact.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ingestd.stores.base import IndexInfo
from ingestd.units import counted, format_duration, round_size

FUTURE = (
    "its day is yet to come: the clock of a sender is wrong, or the times in its events; "
    "it does not count towards any limit"
)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules. None: no such rule.

    Attributes:
        index: A pattern with ``*``; other indices are ignored.
        max_age: Seconds that an index stays after the end of its day, rounded up to whole days. 30 days: today and the
            30 whole days before stay.
        max_bytes: Bytes of all indices together; days after today and restored ones do not count.
        max_indices: How many days; those after today and restored ones do not count.
        keep_free: Bytes that must be free on the disk; what restored days take counts as free.
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
class Hold:
    """Why an index must stay.

    Attributes:
        reason: A sentence for people.
        counts: Whether it counts for limits, so that older days go; False: it was added on purpose, for a while.
    """

    reason: str
    counts: bool = True


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
    holds: Mapping[str, Hold] | None = None,
) -> list[Decision]:
    """Decide for each index that matches the pattern, oldest first.

    Args:
        indices: The indices of a store.
        rules: The rules.
        today: The current day in the time zone of the schedule. Its index, and those of later days, always stay.
        free_bytes: Free bytes on the store's disk; None: unknown, so ``keep_free`` deletes nothing.
        holds: Indices that must stay, and why: not backed up, restored, ...
    """
    holds = holds or {}
    matching = [info for info in indices if fnmatchcase(info.index, rules.index)]
    dated = sorted((info for info in matching if info.day is not None), key=lambda info: (info.day, info.index))
    undated = [Decision(info, delete=False, reason="its name has no day") for info in matching if info.day is None]
    due = _Due(dated, rules, today, holds)
    due.add_limits()
    note = due.add_keep_free(free_bytes)
    decisions = []
    for info in dated:
        hold = holds.get(info.index)
        if (reason := due.reasons.get(info.index)) is None:
            why = _reason_to_keep(info, rules, today)
            past = info.day is not None and info.day < today
            decisions.append(Decision(info, delete=False, reason=f"{why}; {note}" if note and past else why))
        elif hold is not None:
            reason = f"{hold.reason}; otherwise deleted: {reason}"
            decisions.append(Decision(info, delete=False, reason=reason, held=True))
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


@dataclass(slots=True)
class _Due:
    """Collects why indices are due, as if none were held; ``dated`` is oldest first."""

    dated: Sequence[IndexInfo]
    rules: Rules
    today: datetime.date
    holds: Mapping[str, Hold]
    reasons: dict[str, str] = field(default_factory=dict)

    def add_limits(self) -> None:
        """Add those that are due because of age, count and size."""
        count = total = apart = 0
        for info in reversed(self.dated):
            if info.day is None or info.day > self.today:
                continue
            if info.day < self.today and (reason := self._over(info, count + 1, total + info.bytes, apart)):
                self.reasons[info.index] = reason
            if self._set_apart(info):
                apart += 1
            else:
                count, total = count + 1, total + info.bytes

    def _over(self, info: IndexInfo, count: int, total: int, apart: int) -> str:
        """Return the limit that the index exceeds, or an empty text.

        ``count`` and ``total`` are those from this index to today's, without ``apart`` indices that count for nothing.
        """
        rules = self.rules
        without = (
            f" (not counting {apart} that {'was' if apart == 1 else 'were'} restored or imported)" if apart else ""
        )
        if info.day and rules.max_age is not None and (next_deletion(info, rules) or datetime.date.max) <= self.today:
            age = counted((self.today - info.day).days, "day")
            return f"it is {age} old, max_age is {format_duration(rules.max_age)}"
        if rules.max_indices is not None and count > rules.max_indices:
            those = "there is 1 index" if count == 1 else f"there are {count} indices"
            return f"{those} from this day to today{without}, max_indices is {rules.max_indices}"
        if rules.max_bytes is not None and total > rules.max_bytes:
            limit = round_size(rules.max_bytes)
            return f"{round_size(total)} are stored from this day to today{without}, max_bytes is {limit}"
        return ""

    def add_keep_free(self, free_bytes: int | None) -> str:
        """Add the oldest that together free the missing space; returns why there are none although space is missing.

        What restored days take does not have to be freed by others. If all that may be deleted is not enough, nothing
        is: something else fills the disk, and all days would be lost without stopping it.
        """
        if self.rules.keep_free is None or free_bytes is None:
            return ""
        limit = f"keep_free is {round_size(self.rules.keep_free)}"
        past = [info for info in self.dated if info.day is not None and info.day < self.today]
        missing = self.rules.keep_free - free_bytes
        missing -= sum(info.bytes for info in past if info.index in self.reasons and info.index not in self.holds)
        apart = [info for info in past if self._set_apart(info)]
        for info in apart:
            if missing > 0:
                self.reasons.setdefault(info.index, f"{round_size(missing)} more must be free, {limit}")
            missing -= info.bytes
        if apart:
            limit = f"besides what was restored or imported, {limit}"
        others = [info for info in past if info.index not in self.reasons and not self._set_apart(info)]
        possible = sum(info.bytes for info in others if info.index not in self.holds)
        if possible < missing:
            more = f"{round_size(missing)} more must be free, {limit}"
            return f"{more}, but all days that may be deleted would free only {round_size(possible)}"
        for info in others:
            if missing <= 0:
                break
            self.reasons[info.index] = f"{round_size(missing)} more must be free, {limit}"
            missing -= 0 if info.index in self.holds else info.bytes
        return ""

    def _set_apart(self, info: IndexInfo) -> bool:
        hold = self.holds.get(info.index)
        return hold is not None and not hold.counts


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
