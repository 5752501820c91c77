"""The ledger adds up whatever happens: crashes, days without end, parts of the journal that cannot be read."""

from __future__ import annotations

import datetime
from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.chunk import Chunk
from ingestd.event.jsontext import dumps, loads
from ingestd.event.tally import Tally
from ingestd.journal.base import Position
from ingestd.journal.memory import MemoryJournal
from ingestd.pipeline.ledger import KEPT_DAYS, OLDER, UNKNOWN, Ledger, day_of, tallies, total

DAY = "2026-11-22"
NS = 1_795_341_600_000_000_000
DAY_NS = 86_400 * 10**9


def chunk(day: str = DAY, frames: int = 1, input_id: str = "i") -> Chunk:
    days = (datetime.date.fromisoformat(day) - datetime.date.fromisoformat(DAY)).days
    ns = NS + days * DAY_NS
    assert day_of(ns) == day
    return Chunk(input_id, "o", {}, 0, ns, frames, b"x")


@st.composite
def fates(draw: st.DrawFn) -> tuple[Chunk, Tally]:
    """Return a chunk and what becomes of its events, which add up."""
    parts = draw(st.tuples(*[st.integers(0, 3)] * 5))
    delivered, duplicates, dead, elsewhere, dropped = parts
    created = draw(st.integers(0, sum(parts)))
    tally = Tally(sum(parts) - created, created, delivered, duplicates, dead, elsewhere)
    tally.dropped, tally.indices = Counter({"drop_0": dropped} if dropped else {}), Counter({"logs": delivered})
    day = day_of(NS + draw(st.integers(0, 2)) * DAY_NS)
    return chunk(day, draw(st.integers(1, 20)), draw(st.sampled_from(["tcp_0", "tcp_1"]))), tally


class Life:
    """An output of a journal that is killed again and again; its ledger is what it committed."""

    def __init__(self, due: list[tuple[Chunk, Tally]]) -> None:
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
            self.ends.append(self.journal.append([self.due[len(self.ends)][0]]))

    def deliver(self, *, commit: bool) -> None:
        if self.next < len(self.ends):
            self.ledger.enter(*self.due[self.next])
            if commit:
                self.journal.commit("output", self.ends[self.next], self.ledger.state)
            self.next += 1

    def tally(self) -> Tally:
        position, state = self.journal.committed("output")
        waiting: Counter[tuple[str, str]] = Counter()
        for record, _ in self.journal.read(position, 1 << 30):
            waiting[day_of(record.time_ns), record.input_id] += record.frames
        return total(tallies(state, waiting, self.journal.end.events).values())


STEPS = ["receive", "receive", "deliver", "deliver and commit", "crash"]


@given(st.lists(fates(), max_size=12), st.lists(st.sampled_from(STEPS)))
def test_it_adds_up_after_every_step_and_counts_nothing_twice(due: list[tuple[Chunk, Tally]], steps: list[str]) -> None:
    life = Life(due)
    for step in steps:
        if step == "crash":
            life.restart()
        elif step == "receive":
            life.receive()
        else:
            life.deliver(commit=step == "deliver and commit")
        assert life.tally().difference == 0
    for _ in due:
        life.receive()
    life.restart()
    for _ in due:
        life.deliver(commit=True)
    tally = life.tally()
    assert (tally.difference, tally.queued) == (0, 0)
    assert tally.received == sum(part.received for _, part in due)
    assert tally.delivered == sum(part.delivered for _, part in due)
    assert tally.duplicates == sum(part.duplicates for _, part in due)
    assert tally.dead == sum(part.dead for _, part in due)
    assert tally.dropped_events == sum(part.dropped_events for _, part in due)
    if due:
        assert life.journal.committed("output")[1]["indices"] == ({"logs": tally.delivered} if tally.delivered else {})


