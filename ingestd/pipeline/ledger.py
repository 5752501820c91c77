"""The ledger of an output: what became of every event it was to get. Pure: no clock, no disk.

``journal.commit`` stores it together with the output's position, both or neither. So an event is entered exactly when
the journal no longer needs it; what is read again after a crash was not entered before. The day is that of receipt, in
the zone of the indices' days: it is known for every event, even undecoded, and no filter or wrong client clock changes
it. What was entered before that zone changed keeps its day. Indices are entered under the names that the output really
used.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from ingestd.event.chunk import Chunk
from ingestd.event.tally import COUNTS, Tally

KEPT_DAYS = 40
"""Older days are merged: the ledger is written with every commit and must stay small."""

OLDER = "older"
"""The key of all older days."""

_KEPT_INDICES = 200

Counts = dict[str, Any]


def day_of(time_ns: int, zone: datetime.tzinfo = datetime.UTC) -> str:
    """Return the day of a moment in nanoseconds since the epoch, in ``zone``: ``2026-11-22``."""
    return datetime.datetime.fromtimestamp(time_ns // 1_000_000_000, zone).date().isoformat()


class Ledger:
    """Adds up what became of the events of one journal for one output.

    ``state`` is JSON, always the same object. ``since``: how many events the journal had seen when the ledger was
    started, and how many came while its output was not in the config; ``events``: how many were entered since, counted
    as the journal counts them; ``lost``: how many were in parts of the journal that are gone; ``repeats_until``: events
    up to this offset of the journal may have been delivered before the ledger was started, absent or 0: none; ``days``:
    counts for each day and input; ``indices``: the events delivered to each index.

    Args:
        plugin: The name of the output's plugin.
        state: What was committed last; anything but a ledger starts a new one.
        since: Events of the journal before its current position.
        skipped: Events that came while the output was not in the config.
        zone: The time zone of the days.
    """

    def __init__(
        self, plugin: str, state: Any, since: int, skipped: int = 0, zone: datetime.tzinfo = datetime.UTC
    ) -> None:
        self._zone = zone
        known = is_ledger(state)
        self.state: dict[str, Any] = state if known else {"since": since, "events": 0, "days": {}, "indices": {}}
        self.state["plugin"] = plugin
        if known:
            self.state["since"] += skipped

    def lost_before(self, events: int) -> int:
        """Enter as lost what is missing from the journal before a position; return how many events that are.

        Args:
            events: Events of the journal before the position.
        """
        state = self.state
        lost: int = events - state["since"] - state["events"] - state.get("lost", 0)
        if lost > 0:
            state["lost"] = state.get("lost", 0) + lost
        return max(lost, 0)

    def enter(self, chunk: Chunk, tally: Tally) -> None:
        """Enter what became of a chunk for which there is nothing left to do."""
        self.state["events"] += chunk.events
        counts = self._counts(day_of(chunk.time_ns, self._zone), chunk.input_id)
        for name in COUNTS:
            if number := getattr(tally, name):
                counts[name] = counts.get(name, 0) + number
        if tally.dropped:
            _add_to(counts.setdefault("dropped", {}), tally.dropped)
        for index, number in tally.indices.items():
            if number:
                self._enter_index(index, number)

    def _counts(self, day: str, input_id: str) -> Counts:
        days = self.state["days"]
        if day not in days:
            dated = sorted(days.keys() - {OLDER})
            if len(dated) >= KEPT_DAYS:
                if day < dated[0]:
                    day = OLDER
                else:
                    _merge(days.setdefault(OLDER, {}), days.pop(dated[0]))
        counts: Counts = days.setdefault(day, {}).setdefault(input_id, {})
        return counts

    def _enter_index(self, index: str, number: int) -> None:
        """Add to an index. With many indices, the one not written to for the longest time is dropped."""
        indices = self.state["indices"]
        before = indices.pop(index, 0)
        if len(indices) >= _KEPT_INDICES:
            del indices[next(iter(indices))]
        indices[index] = before + number


def is_ledger(state: Any) -> bool:
    """Return whether the state committed with a position is a ledger."""
    return isinstance(state, dict) and {"since", "events", "days", "indices"} <= state.keys()


def _add_to(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for name, number in more.items():
        counts[name] = counts.get(name, 0) + number


def _merge(older: dict[str, Counts], day: dict[str, Counts]) -> None:
    for input_id, counts in day.items():
        into = older.setdefault(input_id, {})
        _add_to(into, {name: number for name, number in counts.items() if name != "dropped"})
        if "dropped" in counts:
            _add_to(into.setdefault("dropped", {}), counts["dropped"])


UNKNOWN = ("?", "?")
"""Day and input of events that are missing from the journal itself: they cannot be known."""

Tallies = dict[tuple[str, str], Tally]
"""Tallies by day and input."""


def tallies(state: Any, queued: Mapping[tuple[str, str], int], seen: int) -> Tallies:
    """Return the balance of one output and one journal.

    Args:
        state: A ledger, or None if nothing is committed yet: then everything is queued.
        queued: Events after the output's position, by day and input.
        seen: Events that the journal has seen up to the last of ``queued``.
    """
    found: Tallies = {}
    entered = sum(queued.values())
    if is_ledger(state):
        for day, inputs in state["days"].items():
            for input_id, counts in inputs.items():
                found[day, input_id] = Tally.of(counts)
        entered += state["since"] + state["events"]
        if missing := seen - entered:  # seen by the journal, but neither entered nor still in it
            found[UNKNOWN] = Tally(received=missing)
    for key, number in queued.items():
        found.setdefault(key, Tally()).add(Tally(received=number, queued=number))
    return found


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    result = Tally()
    for tally in tallies:
        result.add(tally)
    return result
