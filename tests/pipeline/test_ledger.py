"""The ledger adds up whatever happens: crashes, days without end, parts of the journal that cannot be read."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.chunk import Chunk
from ingestd.event.jsontext import dumps, loads
from ingestd.journal.base import Position
from ingestd.journal.memory import MemoryJournal
from ingestd.pipeline.ledger import KEPT_DAYS, OLDER, UNKNOWN, Due, Ledger, Sheet, day_of, sheets, total
from ingestd.plugins.interfaces import Outcome

DAY = "2026-11-22"
NS = 1_795_341_600_000_000_000
DAY_NS = 86_400 * 10**9


@st.composite
def fates(draw: st.DrawFn) -> tuple[Due, Outcome]:
    """Return one record and what becomes of its events, which add up."""
    parts = draw(st.tuples(*[st.integers(0, 3)] * 6))
    delivered, duplicates, late, early, elsewhere, dropped = parts
    created = draw(st.integers(0, sum(parts)))
    received = sum(parts) - created
    due = Due(
        draw(st.sampled_from(["tcp_0", "tcp_1"])),
        day_of(NS + draw(st.integers(0, 2)) * DAY_NS),
        frames=draw(st.integers(1, 20)),
        received=received,
        created=created,
        dropped={"drop_0": dropped} if dropped else {},
        elsewhere=elsewhere,
        sent=delivered + duplicates + late + early,
        dead=early,
    )
    return due, Outcome(delivered, duplicates, late, {"logs": delivered})


def time_of(day: str) -> int:
    return next(ns for ns in (NS + n * DAY_NS for n in range(3)) if day_of(ns) == day)


class Life:
    """An output of a journal that is killed again and again; its ledger is what it committed."""

    def __init__(self, due: list[tuple[Due, Outcome]]) -> None:
        self.due = due
        self.journal = MemoryJournal()
        self.journal.consumers(["output"])
        self.ends: list[Position] = []
        self.restart()

    def restart(self) -> None:
        position, state = self.journal.committed("output")
        self.ledger = Ledger("store", state, position.events)
        self.next = self.ends.index(position) + 1 if position in self.ends else 0

    def receive(self) -> None:
        if len(self.ends) < len(self.due):
            due = self.due[len(self.ends)][0]
            chunk = Chunk(due.input, "o", {}, 0, time_of(due.day), due.frames, b"x")
            self.ends.append(self.journal.append([chunk]))

    def deliver(self, *, commit: bool) -> None:
        if self.next < len(self.ends):
            self.ledger.enter(*self.due[self.next])
            if commit:
                self.journal.commit("output", self.ends[self.next], self.ledger.state)
            self.next += 1

    def sheet(self) -> Sheet:
        position, state = self.journal.committed("output")
        waiting: Counter[tuple[str, str]] = Counter()
        for record, _ in self.journal.read(position, 1 << 30):
            waiting[day_of(record.time_ns), record.input_id] += record.frames
        return total(sheets(state, waiting, self.journal.head.events).values())


STEPS = ["receive", "receive", "deliver", "deliver and commit", "crash"]


@given(st.lists(fates(), max_size=12), st.lists(st.sampled_from(STEPS)))
def test_it_adds_up_after_every_step_and_counts_nothing_twice(due: list[tuple[Due, Outcome]], steps: list[str]) -> None:
    life = Life(due)
    for step in steps:
        if step == "crash":
            life.restart()
        elif step == "receive":
            life.receive()
        else:
            life.deliver(commit=step == "deliver and commit")
        assert life.sheet().difference == 0
    for _ in due:
        life.receive()
    life.restart()
    for _ in due:
        life.deliver(commit=True)
    sheet = life.sheet()
    assert (sheet.difference, sheet.queued) == (0, 0)
    assert sheet.received == sum(one.received for one, _ in due)
    assert sheet.delivered == sum(outcome.delivered for _, outcome in due)
    assert sheet.duplicates == sum(outcome.duplicates for _, outcome in due)
    assert sheet.dead == sum(one.dead + outcome.dead for one, outcome in due)
    assert sheet.dropped_events == sum(one.dropped.get("drop_0", 0) for one, _ in due)
    if due:
        assert life.journal.committed("output")[1]["indices"] == {"logs": sheet.delivered}


@pytest.mark.parametrize(
    ("due", "outcome", "difference"),
    [
        pytest.param(Due("i", DAY, 5, 5, sent=5), None, 0, id="all delivered"),
        pytest.param(Due("i", DAY, 5, 5, sent=5, dead=2), None, 0, id="some dead before delivery"),
        pytest.param(Due("i", DAY, 5, 5, sent=5), Outcome(3, 1, 1), 0, id="an outcome"),
        pytest.param(Due("i", DAY, 5, 5, sent=4), None, 1, id="a filter lost one"),
        pytest.param(Due("i", DAY, 5, 5, sent=5), Outcome(4), 1, id="the output lost one"),
        pytest.param(Due("i", DAY, 5, 5, sent=5), Outcome(6), -1, id="the output made one up"),
        pytest.param(Due("i", DAY, 5, 5, created=2, sent=7), None, 0, id="clones"),
        pytest.param(Due("i", DAY, 1, 7, sent=7), None, 0, id="a frame of several events"),
        pytest.param(Due("i", DAY, 3, 0), None, 0, id="blank lines"),
    ],
)
def test_difference(due: Due, outcome: Outcome | None, difference: int) -> None:
    ledger = Ledger("store", None, 0)
    ledger.enter(due, outcome)
    found = sheets(ledger.state, {}, due.frames)
    assert found.keys() == {(DAY, "i")}
    assert found[DAY, "i"].difference == difference
    assert found[DAY, "i"].document()["balanced"] == (difference == 0)


def test_events_that_the_journal_lost_are_a_difference() -> None:
    ledger = Ledger("store", None, 100)
    ledger.enter(Due("i", DAY, 5, 5, sent=5), None)
    found = sheets(ledger.state, {(DAY, "i"): 2}, 110)
    assert found[UNKNOWN].difference == 3
    assert (found[DAY, "i"].received, found[DAY, "i"].queued, found[DAY, "i"].difference) == (7, 2, 0)


@pytest.mark.parametrize("state", [None, {"2026-11-22": 3}, [1], "text"], ids=repr)
def test_what_is_no_ledger_begins_a_new_one(state: Any) -> None:
    assert sheets(state, {(DAY, "i"): 2}, 500) == {(DAY, "i"): Sheet(received=2, queued=2)}
    ledger = Ledger("store", state, 500)
    ledger.enter(Due("i", DAY, 1, 1, sent=1), None)
    assert total(sheets(ledger.state, {}, 501).values()) == Sheet(received=1, delivered=1)


def test_it_stays_small() -> None:
    ledger = Ledger("store", None, 0)
    for number in range(1000):
        due = Due("tcp_0", day_of(NS + number * DAY_NS), 1, 4, dropped={"drop_0": 1}, sent=3)
        ledger.enter(due, Outcome(3, indices={f"logstash-{number}": 3}))
    ledger.enter(Due("tcp_0", "2020-01-01", 1, 1, sent=1), None)  # a clock that was wrong
    days = ledger.state["days"]
    assert len(days) == KEPT_DAYS + 1
    assert days[OLDER]["tcp_0"]["received"] == 4 * (1000 - KEPT_DAYS) + 1
    assert (list(ledger.state["indices"])[-1], len(ledger.state["indices"])) == ("logstash-999", 200)
    assert len(dumps(ledger.state)) < 16_000
    assert total(sheets(loads(dumps(ledger.state)), {}, 1001).values()) == Sheet(
        received=4001, delivered=3001, dropped={"drop_0": 1000}
    )