@pytest.mark.parametrize(
    ("frames", "tally", "difference"),
    [
        pytest.param(5, Tally(5, delivered=5), 0, id="all delivered"),
        pytest.param(5, Tally(5, delivered=3, dead=2), 0, id="some dead before delivery"),
        pytest.param(5, Tally(5, delivered=3, duplicates=1, dead=1), 0, id="of each"),
        pytest.param(5, Tally(5, delivered=4), 1, id="a filter or the output lost one"),
        pytest.param(5, Tally(5, delivered=6), -1, id="the output made one up"),
        pytest.param(5, Tally(5, created=2, delivered=7), 0, id="clones"),
        pytest.param(1, Tally(7, delivered=7), 0, id="a frame of several events"),
        pytest.param(3, Tally(), 0, id="blank lines"),
    ],
)
def test_difference(frames: int, tally: Tally, difference: int) -> None:
    ledger = Ledger("store", None, 0)
    ledger.enter(chunk(frames=frames), tally)
    found = tallies(ledger.state, {}, frames)
    assert found.keys() == {(DAY, "i")}
    assert found[DAY, "i"].difference == difference
    assert found[DAY, "i"].document()["balanced"] == (difference == 0)


def test_days_are_those_of_the_zone() -> None:
    ledger = Ledger("store", None, 0, zone=ZoneInfo("Asia/Seoul"))
    for hour in (0, 4, 5, 28, 29):  # the first is 19:00 in Seoul
        ledger.enter(chunk()._replace(time_ns=NS + hour * 3600 * 10**9), Tally(1, delivered=1))
    assert {day: tally.received for (day, _), tally in tallies(ledger.state, {}, 5).items()} == {
        "2026-11-22": 2,
        "2026-11-23": 2,
        "2026-11-24": 1,
    }


def test_events_that_the_journal_lost_are_a_difference() -> None:
    ledger = Ledger("store", None, 100)
    ledger.enter(chunk(frames=5), Tally(5, delivered=5))
    found = tallies(ledger.state, {(DAY, "i"): 2}, 110)
    assert found[UNKNOWN].difference == 3
    assert (found[DAY, "i"].received, found[DAY, "i"].queued, found[DAY, "i"].difference) == (7, 2, 0)


@pytest.mark.parametrize("state", [None, {"2026-11-22": 3}, [1], "text"], ids=repr)
def test_what_is_no_ledger_begins_a_new_one(state: Any) -> None:
    assert tallies(state, {(DAY, "i"): 2}, 500) == {(DAY, "i"): Tally(received=2, queued=2)}
    ledger = Ledger("store", state, 500)
    ledger.enter(chunk(), Tally(1, delivered=1))
    assert total(tallies(ledger.state, {}, 501).values()) == Tally(received=1, delivered=1)


def test_it_stays_small() -> None:
    ledger = Ledger("store", None, 0)
    for number in range(1000):
        tally = Tally(4, delivered=3, dropped=Counter({"drop_0": 1}), indices=Counter({f"logstash-{number}": 3}))
        ledger.enter(chunk(day_of(NS + number * DAY_NS), input_id="tcp_0"), tally)
    ledger.enter(chunk("2020-01-01", input_id="tcp_0"), Tally(1, delivered=1))  # a clock that was wrong
    days = ledger.state["days"]
    assert len(days) == KEPT_DAYS + 1
    assert days[OLDER]["tcp_0"]["received"] == 4 * (1000 - KEPT_DAYS) + 1
    assert (list(ledger.state["indices"])[-1], len(ledger.state["indices"])) == ("logstash-999", 200)
    assert len(dumps(ledger.state)) < 16_000
    assert total(tallies(loads(dumps(ledger.state)), {}, 1001).values()) == Tally(
        received=4001, delivered=3001, dropped=Counter({"drop_0": 1000})
    )


def test_what_the_journal_lost_is_entered_once() -> None:
    ledger = Ledger("store", None, 100)
    assert ledger.lost_before(100) == 0
    ledger.enter(chunk(frames=5), Tally(5, delivered=5))
    assert [ledger.lost_before(events) for events in (105, 112, 112)] == [0, 7, 0]
    again = Ledger("store", loads(dumps(ledger.state)), 0)
    assert [again.lost_before(events) for events in (112, 115)] == [0, 3]
    assert tallies(again.state, {}, 115)[UNKNOWN].difference == 10
