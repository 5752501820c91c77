"""Which node is asked next, after failures too."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.stores.elastic.connection.node_pool import NodePool


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def asked(pool: NodePool[str], times: int) -> Counter[str]:
    return Counter(pool.get() for _ in range(times))


def test_nodes_take_turns() -> None:
    pool = NodePool(["a", "b", "c"])
    assert asked(pool, 9) == {"a": 3, "b": 3, "c": 3}
    pool.add("d")
    assert asked(pool, 8) == {"a": 2, "b": 2, "c": 2, "d": 2}


def test_one_that_fails_is_left_out_longer_each_time() -> None:
    clock = Clock()
    pool = NodePool(["a", "b"], clock=clock)
    for seconds in (1, 2, 4, 8, 16, 30, 30):
        pool.failed("a")
        assert asked(pool, 4) == {"b": 4}
        clock.now += seconds - 0.1
        assert asked(pool, 4) == {"b": 4}
        clock.now += 0.1
        assert asked(pool, 4) == {"a": 2, "b": 2}
    pool.succeeded("a")
    pool.failed("a")
    clock.now += 1
    assert asked(pool, 4) == {"a": 2, "b": 2}, "it counts from one again"


def test_one_that_was_asked_meanwhile_and_answers_is_used_again() -> None:
    pool = NodePool(["a", "b"], clock=Clock())
    pool.failed("a")
    pool.succeeded("a")
    assert asked(pool, 4) == {"a": 2, "b": 2}


def test_if_none_is_left_the_first_to_be_tried_again_is_asked() -> None:
    clock = Clock()
    pool = NodePool(["a", "b"], clock=clock)
    pool.failed("b")
    clock.now += 0.5
    pool.failed("a")
    assert asked(pool, 2) == {"b": 2}
    pool.failed("b")  # for two seconds
    assert asked(pool, 2) == {"a": 2}


def test_with_a_health_check_time_changes_nothing() -> None:
    clock = Clock()
    pool = NodePool(["a", "b"], by_time=False, clock=clock)
    pool.failed("a")
    clock.now += 3600
    assert asked(pool, 4) == {"b": 4}
    assert pool.left_out == ["a"]
    pool.succeeded("a")
    assert asked(pool, 4) == {"a": 2, "b": 2}
    assert pool.left_out == []


@pytest.mark.parametrize("by_time", [True, False])
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("failed", "succeeded", "get", "wait")))))
def test_there_is_always_a_node_and_none_is_lost(by_time: bool, steps: list[tuple[str, str]]) -> None:
    clock = Clock()
    pool = NodePool("abc", by_time=by_time, clock=clock)
    for node, step in steps:
        match step:
            case "failed":
                pool.failed(node)
            case "succeeded":
                pool.succeeded(node)
            case "wait":
                clock.now += 1.5
        assert pool.get() in set("abc")
        assert sorted(pool.nodes) == ["a", "b", "c"]
        assert set(pool.left_out) < set("abc")
