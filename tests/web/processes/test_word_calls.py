"""The answers of the API about words, for the days of `incident`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ingestd.stores.local import LocalStore
from ingestd.stores.query import Query
from ingestd.web.params import ParameterError
from ingestd.web.processes.word_calls import word_document, words_document
from tests.analytics.conftest import fill
from tests.e2e import incident

pytestmark = pytest.mark.usefixtures("shared_duckdb")

LAST = Query(incident.SINCE, incident.UNTIL)
DAYS = {"seconds": 86_400, "offset": 0, "zone": "UTC", "now": "2026-11-29T12:00:00.000Z"}
TIMES = [f"2026-11-{day}T00:00:00.000Z" for day in (27, 28, 29)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStore]:
    root = tmp_path_factory.mktemp("store")
    odd = [{"@timestamp": "2026-12-24T10:00:00.000Z", "search_word": word} for word in ("C++", "Seoul", "seoul", "++")]
    fill(root, [*incident.events(), *odd])
    store = LocalStore(root, threads=1)
    yield store
    store.close()


def words(store: LocalStore, query: Query = LAST, **changes: Any) -> Any:
    arguments = DAYS | {"n": 50, "find": "", "csv": False} | changes
    return json.loads(words_document(store, query, arguments))


def word(store: LocalStore, query: Query = LAST, **changes: Any) -> Any:
    return json.loads(word_document(store, query, DAYS | {"word": incident.RISING} | changes))


def test_words(store: LocalStore) -> None:
    found = words(store)
    assert (found["total"], found["distinct"], found["times"]) == (360, 13, TIMES)
    assert found["before"] == {"since": "2026-11-24T00:00:00.000Z", "until": incident.SINCE}
    assert found["rising"][0] == {
        "word": incident.RISING,
        "count": 90,
        "share": 0.25,
        "previous": 9,
        "change": 9.0,
        "rank": 1,
        "previous_rank": 6,
        "series": [30, 30, 30],
    }
    assert found["words"][0] == found["rising"][0]
    assert [found[name][0]["word"] for name in ("new", "fallen")] == [incident.STARTED, incident.FALLEN]
    assert found["fallen"][0]["series"] == [0, 0, 0]
    expected = {"known": True, "count": 6, "words": [{"word": incident.NOT_FOUND, "count": 6}]}
    assert found["without_results"] == expected


def test_the_end_is_now(store: LocalStore) -> None:
    found = words(store, Query("2026-11-27T12:00:00.000Z"))
    assert found["before"] == {"since": "2026-11-25T12:00:00.000Z", "until": "2026-11-27T12:00:00.000Z"}
    assert found["times"] == TIMES


def test_without_a_period(store: LocalStore) -> None:
    found = words(store, Query())
    assert (found["before"], found["times"], found["rising"]) == (None, [], [])
    assert found["words"][0]["series"] == []
    assert word(store, Query())["previous"] is None


def test_days_of_a_zone(store: LocalStore) -> None:
    """Whole days of Seoul, of which days of UTC are parts."""
    found = words(store, Query("2026-11-26T15:00:00Z", "2026-11-29T15:00:00Z"), zone="Asia/Seoul", offset=9 * 3600)
    assert found["times"][0] == "2026-11-26T15:00:00.000Z"
    assert [len(found["times"]), found["words"][0]["series"]] == [3, [30, 30, 30]]


@pytest.mark.parametrize(
    ("find", "expected"),
    [("맛", []), ("SEOUL", ["Seoul", "seoul"]), ("c", ["C++"]), ("++", ["++", "C++"]), ("nope", [])],
)
def test_words_with_a_text_in_them(store: LocalStore, find: str, expected: list[str]) -> None:
    found = words(store, Query("2026-12-24T00:00:00Z", "2026-12-25T00:00:00Z"), find=find)
    assert [word["word"] for word in found["words"]] == expected


@pytest.mark.parametrize(
    ("find", "listed", "word"),
    [
        (incident.RISING, "rising", {"share": 0.25, "previous": 9, "change": 9.0, "rank": 1, "previous_rank": 6}),
        (incident.STARTED, "new", {"share": 60 / 360, "previous": 0, "rank": 3, "previous_rank": None}),
        (incident.FALLEN, "fallen", {"share": 0.0, "previous": 30, "rank": None}),
    ],
)
def test_a_text_changes_no_numbers(store: LocalStore, find: str, listed: str, word: dict[str, Any]) -> None:
    found, every = words(store, find=find), words(store)
    assert found[listed] == [row for row in every[listed] if row["word"] == find]
    assert [row | word for row in found[listed]] == found[listed]
    changed = {name: found[name] for name in every if found[name] != every[name]}
    assert changed.keys() <= {"matching", "words", "rising", "new", "fallen", "without_results"}
    assert (found["matching"], every["matching"]) == (len(found["words"]), 13)
    assert found["without_results"]["count"] == 6


def test_csv(store: LocalStore) -> None:
    lines = words(store, csv=True, n=1)["csv"].splitlines()
    assert lines == ["\ufeffword,count,share,previous,change,rank,previous_rank", f"{incident.RISING},90,0.25,9,9,1,6"]
    assert words(store, csv=True, n=1, find="붕어")["csv"].splitlines() == lines


def test_a_word(store: LocalStore) -> None:
    found = word(store)
    assert [found["times"], found["series"], found["previous_series"]] == [TIMES, [30, 30, 30], [3, 3, 3]]
    assert (found["count"], found["previous"], found["without_results"]) == (90, 9, 0)
    assert found["countries"]["field"] == "geoip.country_code2"
    assert found["paths"]["values"][0]["value"] == "/search"
    assert found["near"]["words"][0]["word"] == incident.NEXT
    assert not found["near"]["sampled"]


def test_too_many_intervals(store: LocalStore) -> None:
    with pytest.raises(ParameterError, match="more than 100 intervals"):
        words(store, seconds=60)
