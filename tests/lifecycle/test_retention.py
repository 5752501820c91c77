"""What retention keeps and deletes, and the sentence why."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.lifecycle.retention import Hold, Rules, decide, next_deletion
from ingestd.stores.base import IndexInfo

TODAY = datetime.date(2026, 11, 22)
DAY = 86400


def index(days_ago: int, size: int = 1000, prefix: str = "logstash") -> IndexInfo:
    day = TODAY - datetime.timedelta(days=days_ago)
    return IndexInfo(f"{prefix}-{day:%Y.%m.%d}", day, 10, size)


def unsaved(*ages: int) -> dict[str, Any]:
    return {"holds": {index(age).index: Hold("it is not backed up") for age in ages}}


def imported(*ages: int) -> dict[str, Any]:
    return {"holds": {index(age).index: Hold("it was imported", counts=False) for age in ages}}


CASES: list[tuple[str, Rules, list[int], dict[str, Any], list[int]]] = [
    # id, rules, ages in days, further arguments, ages that go
    ("no_rule", Rules(), [0, 1, 400], {}, []),
    ("age", Rules(max_age=30 * DAY), [0, 1, 29, 30, 31, 32], {}, [32, 31]),
    ("age_of_half_days_rounds_up", Rules(max_age=1.5 * DAY), [1, 2, 3, 4], {}, [4, 3]),
    ("days_to_come_do_not_count", Rules(max_indices=4), [4, 3, 2, 1, 0, -2957, -2958, -2959], {}, [4]),
    ("bytes_to_come_do_not_count", Rules(max_bytes=3000), [3, 2, 1, 0, -1, -400], {}, [3]),
    ("count", Rules(max_indices=2), [0, 1, 2, 3], {}, [3, 2]),
    ("size", Rules(max_bytes=2500), [0, 1, 2, 3], {}, [3, 2]),
    ("size_is_met", Rules(max_bytes=4000), [0, 1, 2, 3], {}, []),
    ("free_disk", Rules(keep_free=5000), [0, 1, 2, 3], {"free_bytes": 3500}, [3, 2]),
    ("free_disk_unknown", Rules(keep_free=5000), [0, 1, 2, 3], {}, []),
    ("today_stays_whatever", Rules(max_age=0, max_bytes=0, max_indices=0), [-1, 0, 1], {}, [1]),
    ("what_age_takes_counts_for_size", Rules(max_age=2 * DAY, max_bytes=3000), [0, 1, 2, 3], {}, [3]),
    ("held", Rules(max_age=DAY), [2, 3, 4], unsaved(4), [3, 2]),
    ("held_count_for_older_ones_only", Rules(max_indices=3), [0, 1, 2, 3, 4, 5], unsaved(2, 5), [4, 3]),
    ("held_bytes_for_older_ones_only", Rules(max_bytes=3000), [0, 1, 2, 3, 4, 5], unsaved(2, 5), [4, 3]),
    ("imported_old_days_are_no_limit", Rules(max_indices=2), [626, 625, 2, 1, 0], imported(626, 625), [2]),
    ("imported_old_bytes_are_no_limit", Rules(max_bytes=3000), [626, 625, 2, 1, 0], imported(626, 625), []),
    ("imported_days_do_not_count", Rules(max_indices=4), [4, 3, 2, 1, 0], imported(1, 2), []),
    ("imported_bytes_do_not_count", Rules(max_bytes=2000), [4, 3, 2, 1, 0], imported(1, 3), [4]),
    ("imported_space", Rules(keep_free=5000), [9, 8, 2, 1, 0], imported(9, 8) | {"free_bytes": 3000}, []),
    ("more_than_imported", Rules(keep_free=5000), [9, 2, 1, 0], imported(9) | {"free_bytes": 3000}, [2]),
    ("imported_space_lately", Rules(keep_free=5000), [9, 8, 1, 0], imported(1) | {"free_bytes": 3000}, [9]),
    ("held_free_no_space", Rules(keep_free=5000), [3, 2, 1, 0], unsaved(3) | {"free_bytes": 4000}, [2]),
    ("not_in_vain", Rules(keep_free=50000), [3, 2, 1, 0], {"free_bytes": 3000}, []),
    ("what_age_takes_frees", Rules(max_age=2 * DAY, keep_free=5000), [3, 2, 1, 0], {"free_bytes": 3500}, [3, 2]),
    ("age_goes_in_any_case", Rules(max_age=2 * DAY, keep_free=50000), [3, 2, 1, 0], {"free_bytes": 3500}, [3]),
]


@pytest.mark.parametrize(
    ("rules", "ages", "arguments", "gone"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_decide(rules: Rules, ages: list[int], arguments: dict[str, Any], gone: list[int]) -> None:
    decisions = decide([index(age) for age in ages], rules, TODAY, **arguments)
    assert [decision.info for decision in decisions if decision.delete] == [index(age) for age in gone]
    assert {decision.info for decision in decisions} == {index(age) for age in ages}


def test_other_indices_are_not_looked_at() -> None:
    others = [index(90, prefix="metrics"), IndexInfo("logstash-old", None, 1, 1)]
    decisions = decide([*others, index(90)], Rules(max_age=DAY), TODAY)
    assert [(decision.info.index, decision.delete) for decision in decisions] == [
        (index(90).index, True),
        ("logstash-old", False),
    ]
    assert decisions[1].reason == "its name has no day"


SENTENCES = [  # id, rules, age, arguments, why
    ("old", Rules(max_age=30 * DAY), 31, {}, "it is 31 days old, max_age is 30d"),
    ("young", Rules(max_age=30 * DAY), 3, {}, "until 2026-12-20"),
    (
        "to_come",
        Rules(max_indices=1),
        -1,
        {},
        "its day is yet to come: the clock of a sender is wrong, or the times in its events; it does not count towards "
        "any limit",
    ),
    ("today", Rules(max_age=0), 0, {}, "it is being written"),
    ("full", Rules(max_bytes=500), 1, {}, "1.0 kB are stored from this day to today, max_bytes is 500 B"),
    ("disk", Rules(keep_free=2048), 1, {"free_bytes": 1348}, "700 B more must be free, keep_free is 2.0 kB"),
    (
        "disk_in_vain",
        Rules(keep_free=2048),
        1,
        {"free_bytes": 512},
        "no rule applies; 1.5 kB more must be free, keep_free is 2.0 kB, but all days that may be deleted would free "
        "only 1.0 kB",
    ),
    (
        "held",
        Rules(max_age=DAY),
        9,
        unsaved(9),
        "it is not backed up; otherwise deleted: it is 9 days old, max_age is 1d",
    ),
]


@pytest.mark.parametrize(
    ("rules", "age", "arguments", "why"), [case[1:] for case in SENTENCES], ids=[case[0] for case in SENTENCES]
)
def test_why(rules: Rules, age: int, arguments: dict[str, Any], why: str) -> None:
    (decision,) = decide([index(age)], rules, TODAY, **arguments)
    assert decision.reason == why


def reasons(ages: list[int], rules: Rules, **arguments: Any) -> list[str]:
    return [decision.reason for decision in decide([index(age) for age in ages], rules, TODAY, **arguments)]


def test_numbers_in_reasons_are_those_from_the_day_to_today() -> None:
    assert reasons([3, 2, 1, 0], Rules(max_indices=1)) == [
        "there are 4 indices from this day to today, max_indices is 1",
        "there are 3 indices from this day to today, max_indices is 1",
        "there are 2 indices from this day to today, max_indices is 1",
        "it is being written",
    ]
    without = "from this day to today (not counting 1 that was restored or imported)"
    assert reasons([3, 2, 1, 0], Rules(max_bytes=1500), **imported(2)) == [
        f"3.0 kB are stored {without}, max_bytes is 1.5 kB",
        "it was imported; otherwise deleted: 3.0 kB are stored from this day to today, max_bytes is 1.5 kB",
        "2.0 kB are stored from this day to today, max_bytes is 1.5 kB",
        "it is being written",
    ]
    assert reasons([9, 2, 1, 0], Rules(keep_free=5000), free_bytes=3200, **imported(9)) == [
        "it was imported; otherwise deleted: 1.8 kB more must be free, keep_free is 5.0 kB",
        "800 B more must be free, besides what was restored or imported, keep_free is 5.0 kB",
        "no rule applies",
        "it is being written",
    ]


def test_next_deletion_is_the_day_on_which_it_goes() -> None:
    rules = Rules(max_age=30 * DAY)
    day = next_deletion(index(3), rules)
    assert day is not None
    assert not decide([index(3)], rules, day - datetime.timedelta(days=1))[0].delete
    assert decide([index(3)], rules, day)[0].delete


@given(
    st.lists(st.tuples(st.integers(-2, 60), st.integers(0, 9000)), unique_by=lambda pair: pair[0]),
    st.none() | st.integers(0, 40),
    st.none() | st.integers(0, 50_000),
    st.none() | st.integers(0, 20),
)
def test_what_stays_obeys_the_rules_and_no_younger_day_goes_before_an_older_one(
    made: list[tuple[int, int]], age: int | None, size: int | None, count: int | None
) -> None:
    rules = Rules(max_age=None if age is None else age * DAY, max_bytes=size, max_indices=count)
    decisions = decide([index(days, size) for days, size in made], rules, TODAY)
    days = [decision.info.day for decision in decisions if decision.info.day is not None]
    assert days == sorted(days)
    gone = [decision.delete for decision in decisions]
    assert gone == sorted(gone, reverse=True)
    left = [
        decision.info
        for decision in decisions
        if not decision.delete and decision.info.day is not None and decision.info.day <= TODAY
    ]
    finished = [info for info in left if info.day is not None and info.day < TODAY]
    if finished:
        assert size is None or sum(info.bytes for info in left) <= size
        assert count is None or len(left) <= count
        assert age is None or all(info.day is None or (TODAY - info.day).days <= age for info in finished)
