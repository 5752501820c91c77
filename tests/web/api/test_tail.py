from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingestd.web.api.tail import UnseenHits


def hit(number: int, second: int, name: str = "") -> dict[str, Any]:
    stamp = f"2026-11-22T10:00:{second:02d}.000Z"
    return {"index": "logstash-2026.11.22", "id": name, "event": {"@timestamp": stamp, "n": number}}


def numbers(hits: list[dict[str, Any]]) -> list[int]:
    return [hit["event"]["n"] for hit in hits]


def test_only_what_is_new_and_in_order() -> None:
    news = UnseenHits("2026-11-22T10:00:05.000Z")
    old, at_begin = hit(1, 1, "a"), hit(2, 5, "b")
    assert numbers(news.pick([at_begin, old])) == [2]
    late, young = hit(3, 2, "c"), hit(4, 9, "d")
    assert numbers(news.pick([young, at_begin, late, old])) == [3, 4]
    assert news.pick([young, at_begin, late, old]) == []


def test_hits_without_an_id_are_distinguished_by_their_content() -> None:
    news = UnseenHits("2026-11-22T10:00:00Z")
    assert numbers(news.pick([hit(2, 1), hit(1, 1)])) == [1, 2]
    assert numbers(news.pick([hit(3, 1), hit(2, 1), hit(1, 1)])) == [3]


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 7))
def test_each_hit_is_picked_once(order: list[int], step: int) -> None:
    news = UnseenHits("2026-11-22T10:00:00Z")
    picked: list[int] = []
    for size in range(step, len(order) + step, step):
        there = sorted({(number, str(number)) for number in order[:size]}, reverse=True)
        picked += numbers(news.pick([hit(number, number % 60, name) for number, name in there]))
    assert sorted(picked) == sorted(set(order))
