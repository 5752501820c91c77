"""Ranges of time with few enough events to be sorted in memory, however many events a minute has."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.timestamp import from_epoch_ns
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.query import store as module
from ingestd.stores.local.query.dense_times import dense_slices
from ingestd.stores.local.query.sql import bound
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import Equal, Query
from tests.random_cases import random_cases

START = 1_795_305_600_000_000  # 2026-11-22 00:00, in microseconds
MAX_ROWS = 50
MEMORY = 256 << 20


def cut(query: Query, times: list[int], max_rows: int) -> list[list[int]]:
    """Return the times in each slice."""

    def within(part: Query) -> list[int]:
        return [at for at in times if _is_in(part, from_epoch_ns(at * 1000))]

    def count(part: Query, step_us: int) -> list[tuple[int, int]]:
        return list(Counter(at // step_us for at in within(part)).items())

    return [within(part) for part in dense_slices(query, max_rows, count)]


def _is_in(part: Query, time: str) -> bool:
    text = bound(time)
    return bound(part.since or "") <= text and (part.until is None or text < bound(part.until))


times = st.lists(
    st.one_of(
        st.integers(0, 86_400_000_000), st.integers(3_600_000_000, 3_600_000_050), st.sampled_from([5, 7_000_000])
    ),
    max_size=60,
).map(lambda found: [START + at for at in found])


@random_cases(150)
@given(times, st.integers(1, 8), st.booleans())
def test_each_event_is_in_one_slice_and_no_slice_has_too_many(found: list[int], most: int, is_bounded: bool) -> None:
    query = Query("2026-11-22T00:00:00.000Z", "2026-11-22T18:00:00.000Z") if is_bounded else Query()
    slices = cut(query, found, most)
    wanted = sorted((at for at in found if _is_in(query, from_epoch_ns(at * 1000))), reverse=True)
    assert [at for part in slices for at in sorted(part, reverse=True)] == wanted
    assert all(len(part) <= most or len(set(part)) == 1 for part in slices)


def test_an_empty_range_stays_one() -> None:
    assert cut(Query(), [], 10) == [[]]


@pytest.fixture
def rows_at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let few rows be sorted at once, and note how many were."""
    found: list[int] = []
    read_all = module._read_all

    def noted(*args: Any) -> Iterator[Any]:
        rows = list(read_all(*args))
        found.append(len(rows))
        return iter(rows)

    monkeypatch.setattr(module, "_read_all", noted)
    monkeypatch.setattr(module, "ROW_BYTES", MEMORY // MAX_ROWS)
    return found


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], Path]:
    """A store of each kind of index, and whether it is sealed; tests only read them."""
    documents = [
        b'{"@timestamp":"%b","odd":%d}' % (from_epoch_ns((START + at * 97_001) * 1000).encode(), at % 2)
        for at in range(400)
    ]
    documents += [b'{"odd":%d}' % (at % 2) for at in range(20)]  # without a time
    made = {}
    for index, is_sealed in itertools.product(("logstash-2026.11.22", "audit"), (False, True)):
        root = made[index, is_sealed] = tmp_path_factory.mktemp("store")
        writer = LocalWriter(root, "w0")
        writer.append(index, documents, [f"{at:04d}" for at in range(len(documents))])
        writer.close()
        if is_sealed:
            seal_once(root, Policy(idle_s=0))
    return made


@pytest.mark.usefixtures("shared_duckdb")
@pytest.mark.parametrize("is_sealed", [False, True], ids=["append_log", "sealed"])
@pytest.mark.parametrize("index", ["logstash-2026.11.22", "audit"], ids=["day", "no_day"])
@pytest.mark.parametrize(
    "query",
    [Query(), Query("2026-11-22T00:00:10.000Z"), Query(condition=Equal("odd", "1"))],
    ids=["all", "since", "some"],
)
def test_a_minute_of_many_events_is_sorted_in_parts(
    query: Query, index: str, is_sealed: bool, roots: dict[tuple[str, bool], Path], rows_at_once: list[int]
) -> None:
    store = LocalStore(roots[index, is_sealed], MEMORY)
    found = [hit.id for hit in store.search(query, 0)]
    store.close()
    timed = [at for at in reversed(range(400)) if query.since is None or START + at * 97_001 >= START + 10_000_000]
    untimed = list(reversed(range(400, 420))) if query.since is None else []
    expected = [at for at in timed + untimed if query.condition is None or at % 2]
    assert found == [f"{at:04d}" for at in expected]
    assert max(rows_at_once) <= MAX_ROWS
    assert len(rows_at_once) > len(expected) // MAX_ROWS
