"""What became of events: one kind of count, from the filters to the balance sheet of a data folder. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

COUNTS = ("received", "created", "delivered", "duplicates", "dead", "elsewhere")
"""The counts of the ledger that are numbers, in its order."""


@dataclass(slots=True)
class Tally:
    """What came in for one output on the one side, what became of it on the other. Tallies can be added up.

    It is filled on the way of a chunk: by the codec and the filters, when a payload is prepared, and by the output.
    """

    received: int = 0
    """Events that the codec made."""
    created: int = 0
    """Events that filters added, as ``clone`` does."""
    delivered: int = 0
    """The output has them for good, from this delivery."""
    duplicates: int = 0
    """The output had them already: from a delivery before a crash, or from a sender that sent them twice."""
    dead: int = 0
    """Events that became dead letters."""
    elsewhere: int = 0
    """Events that a condition of the config sends to other outputs only."""
    queued: int = 0
    """Events on their way to the output; in a balance sheet those that wait in the journal."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Events that filters dropped, by plugin id."""
    indices: Counter[str] = field(default_factory=Counter)
    """How many of the delivered events are in each index, as documents of their own; empty: not known."""

    @classmethod
    def of(cls, counts: Mapping[str, Any]) -> Tally:
        """Return the tally of one day and input of a ledger."""
        return cls(**{name: counts.get(name, 0) for name in COUNTS}, dropped=Counter(counts.get("dropped", {})))

    def copy(self) -> Tally:
        """Return a tally with the same counts."""
        same = Tally()
        same.add(self)
        return same

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.received += other.received
        self.created += other.created
        self.delivered += other.delivered
        self.duplicates += other.duplicates
        self.dead += other.dead
        self.elsewhere += other.elsewhere
        self.queued += other.queued
        if other.dropped:
            self.dropped.update(other.dropped)
        if other.indices:
            self.indices.update(other.indices)

    def not_delivered(self, index: str, *, dead: bool) -> None:
        """Note that an event counted as delivered to an index is dead, or else was there already."""
        self.delivered -= 1
        if dead:
            self.dead += 1
        else:
            self.duplicates += 1
        if self.indices:
            self.indices[index] -= 1

    @property
    def dropped_events(self) -> int:
        """Events dropped by all filters."""
        return sum(self.dropped.values())

    @property
    def passed(self) -> int:
        """Events that came out of the filters."""
        return self.received + self.created - self.dropped_events

    @property
    def difference(self) -> int:
        """How many events more came in than are accounted for; 0 if the tally adds up."""
        known = self.delivered + self.duplicates + self.dead + self.elsewhere + self.queued
        return self.passed - known

    def document(self) -> dict[str, Any]:
        """Return it as JSON, without the indices."""
        numbers = {name: getattr(self, name) for name in ("received", "delivered", "duplicates", "dead")}
        numbers |= {"dropped": self.dropped_events, "queued": self.queued, "created": self.created}
        return numbers | {
            "elsewhere": self.elsewhere,
            "dropped_by": dict(self.dropped),
            "difference": self.difference,
            "balanced": not self.difference,
        }
