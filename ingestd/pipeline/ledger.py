"""The ledger of an output: what became of every event that was due to it. Pure: no clock, no disk.

It is the state that ``journal.commit`` keeps with the output's position, both or none. So an event is entered
exactly when the journal lets go of it; what is read again after a crash was not entered before. The day is that
of receipt, in UTC: it is known for every event, also for one that waits undecoded or that no codec can read, and
no filter or wrong clock of a client changes it. The indices are entered by the names that the output really used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ingestd.event.timestamp import from_epoch_ns
from ingestd.plugins.interfaces import Outcome

KEPT_DAYS = 40
"""Older days are added up: the ledger is written with every commit and must stay small."""

OLDER = "older"
"""The day of all that is older."""

_KEPT_INDICES = 200
_COUNTS = ("received", "created", "delivered", "duplicates", "dead", "elsewhere")

Counts = dict[str, Any]


class Due(NamedTuple):
    """What one record of the journal came to for one output, before that has it.

    ``sent`` came to the output, or should have; of them ``dead`` became dead letters before delivery. What filters
    dropped or created of a record that could not be processed is not known, and counts as nothing.
    """

    input: str
    day: str
    """Of receipt, ``2026-11-22``."""
    frames: int
    """Events of the record as the journal counts them, which has not decoded them."""
    received: int
    """Events that the codec made of it."""
    created: int = 0
    """Events that filters added, as ``clone`` does."""
    dropped: Mapping[str, int] = {}
    """Events that filters dropped, by plugin id."""
    elsewhere: int = 0
    """Events that a condition of the config sends to other outputs only."""
    sent: int = 0
    dead: int = 0


def day_of(time_ns: int) -> str:
    """Return the day of a moment in nanoseconds since the epoch, in UTC: ``2026-11-22``."""
    return from_epoch_ns(time_ns)[:10]


class Ledger:
    """Adds up what became of the events of one journal for one output.

    ``state`` is JSON, the same object all the time: ``since`` is how many events the journal had seen before
    the ledger began, ``events`` how many it has entered since, counted as the journal counts them; ``days``
    holds counts for each day and input, ``indices`` the events delivered to each index.

    Args:
        plugin: The name of the output's plugin.
        state: What was committed last; anything else than a ledger begins a new one.
        since: Events of the journal before its position now.
    """

    def __init__(self, plugin: str, state: Any, since: int) -> None:
        begun = is_ledger(state)
        self.state: dict[str, Any] = state if begun else {"since": since, "events": 0, "days": {}, "indices": {}}
        self.state["plugin"] = plugin

    def enter(self, due: Due, outcome: Outcome | None) -> None:
        """Enter a record that needs nothing more. ``outcome`` None: everything that was left has been delivered."""
        result = outcome or Outcome(due.sent - due.dead)
        self.state["events"] += due.frames
        counts = self._counts(due.day, due.input)
        numbers = (due.received, due.created, result.delivered, result.duplicates, due.dead + result.dead)
        for name, number in zip(_COUNTS, (*numbers, due.elsewhere), strict=True):
            if number:
                counts[name] = counts.get(name, 0) + number
        if due.dropped:
            _add_to(counts.setdefault("dropped", {}), due.dropped)
        for index, number in result.indices.items():
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
        """Add to an index. The one that was not written to for the longest time is forgotten when there are many."""
        indices = self.state["indices"]
        before = indices.pop(index, 0)
        if len(indices) >= _KEPT_INDICES:
            del indices[next(iter(indices))]
        indices[index] = before + number


def is_ledger(state: Any) -> bool:
    """Return whether what was committed with a position is a ledger."""
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


@dataclass(slots=True)
class Sheet:
    """A balance: what came in on the one side, what became of it on the other. Sheets can be added up.

    ``queued`` waits in the journal, and is part of ``received``.
    """

    received: int = 0
    created: int = 0
    delivered: int = 0
    duplicates: int = 0
    dead: int = 0
    elsewhere: int = 0
    queued: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, counts: Counts) -> Sheet:
        """Return the sheet of one day and input of a ledger."""
        return cls(**{name: counts.get(name, 0) for name in _COUNTS}, dropped=dict(counts.get("dropped", {})))

    def add(self, other: Sheet) -> None:
        """Add another sheet to this one."""
        for name in (*_COUNTS, "queued"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        _add_to(self.dropped, other.dropped)

    @property
    def dropped_events(self) -> int:
        """Events dropped by all filters."""
        return sum(self.dropped.values())

    @property
    def difference(self) -> int:
        """How many events more came in than are accounted for; 0 if the sheet adds up."""
        known = self.delivered + self.duplicates + self.dead + self.dropped_events + self.elsewhere + self.queued
        return self.received + self.created - known

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        numbers = {name: getattr(self, name) for name in ("received", "delivered", "duplicates", "dead")}
        numbers |= {"dropped": self.dropped_events, "queued": self.queued, "created": self.created}
        return numbers | {
            "elsewhere": self.elsewhere,
            "dropped_by": self.dropped,
            "difference": self.difference,
            "balanced": not self.difference,
        }


UNKNOWN = ("?", "?")
"""Day and input of events that are missing in the journal itself, where nobody can know them."""

Sheets = dict[tuple[str, str], Sheet]
"""Sheets by day and input."""


def sheets(state: Any, queued: Mapping[tuple[str, str], int], seen: int) -> Sheets:
    """Return the sheets of one output and one journal.

    Args:
        state: A ledger, or None where nothing was committed yet: then what waits is all there is.
        queued: Events behind the output's position, by day and input.
        seen: Events that the journal has seen up to the last one of ``queued``.
    """
    found: Sheets = {}
    entered = sum(queued.values())
    if is_ledger(state):
        for day, inputs in state["days"].items():
            for input_id, counts in inputs.items():
                found[day, input_id] = Sheet.of(counts)
        entered += state["since"] + state["events"]
        if missing := seen - entered:  # seen by the journal, and neither entered nor there any more
            found[UNKNOWN] = Sheet(received=missing)
    for key, number in queued.items():
        found.setdefault(key, Sheet()).add(Sheet(received=number, queued=number))
    return found


def total(some: Iterable[Sheet]) -> Sheet:
    """Return the sum of sheets."""
    result = Sheet()
    for one in some:
        result.add(one)
    return result
