from hypothesis import given
from hypothesis import strategies as st

from ingestd.stores.follow import UnseenEvents, event_key


def test_late_events_are_shown_too() -> None:
    unseen = UnseenEvents()
    assert unseen.pick(["c", "a"], str) == ["a", "c"]
    assert unseen.pick(["d", "c", "b", "a"], str) == ["b", "d"]
    assert unseen.pick(["d", "c", "b", "a"], str) == []


def test_what_is_remembered_is_bounded() -> None:
    unseen = UnseenEvents(remembered=2)
    unseen.pick(["c", "b", "a"], str)
    assert unseen.pick(["a"], str) == ["a"]
    assert unseen.pick(["c"], str) == []


def test_keys() -> None:
    assert event_key("i", "1", lambda: b"x") == event_key("i", "1", lambda: b"y") != event_key("j", "1", lambda: b"x")
    assert event_key("i", "", lambda: b"x") != event_key("i", "", lambda: b"y")


@given(st.lists(st.lists(st.integers(0, 30))))
def test_each_is_picked_once(rounds: list[list[int]]) -> None:
    unseen = UnseenEvents()
    picked = [number for events in rounds for number in unseen.pick(events, str)]
    assert sorted(picked) == sorted({number for events in rounds for number in events})
