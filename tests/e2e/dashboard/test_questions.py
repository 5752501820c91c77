"""The six questions of the first user, as he clicks them, on both stores."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.e2e.daemon import Daemon
from tests.e2e.dashboard.conftest import Open, Site
from tests.e2e.dashboard.history import words
from tests.e2e.dashboard.screens import BARS
from tests.e2e.servers import SearchServer
from tests.waiting import wait_until

PROBLEMS = {"WARNING", "ERROR"}
HINTS = {
    "levl:ERROR": "no event has a field levl; did you mean level?",
    "level:EROR": "no event has the level EROR; did you mean ERROR?",
    "_index:logstash": "there is no index logstash",
}
STAMPS = (
    "0001-01-01T00:00:00.000Z",
    "0001-01-02T12:00:00.000Z",
    "2026-11-28T10:00:00.000Z",
    "9999-12-31T10:00:00.000Z",
)
ENDS = {
    "UTC": [1, 1],
    "Asia/Seoul": [1, 1],
    "America/New_York": [0, 1],
    "Pacific/Kiritimati": [0, 0],
    "Etc/GMT+12": [0, 0],
}
"""How many events there are on the first and the last day of the calendar in a time zone."""


def send(daemon: Daemon) -> None:
    """Send an event of each time."""
    events = [
        {"@timestamp": stamp, "@version": "1", "level": "INFO", "message": f"event {n}"}
        for n, stamp in enumerate(STAMPS)
    ]
    daemon.send(events)
    daemon.wait_for_delivery(len(events))


def ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    """Return values as a panel shows them: by count, equals by value."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


