from hypothesis import given
from hypothesis import strategies as st

from ingestd.stores.follow import UnseenEvents, event_key


def test_late_ones_are_news_too() -> None:
    news = UnseenEvents()
    assert news.pick(["c", "a"], str) == ["a", "c"]
    assert news.pick(["d", "c", "b", "a"], str) == ["b", "d"]
    assert news.pick(["d", "c", "b", "a"], str) == []


def test_what_is_remembered_is_bounded() -> None:
    news = UnseenEvents(remembered=2)
    news.pick(["c", "b", "a"], str)
    assert news.pick(["a"], str) == ["a"]
    assert news.pick(["c"], str) == []


def test_keys() -> None:
    assert event_key("i", "1", lambda: b"x") == event_key("i", "1", lambda: b"y") != event_key("j", "1", lambda: b"x")
    assert event_key("i", "", lambda: b"x") != event_key("i", "", lambda: b"y")


@given(st.lists(st.lists(st.integers(0, 30))))
def test_each_is_picked_once(rounds: list[list[int]]) -> None:
    news = UnseenEvents()
    picked = [one for found in rounds for one in news.pick(found, str)]
    assert sorted(picked) == sorted({one for found in rounds for one in found})
