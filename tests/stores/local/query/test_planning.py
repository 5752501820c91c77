import itertools
from pathlib import Path

import pytest

from ingestd.stores.index_names import day_of
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.index.layout import IndexFolder
from ingestd.stores.local.query import planning
from ingestd.stores.local.query.planning import HEAVY_BYTES, LIGHT_BYTES, time_slices
from ingestd.stores.query import Query

USUAL = LIGHT_BYTES + 1


def folder(index: str) -> IndexFolder:
    return IndexFolder(Path(index), index, day_of(index))


def ranges(query: Query, *sizes: tuple[str, int]) -> list[tuple[str | None, str | None]]:
    cut = time_slices(query, [(folder(index), size) for index, size in sizes])
    assert cut is not None
    return [(part.since, part.until) for part in cut]


def test_days_from_the_farthest_west_to_the_farthest_east() -> None:
    assert ranges(Query(), ("x-2026.11.22", USUAL)) == [
        ("2026-11-22T12:00:00", "2026-11-23T12:00:00"),
        ("2026-11-21T12:00:00", "2026-11-22T12:00:00"),
        ("2026-11-20T12:00:00", "2026-11-21T12:00:00"),
    ]


def test_a_heavy_day_is_read_by_hours() -> None:
    cut = ranges(Query(), ("x-2026.11.22", HEAVY_BYTES + 1))
    assert len(cut) == 50
    assert cut[0] == ("2026-11-23T11:00:00", "2026-11-23T12:00:00")
    assert all(since == until for (since, _), (_, until) in itertools.pairwise(cut))


def test_light_days_are_read_at_once() -> None:
    light = [(f"x-2026.11.{day}", 1 << 20) for day in (20, 21, 22)]
    assert ranges(Query(), *light) == [("2024-02-03T12:00:00", "2026-11-23T12:00:00")]
    assert ranges(Query(), *light, ("x-2026.11.19", USUAL)) == [
        ("2026-11-21T12:00:00", "2026-11-23T12:00:00"),
        ("2026-11-20T12:00:00", "2026-11-21T12:00:00"),
        ("2026-11-19T12:00:00", "2026-11-20T12:00:00"),
        ("2026-11-18T12:00:00", "2026-11-19T12:00:00"),
        ("2026-11-17T12:00:00", "2026-11-18T12:00:00"),
    ]
    assert ranges(Query(), ("x-2026.11.22", 1), ("x-2010.11.22", 1)) == [
        ("2024-02-03T12:00:00", "2026-11-23T12:00:00"),
        ("2008-02-03T12:00:00", "2010-11-23T12:00:00"),
    ]


def test_days_without_an_index_are_left_out() -> None:
    cut = ranges(Query(), ("x-2026.11.22", USUAL), ("x-2025.11.22", USUAL))
    assert len(cut) == 6


def test_within_the_range_of_the_query() -> None:
    query = Query("2026-11-22T10:00:00.000Z", "2026-11-22T14:00:00.000Z")
    assert ranges(query, ("x-2026.11.22", USUAL)) == [
        ("2026-11-22T12:00:00", "2026-11-22T14:00:00.000Z"),
        ("2026-11-22T10:00:00.000Z", "2026-11-22T12:00:00"),
    ]


def test_an_index_without_a_day() -> None:
    assert time_slices(Query(), [(folder("audit"), 1)]) is None


@pytest.mark.sampled
@pytest.mark.usefixtures("shared_duckdb")
@pytest.mark.parametrize("light", [0, LIGHT_BYTES], ids=["by_day", "at_once"])
@pytest.mark.parametrize("query", [Query(), Query(since="2026-11-20T05:00:00Z"), Query(until="2026-11-21T05:00:00Z")])
def test_everything_in_order(query: Query, light: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a limit, or with a large one, the same as page by page."""
    monkeypatch.setattr(planning, "LIGHT_BYTES", light)
    writer = LocalWriter(tmp_path, "w0")
    for day in (20, 21, 22):
        times = [f"2026-11-{day}T{hour:02}:00:00.000Z" for hour in range(0, 24, 5)]
        documents = [b'{"@timestamp":"%b"}' % time.encode() for time in times] + [b"{}"]
        writer.append(f"logstash-2026.11.{day}", documents, [f"{day}-{at}" for at in range(len(documents))])
    writer.close()
    store = LocalStore(tmp_path, threads=1)
    expected = [hit.id for hit in store.search(query, 1000)]
    assert [hit.id for hit in store.search(query, 0)] == expected
    assert [hit.id for hit in store.search(query, 10_007)] == expected
    first, *_ = (hit.cursor for hit in store.search(query, 4))
    assert [hit.id for hit in store.search(query, 0, first)] == expected[1:]