class Questions:
    """Each is answered in a click or two; where ``site`` is, the classes below say."""

    def test_words_of_30_days(self, site: Site, visit: Open) -> None:
        page = visit(site.url, again=True)
        page.page.get_by_role("link", name="Top searches, 30 days").click()
        page.settled()
        rows = page.page.locator(".words-table tbody tr")
        found = rows.evaluate_all("rows => rows.map(row => row.innerText.split(/[\\t\\n]+/))")
        assert [(row[1], int(row[2])) for row in found] == ranked(words(list(site.history.sent)))
        expect(page.page.get_by_role("link", name="Top searches, 30 days")).to_have_attribute("aria-current", "true")
        page.shot("words")

    def test_words_of_a_chosen_range(self, site: Site, visit: Open) -> None:
        since, until = site.history.incident
        page = visit(site.url, "range=7d", again=True)
        # Mark the bars around the incident with the mouse: the label of the bar says which that is.
        stage = page.still().page.get_by_role("slider", name="Events over time")
        box = stage.bounding_box()
        assert box is not None
        plot = box["width"] - 48
        start = site.history.now - dt.timedelta(days=7)

        def at(time: dt.datetime) -> float:
            return box["x"] + 44 + plot * ((time - start) / dt.timedelta(days=7))

        page.page.mouse.move(at(since - dt.timedelta(hours=1)), box["y"] + 50)
        page.page.mouse.down()
        page.page.mouse.move(at(until + dt.timedelta(hours=1)), box["y"] + 60, steps=5)
        page.shot("brush")
        page.page.mouse.up()
        page.settled()
        chosen = page.page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")
        marked = site.history.between(*(dt.datetime.fromisoformat(chosen[name]) for name in ("from", "to")))
        assert words(marked)["제주 렌터카"] == 5
        assert page.values("Top search words") == ranked(words(marked))
        page.shot("words")

    def test_warnings_and_above_with_stack_traces(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", again=True)
        page.page.get_by_role("link", name="Warnings with stack traces").click()
        page.settled()
        expected = [sent.level for sent in reversed(site.history.sent) if sent.level in PROBLEMS]
        assert page.total == len(expected)
        assert sorted(page.levels) == sorted(expected)
        expect(page.page.locator(".trace .stack")).to_have_count(expected.count("ERROR"))
        expect(page.page.locator(".trace .stack").first).to_contain_text("line 88, in checkout")
        page.shot("warnings")

    def test_only_a_level_and_above_is_one_click(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", again=True)
        page.page.get_by_role("button", name="ERROR +").click()
        page.settled()
        assert set(page.levels) == {"ERROR"}
        assert page.total == sum(sent.level == "ERROR" for sent in site.history.sent)

    def test_between_14_00_and_14_10(self, site: Site, visit: Open) -> None:
        since, until = site.history.incident
        page = visit(site.url, again=True).type_range(f"{since:%Y-%m-%d} 14:00", "14:10")
        expected = site.history.between(since, until)
        assert page.total == len(expected) == 15
        assert len(page.messages) == 15
        times = page.rows.locator("time").all_inner_texts()
        assert times == [sent.time.strftime("%H:%M:%S.000") for sent in reversed(expected)]
        page.shot("incident")

    def test_levels_over_time(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", again=True)
        expected = Counter(sent.level for sent in site.history.sent)
        assert page.legend == expected
        assert dict(page.values("Levels")) == expected
        stage = page.page.get_by_role("slider", name="Events over time")
        seen: Counter[str] = Counter()
        stage.focus()
        for _ in range(int(stage.get_attribute("aria-valuemax") or 0) + 1):
            stage.press("ArrowRight")
            parts = (stage.get_attribute("aria-valuetext") or "").rpartition(": ")[2].split(", ")
            pairs = (part.rsplit(" ", 1) for part in parts)
            seen.update({level: int(count) for level, count in pairs if count.isdigit()})
        assert seen == expected
        page.shot("levels")

    def test_a_misspelt_field_level_or_index_is_named(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", again=True)
        for query, hint in HINTS.items():
            page.ask(query)
            expect(page.page.locator(".none-hint")).to_have_text([hint])
        page.shot("hint")
        page.ask("level:CRITICAL")
        expect(page.page.get_by_role("heading", name="No events match")).to_be_visible()
        expect(page.page.locator(".none-hint")).to_have_count(0)

    def test_where_visitors_come_from(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", again=True)
        page.page.get_by_role("link", name="Where visitors come from").click()
        page.page.wait_for_selector(".world")
        page.settled()
        expected = Counter(sent.country for sent in site.history.sent if sent.country)
        names = {"KR": "South Korea", "US": "United States", "JP": "Japan", "DE": "Germany"}
        assert page.values("Countries") == [(names[code], count) for code, count in expected.most_common()]
        expect(page.page.locator(".land[data-country=KR]")).to_have_class("land shade-5")
        expect(page.page.locator(".land[data-country=DE]")).to_have_class("land shade-1")
        expect(page.page.locator(".land[data-country=FR]")).to_have_class("land shade-0")
        page.panel("Countries").get_by_role("button", name="Japan").click()
        page.settled()
        assert page.values("Top search words: Japan")[0] == ("제주 렌터카", 5)
        page.shot("map")


@pytest.fixture(scope="class")
def local_edges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon on the built-in store with an event of each time."""
    with Daemon(tmp_path_factory.mktemp("edges"), retention_max_age="0") as daemon:
        send(daemon)
        yield daemon


@pytest.fixture(scope="class")
def elastic_edges(search_server: SearchServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The same on a real search server."""
    search_server.wipe()
    with Daemon(
        tmp_path_factory.mktemp("edges"), "--elasticsearch", search_server.url, retention_max_age="0"
    ) as daemon:
        send(daemon)
        wait_until(lambda: search_server.count("logstash-*") == len(STAMPS), "all events to be searchable")
        yield daemon
    search_server.wipe()


class EdgesOfTime:
    """Events of the years 1 and 9999, in time zones on both sides of UTC."""

    @pytest.mark.sampled(usual=2)
    @pytest.mark.parametrize("zone", ENDS)
    def test_all_of_time(self, edges: Daemon, visit: Open, zone: str) -> None:
        page = visit(edges.url, f"from={STAMPS[0]}&to=9999-12-31T23:59:59.999Z", timezone_id=zone)
        assert (page.total, page.legend) == (len(STAMPS), {"INFO": len(STAMPS)})
        assert page.messages == [f"event {number}" for number in reversed(range(len(STAMPS)))]
        stage = page.page.get_by_role("slider", name="Events over time")
        bars = [text.rpartition(": ")[2] for text in stage.evaluate(BARS)]
        assert sum(int(bar.rpartition(" ")[2]) for bar in bars if bar.startswith("INFO ")) == len(STAMPS), bars
        page.shot("all")
        totals = [page.type_range(day, day).total for day in ("0001-01-01", "9999-12-31")]
        assert totals == ENDS[zone]


class TestLocal(Questions):
    @pytest.fixture
    def site(self, local_site: Site) -> Site:
        return local_site


class TestEdgesOfTimeLocal(EdgesOfTime):
    @pytest.fixture
    def edges(self, local_edges: Daemon) -> Daemon:
        return local_edges


@pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3"], indirect=True)
class TestEdgesOfTimeElasticsearch(EdgesOfTime):
    @pytest.fixture
    def edges(self, elastic_edges: Daemon) -> Daemon:
        return elastic_edges


@pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3"], indirect=True)
class TestElasticsearch(Questions):
    @pytest.fixture
    def site(self, elastic_site: Site) -> Site:
        return elastic_site
