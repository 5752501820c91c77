"""Words of a period against those of the one before, on the built-in store."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from ingestd.analytics import words as words_module
from ingestd.analytics.periods import Period
from ingestd.analytics.word_details import Neighbours, neighbours, word_details, word_series
from ingestd.analytics.words import Unanswered, WordCount, WordReport, unanswered, words_report
from ingestd.stores.base import Hit, LogStore
from ingestd.stores.local import LocalStore
from ingestd.stores.query import Equal, Query
from tests.e2e import incident

pytestmark = pytest.mark.usefixtures("shared_duckdb")

Event = dict[str, Any]
LAST = Query(incident.SINCE, incident.UNTIL)
DAY, BEFORE = "2026-11-22", "2026-11-21"
NOON = Query("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z")


def searched(word: Any, count: int = 1, day: str = DAY, **more: Any) -> list[Event]:
    return [{"@timestamp": f"{day}T12:00:{number % 60:02}.000Z", "search_word": word} | more for number in range(count)]


def report(store: LogStore, query: Query = NOON, **options: Any) -> WordReport:
    return words_report(store, query, zone=datetime.UTC, **options)


def names(words: Iterable[WordCount]) -> list[str]:
    return [found.word for found in words]


class TestIncident:
    def test_the_word_that_rises_tenfold_is_the_first_of_those(self, incident_store: LocalStore) -> None:
        found = report(incident_store, LAST)
        rising = found.rising[0]
        assert (rising.word, rising.count, rising.previous) == (incident.RISING, 90, 9)
        assert (rising.change, rising.rank, rising.previous_rank) == (9.0, 1, 6)
        assert names(found.rising) == [incident.RISING, incident.NEXT]
        assert names(found.new) == [incident.STARTED]
        assert names(found.fallen) == [incident.FALLEN]

    def test_all_counts(self, incident_store: LocalStore) -> None:
        found = report(incident_store, LAST)
        events = [event for event in incident.events() if event["@timestamp"] >= incident.SINCE[:10]]
        counts = Counter(event["search_word"] for event in events if "search_word" in event)
        assert {word.word: word.count for word in found.words} == counts
        assert (found.total, found.distinct) == (counts.total(), len(counts))
        assert [word.rank for word in found.words] == [*range(1, len(counts) + 1)]
        assert sum(word.share for word in found.words) == pytest.approx(1)
        assert found.before == Period("2026-11-24T00:00:00.000Z", incident.SINCE)

    @pytest.mark.parametrize("find", [incident.RISING, "붕어"])
    def test_words_with_a_text_keep_the_numbers_of_all_searches(self, incident_store: LocalStore, find: str) -> None:
        every, found = report(incident_store, LAST), report(incident_store, LAST, find=find)
        assert found.words == tuple(word for word in every.words if find in word.word)
        assert (found.rising, found.new, found.fallen) == (every.rising[:1], (), ())
        assert (found.total, found.distinct, found.matching) == (360, 13, len(found.words))
        assert (found.previous_total, found.previous_distinct) == (205, 13)

    def test_a_new_word_and_a_fallen_one_with_a_text(self, incident_store: LocalStore) -> None:
        new, fallen = (report(incident_store, LAST, find=find) for find in (incident.STARTED, incident.FALLEN))
        assert (names(new.new), new.previous_total) == ([incident.STARTED], 205)
        assert (names(fallen.fallen), fallen.matching, fallen.total) == ([incident.FALLEN], 0, 360)

    def test_words_without_results_with_a_text(self, incident_store: LocalStore) -> None:
        found = [unanswered(incident_store, LAST, find=find) for find in ("붕어", "맛집")]
        assert found == [Unanswered(True, 6, ((incident.NOT_FOUND, 6),)), Unanswered(True, 6)]

    def test_days_without_a_period_before(self, incident_store: LocalStore) -> None:
        """All words would be new."""
        found = report(incident_store, Query("2026-10-31T00:00:00Z", incident.UNTIL))
        assert (found.previous_total, found.rising, found.new, found.fallen) == (0, (), (), ())
        assert found.words[0].previous == 0
        assert found.words[0].change is None

    def test_searches_without_results(self, incident_store: LocalStore) -> None:
        assert unanswered(incident_store, LAST) == Unanswered(True, 6, ((incident.NOT_FOUND, 6),))

    def test_over_time(self, incident_store: LocalStore) -> None:
        found = word_series(incident_store, LAST, [incident.RISING, "jeju", "never"], 86_400)
        days = [f"2026-11-{day}T00:00:00.000Z" for day in (27, 28, 29)]
        assert found == {incident.RISING: dict.fromkeys(days, 30), "jeju": dict.fromkeys(days, 6), "never": {}}

    def test_a_word(self, incident_store: LocalStore) -> None:
        found = word_details(incident_store, LAST, incident.RISING, zone=datetime.UTC)
        assert (found.word.count, found.word.previous, found.word.rank) == (90, 9, 1)
        assert found.without_results == 0
        assert found.countries[0] == "geoip.country_code2"
        assert [top.value for top in found.countries[1]] == ["KR", "JP"]
        assert found.regions[0] == "geoip.region_name"
        assert sum(top.count for top in found.regions[1]) == 90
        assert [top.value for top in found.paths[1]] == ["/search", incident.MOBILE]
        assert found.neighbours.words[0] == (incident.NEXT, found.neighbours.visitors // 2)
        assert incident.LATER not in dict(found.neighbours.words)

    def test_a_word_that_nobody_searched_for(self, incident_store: LocalStore) -> None:
        found = word_details(incident_store, LAST, "never", zone=datetime.UTC)
        assert found.word == WordCount("never", 0, 0.0, 0)
        assert found.countries == found.regions == found.paths == ("", ())
        assert (found.without_results, found.neighbours) == (None, Neighbours())


Fill = Callable[[Iterable[Event]], LocalStore]


class TestReport:
    def test_only_visits_count(self, store_of: Fill) -> None:
        store = store_of([*searched("a", 2, visit=True), *searched("a", 3, visit=False), *searched("b")])
        assert [(word.word, word.count) for word in report(store).words] == [("a", 2), ("b", 1)]

    def test_a_query_restricts_both_periods(self, store_of: Fill) -> None:
        store = store_of([*searched("a", 2, host="x"), *searched("a", 9), *searched("a", 4, BEFORE, host="x")])
        (found,) = report(store, Query(NOON.since, NOON.until, Equal("host", "x"))).words
        assert (found.count, found.previous, found.share) == (2, 4, 1.0)

    def test_numbers_are_words(self, store_of: Fill) -> None:
        store = store_of([*searched(2026, 2), *searched("2026"), *searched(["a", "b"]), *searched("")])
        assert [(word.word, word.count) for word in report(store).words] == [("2026", 3), ("a", 1), ("b", 1)]

    def test_without_comparison(self, store_of: Fill) -> None:
        found = report(store_of(searched("a", 2)), Query(), compare=True)
        assert found.before is None
        assert found.words == (WordCount("a", 2, 1.0, None, 1, None),)

    def test_no_searches(self, store_of: Fill) -> None:
        store = store_of([{"@timestamp": f"{DAY}T12:00:00.000Z"}])
        assert report(store) == WordReport(0, 0, 0, (), Period(f"{BEFORE}T00:00:00.000Z", NOON.since or ""), 0, 0)
        assert unanswered(store, NOON) == Unanswered(False)

    def test_all_searches_had_results(self, store_of: Fill) -> None:
        assert unanswered(store_of(searched("a", search_results=3)), NOON) == Unanswered(True)

    def test_twice_as_many_searches_make_no_word_rise(self, store_of: Fill) -> None:
        words = {"a": 200, "b": 100}
        now = [event for word, count in words.items() for event in searched(word, 2 * count)]
        then = [event for word, count in words.items() for event in searched(word, count, BEFORE)]
        twice = report(store_of(now + then))
        assert (twice.rising, twice.new, twice.fallen) == ((), (), ())

    def test_a_word_has_not_fallen_because_another_rose(self, store_of: Fill) -> None:
        store = store_of([*searched("a", 100), *searched("a", 100, BEFORE), *searched("up", 900)])
        found = report(store)
        assert (names(found.new), found.fallen) == (["up"], ())


class TestManyWords:
    """Only a few words are candidates here: the counts of the others are asked for."""

    @pytest.fixture(autouse=True)
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(words_module, "CANDIDATES", 3)
        monkeypatch.setattr(words_module, "ASKED_AT_ONCE", 2)

    @pytest.fixture
    def store(self, store_of: Fill) -> LocalStore:
        now = {"up": 40, "a": 30, "b": 29, "c": 28, "new": 27, "down": 2}
        then = {"a": 30, "b": 29, "c": 28, "down": 27, "up": 3}
        events = [event for word, count in now.items() for event in searched(word, count)]
        return store_of(events + [event for word, count in then.items() for event in searched(word, count, BEFORE)])

    def test_words_that_were_no_candidates_before_have_exact_counts(self, store: LocalStore) -> None:
        found = report(store, limit=3)
        assert [(word.word, word.count, word.previous) for word in found.words] == [
            ("up", 40, 3),
            ("a", 30, 30),
            ("b", 29, 29),
        ]
        assert [word.previous_rank for word in found.words] == [None, 1, 2]
        assert (found.total, found.distinct) == (156, 6)
        assert (found.previous_total, found.previous_distinct) == (117, 5)
        assert names(found.rising) == ["up"]

    def test_words_that_are_no_candidates_any_more(self, store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(words_module, "CANDIDATES", 4)
        monkeypatch.setattr(words_module, "ASKED_AT_ONCE", 4)
        (fallen,) = report(store, limit=4).fallen
        assert (fallen.word, fallen.count, fallen.previous, fallen.rank, fallen.previous_rank) == (
            "down",
            2,
            27,
            None,
            4,
        )

    @pytest.mark.parametrize(
        ("find", "word", "matching", "lists"),
        [
            ("down", WordCount("down", 2, 2 / 156, 27), 1, ([], [], ["down"])),
            ("new", WordCount("new", 27, 27 / 156, 0), 1, ([], ["new"], [])),
            ("up", WordCount("up", 40, 40 / 156, 3, 1), 1, (["up"], [], [])),
        ],
    )
    def test_a_text_finds_words_that_are_no_candidates(
        self, store: LocalStore, find: str, word: WordCount, matching: int, lists: tuple[list[str], ...]
    ) -> None:
        found = report(store, limit=3, find=find)
        assert (found.words, found.matching, found.total, found.previous_total) == ((word,), matching, 156, 117)
        assert (names(found.rising), names(found.new), names(found.fallen)) == lists

    def test_of_a_search_for_several_words_only_those_with_the_text(self, store_of: Fill) -> None:
        found = report(store_of([*searched(["tent", "stove"], 2), *searched("tents")]), find="tent")
        assert [(word.word, word.count, word.share) for word in found.words] == [("tent", 2, 0.4), ("tents", 1, 0.2)]

    def test_a_larger_limit_has_more_candidates(self, store: LocalStore) -> None:
        assert names(report(store, limit=6).words) == ["up", "a", "b", "c", "new", "down"]

    def test_searches_for_several_words_do_not_hide_others(self, store_of: Fill) -> None:
        store = store_of([*searched([f"with {number}" for number in range(20)] + ["rare"], 5), *searched("rare")])
        assert words_module.exact_counts(store, NOON, ["rare", "never"]) == {"rare": 6}

    def test_a_word_of_the_page(self, store: LocalStore) -> None:
        found = word_details(store, NOON, "down", zone=datetime.UTC)
        assert (found.word.count, found.word.previous, found.word.rank) == (2, 27, None)


class TestNeighbours:
    @staticmethod
    def visits(*times: tuple[str, str, str]) -> list[Event]:
        return [{"@timestamp": f"{DAY}T{time}Z", "client_ip": who, "search_word": word} for time, who, word in times]

    def test_within_ten_minutes_on_both_sides(self, store_of: Fill) -> None:
        store = store_of(
            self.visits(
                ("12:00:00.000", "192.0.2.1", "tent"),
                ("11:50:00.000", "192.0.2.1", "before"),
                ("12:10:00.000", "192.0.2.1", "after"),
                ("12:10:00.001", "192.0.2.1", "too late"),
                ("11:49:59.999", "192.0.2.1", "too early"),
                ("12:01:00.000", "192.0.2.2", "somebody else"),
            )
        )
        assert neighbours(store, NOON, "tent") == Neighbours(1, (("after", 1), ("before", 1)))

    def test_a_visitor_counts_once(self, store_of: Fill) -> None:
        store = store_of(
            self.visits(
                ("12:00:00.000", "192.0.2.1", "tent"),
                ("12:00:30.000", "192.0.2.1", "tent"),
                ("12:01:00.000", "192.0.2.1", "stove"),
                ("12:02:00.000", "192.0.2.1", "stove"),
                ("12:03:00.000", "192.0.2.2", "tent"),
                ("12:04:00.000", "192.0.2.2", "lamp"),
                ("12:05:00.000", "192.0.2.2", "stove"),
            )
        )
        assert neighbours(store, NOON, "tent") == Neighbours(2, (("stove", 2), ("lamp", 1)))

    def test_words_that_are_no_texts(self, store_of: Fill) -> None:
        events = [event | {"client_ip": "192.0.2.1"} for word in (True, [None, "", 7]) for event in searched(word)]
        assert neighbours(store_of(events), NOON, "true") == Neighbours(1, (("7", 1),))

    def test_no_addresses(self, store_of: Fill) -> None:
        assert neighbours(store_of(searched("tent", 3)), NOON, "tent") == Neighbours()

    def test_the_store_is_searched_once_for_all_fields_of_addresses(
        self, store_of: Fill, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first field that has any counts; a word whose searches have none takes one search."""
        events = [
            *searched("tent", client={"ip": "192.0.2.1"}),
            *(event | {"client.ip": "192.0.2.1"} for event in searched("stove")),
            *searched("tent", source={"ip": "192.0.2.2"}),
            *searched("lamp", source={"ip": "192.0.2.2"}),
            *searched("down"),
        ]
        store, searches = store_of(events), list[Query]()
        search = store.search

        def noted(query: Query, *more: Any) -> Iterator[Hit]:
            searches.append(query)
            return search(query, *more)

        monkeypatch.setattr(store, "search", noted)
        assert neighbours(store, NOON, "down") == Neighbours()
        assert len(searches) == 1
        assert neighbours(store, NOON, "tent") == Neighbours(1, (("stove", 1),))
        assert len(searches) == 3
