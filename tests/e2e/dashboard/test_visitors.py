"""Where visitors are, on both stores: countries, provinces and cities, their words, and what an empty map says."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.dashboard.browser import Dashboard
from tests.e2e.dashboard.conftest import Open
from tests.e2e.servers import SearchServer
from tests.geoip import databases as db
from tests.waiting import wait_until


@dataclass(frozen=True)
class Group:
    """Requests from one place: ``count`` of each word, from so many addresses in all."""

    country: str
    region: str
    city: str
    addresses: int
    words: dict[str, int]


GROUPS = (
    Group("KR", "Seoul", "Gangnam-gu", 3, {"맛집": 30, "날씨": 10}),
    Group("KR", "Gyeonggi-do", "Suwon", 2, {"맛집": 15, "날씨": 5}),
    Group("KR", "Busan", "Busan", 4, {"맛집": 4, "해운대": 7}),
    Group("KR", "Pusan", "Busan", 2, {"맛집": 2, "해운대": 5}),
    Group("US", "California", "San Jose", 9, {"맛집": 44, "seoul food": 8}),
    Group("JP", "Tokyo", "Tokyo", 1, {"맛집": 1}),
    Group("DE", "", "", 1, {"맛집": 1}),
)
RENAMED = {"Pusan": "Busan"}
"""What an older database calls a province."""
WITHOUT_ADDRESS, PRIVATE = "no address", "private"
LANGUAGES: dict[str, Any] = {  # language: what the tests look for
    "en-US": {
        "countries": "Countries", "regions": "Provinces: South Korea", "KR": "South Korea", "Busan": "Busan",
        "Gyeonggi-do": "Gyeonggi", "Seoul": "Seoul", "requests": "Requests", "particular": "Particular to the place",
        "words of Busan": "Words particular to Busan",
        "words": "Top search words: {}", "cities of Busan": "Cities: Busan", "in": "Zoom in", "out": "Zoom out",
        "whole": "Show the whole map", "cities": "Cities: South Korea", "DE": "Germany",
        "tips": ["South Korea: 11 visitors, 78 requests, 50%", "Poland: 0",
                 "Busan: 6 visitors, 18 requests, 55%", "Jeju: 0"],
        "city": "Busan: 6 visitors, 18 requests, 55%",
        "missing": ["No location database is installed", "The events have no visitor addresses",
                    "No address in this time range is in the database",
                    "The installed database has no provinces and cities"],
    },
    "ko-KR": {
        "countries": "국가", "regions": "시·도: 대한민국", "KR": "대한민국", "Busan": "부산",
        "Gyeonggi-do": "경기", "Seoul": "서울", "requests": "요청", "particular": "지역 특색",
        "words of Busan": "부산 특색 검색어",
        "words": "인기 검색어: {}", "cities of Busan": "도시: 부산", "in": "확대", "out": "축소",
        "whole": "전체 지도 보기", "cities": "도시: 대한민국", "DE": "독일",
        "tips": ["대한민국: 방문자 11명, 요청 78건, 50%", "폴란드: 0", "부산: 방문자 6명, 요청 18건, 55%", "제주: 0"],
        "city": "Busan: 방문자 6명, 요청 18건, 55%",
        "missing": ["위치 데이터베이스가 설치되어 있지 않습니다", "이벤트에 방문자 주소가 없습니다",
                    "이 기간의 주소가 데이터베이스에 없습니다", "설치된 데이터베이스에는 시·도와 도시가 없습니다"],
    },
}  # fmt: skip


def events(now: dt.datetime) -> Iterator[dict[str, object]]:
    """Yield the access lines of all groups, and some from nowhere."""
    stamp = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def line(word: str) -> dict[str, object]:
        message = f'"GET /search?q={quote_plus(word)} HTTP/1.1" 200 5316'
        return {"@timestamp": stamp, "@version": "1", "level": "INFO", "message": message}

    for number, group in enumerate(GROUPS):
        place = {"country_code2": group.country, "region_name": group.region, "city_name": group.city}
        place = {name: value for name, value in place.items() if value}
        words = [word for word, count in group.words.items() for _ in range(count)]
        for at, word in enumerate(words):
            yield line(word) | {"client_ip": f"198.51.{number}.{at % group.addresses}", "geoip": place}
    yield line(WITHOUT_ADDRESS)
    yield line(PRIVATE) | {"client_ip": "10.0.0.1"}


def requests_by_region(country: str) -> dict[str, int]:
    """Return how many requests came from each region of a country, most first."""
    found = Counter[str]()
    for group in GROUPS:
        if group.country == country:
            found[RENAMED.get(group.region, group.region)] += sum(group.words.values())
    return dict(found.most_common())


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon on the built-in store."""
    with Daemon(tmp_path_factory.mktemp("local")) as daemon:
        send(daemon)
        yield daemon


@pytest.fixture(scope="module")
def elastic(search_server: SearchServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon on a real search server."""
    search_server.wipe()
    with Daemon(tmp_path_factory.mktemp("elastic"), "--elasticsearch", search_server.url) as daemon:
        count = send(daemon)
        wait_until(lambda: search_server.count("logstash-*") == count, "all events to be searchable")
        yield daemon
    search_server.wipe()


def send(daemon: Daemon) -> int:
    """Send all events; returns how many."""
    sent = list(events(dt.datetime.now(dt.UTC)))
    daemon.send(sent)
    daemon.wait_for_delivery(len(sent))
    return len(sent)


def press(page: Dashboard, name: str) -> None:
    page.page.get_by_role("button", name=name, exact=True).click()
    page.settled()


class Places:
    """Each test is run where ``daemon`` says, on a page of this ``width`` and ``locale``."""

    width, locale = 1440, "en-US"

    def test_from_the_world_to_the_words_of_a_province(self, daemon: Daemon, visit: Open) -> None:
        locale, width = self.locale, self.width
        names = LANGUAGES[locale]
        page = visit(daemon.url, "tab=visitors&range=30d", locale=locale, viewport={"width": width, "height": 900})
        expect(page.page.locator(".map-notice")).to_be_empty()
        assert [count for _, count in page.values(names["countries"])] == [11, 9, 1, 1], "visitors are addresses"
        press(page, names["requests"])
        assert [count for _, count in page.values(names["countries"])] == [78, 52, 1, 1]
        expect(page.panel(names["countries"]).locator(".share")).to_have_text(["59%", "39%", "0.8%", "0.8%"])
        expect(page.page.get_by_role("button", name=names["requests"], exact=True)).to_have_attribute(
            "aria-pressed", "true"
        )
        assert "requests=1" in page.state
        page.panel(names["countries"]).get_by_role("button", name=names["KR"]).click()
        page.settled()
        regions = requests_by_region("KR")
        assert page.values(names["regions"]) == [(names[region], count) for region, count in regions.items()]
        expect(page.page.locator(".land[data-province]")).to_have_count(17)
        expect(page.page.locator(".land[data-province=KR-11]")).to_have_class("land shade-5")
        expect(page.page.locator(".land[data-province=KR-26]")).to_have_class("land shade-1")
        expect(page.page.locator(".land[data-province=KR-49]")).to_have_class("land shade-0")
        beside = [names["words"].format(names[place]) for place in ("KR", *regions)]
        expect(page.page.locator(".leaders h2")).to_have_text(beside)
        assert page.values(beside[-1]) == [("해운대", 12), ("맛집", 6)]
        assert page.values(names["cities"]) == [("Gangnam-gu", 40), ("Suwon", 20), ("Busan", 18)]
        page.shot("beside", full=True)
        press(page, names["particular"])
        page.page.locator(".land[data-province=KR-26]").click()
        page.settled()
        found = page.panel(names["words of Busan"]).locator(".top-pick")
        expect(found).to_have_count(1)
        expect(found).to_contain_text("해운대")
        assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.shot("region", full=True)
        page.page.reload()
        page.settled()
        expect(page.panel(names["words of Busan"]).locator(".top-pick")).to_contain_text("해운대")
        page.panel(names["cities of Busan"]).get_by_role("button", name="Busan").click()
        page.settled()
        assert page.total == 18


class Map(Places):
    """What the map does on its own, without the store."""

    def test_it_is_moved_and_says_what_is_pointed_at(self, daemon: Daemon, visit: Open) -> None:
        names = LANGUAGES[self.locale]
        viewport = {"width": self.width, "height": 900}
        page = visit(daemon.url, "tab=visitors&range=30d", locale=self.locale, viewport=viewport)
        world = page.page.locator(".world")
        tools = page.page.locator(".map-tools")
        closer, wider, all_of_it = (
            tools.get_by_role("button", name=names[name], exact=True) for name in ("in", "out", "whole")
        )
        whole = [*map(float, str(world.get_attribute("viewBox")).split())]

        def seen() -> list[float]:
            return [*map(float, str(world.get_attribute("viewBox")).split())]

        told = [tip(page, "country", code) for code in ("KR", "PL")]
        closer.click()
        assert seen()[2] == whole[2] / 2
        page.still()
        box = world.bounding_box()
        assert box is not None
        before = seen()[0]
        page.page.mouse.move(box["x"] + 200, box["y"] + 100)
        page.page.mouse.down()
        page.page.mouse.move(box["x"] + 100, box["y"] + 100)
        page.page.mouse.up()
        assert seen()[0] > before, "the map follows the pointer"
        assert "country=" not in page.state, "what is drawn is not selected"
        wider.click()
        assert seen() == whole
        expect(wider).to_be_disabled()
        closer.click()
        all_of_it.click()
        assert seen() == whole
        page.panel(names["countries"]).get_by_role("button", name=names["KR"]).click()
        page.settled()
        assert seen()[2] < whole[2] / 4, "the map shows the country"
        told += [tip(page, "province", code) for code in ("KR-26", "KR-49")]
        assert told == names["tips"]
        cities = page.panel(names["cities"]).get_by_role("button", name="Busan")
        expect(cities).to_have_attribute("title", names["city"])
        page.shot("map")


def tip(page: Dashboard, kind: str, code: str) -> str:
    """Point at a country or province, and return what the map says, above it and within the page."""
    page.page.locator(f".land[data-{kind}={code}]").hover()
    shown = page.page.locator(".map-card .tip")
    expect(shown).to_be_visible()
    above, left, right = page.page.evaluate(
        """() => {
            const box = document.querySelector(".map-card .tip").getBoundingClientRect();
            const land = document.querySelector(".land:hover").getBoundingClientRect();
            return [box.bottom <= land.top + land.height / 2, box.left, innerWidth - box.right];
        }"""
    )
    assert above
    assert min(left, right) >= 0
    return shown.inner_text()


class TestLocal(Map):
    """On the built-in store."""

    @pytest.fixture
    def daemon(self, local: Daemon) -> Daemon:
        return local

    def test_arithmetic(self, modules: Page) -> None:
        found = modules.evaluate(
            """async () => {
                const { share } = await import("./static/format.js");
                const { particular } = await import("./static/placewords.js");
                const words = [["a", 10], ["b", 10], ["c", 2], ["d", 4]].map(([value, count]) => ({ value, count }));
                const totals = new Map([["a", 10], ["b", 100], ["c", 2], ["d", 12]]);
                return {
                    shares: [[1, 3], [1, 150], [1, 5000], [1, 1e6], [0, 9], [0, 0]].map((pair) => share(...pair)),
                    words: particular(words, totals, 26, 226).map(({ word, ratio }) => [word, String(ratio)]),
                    nothing: particular(words, totals, 26, 26),
                };
            }"""
        )
        assert found["shares"] == ["33%", "0.7%", "<0.1%", "<0.1%", "0%", ""]
        assert found["words"] == [["a", "Infinity"], ["d", str(4 / 26 / (8 / 200))]], "c is too rare, b is everywhere"
        assert found["nothing"] == []

    def test_an_empty_map_says_what_is_missing(self, daemon: Daemon, visit: Open) -> None:
        """In both languages and sizes at once: a database that is installed stays."""
        pages = {
            locale: visit(daemon.url, "tab=visitors&range=30d", locale=locale, viewport={"width": width, "height": 900})
            for locale, width in (("en-US", 1440), ("ko-KR", 390))
        }

        def expect_missing(number: int, code: str = "") -> None:
            for locale, page in pages.items():
                expect(page.page.locator(".howto h2")).to_have_text(LANGUAGES[locale]["missing"][number])
                expect(page.page.locator(".howto .code")).to_have_text([re.compile(code)] if code else [])
                assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

        for page in pages.values():
            page.ask(f'search_word:"{WITHOUT_ADDRESS}"')
        expect_missing(0, "ingestd geoip install")
        ingestd(daemon.data_dir, "geoip", "install", db.COUNTRY)
        wait_until(lambda: json.loads(daemon.get("/api/status"))["geoip"]["database"], "the status to have it")
        for page in pages.values():
            page.page.reload()
        expect_missing(1)
        for page in pages.values():
            page.ask(f"search_word:{PRIVATE}")
        expect_missing(2)
        for locale, page in pages.items():
            page.ask("")
            expect(page.page.locator(".howto h2")).to_have_count(0)
            names = LANGUAGES[locale]
            page.panel(names["countries"]).get_by_role("button", name=names["DE"]).click()
        expect_missing(3, "^ingestd geoip install dbip:city-lite$")
        for page in pages.values():
            page.shot("missing")


class TestNarrow(Map):
    """In Korean, on a phone."""

    width, locale = 390, "ko-KR"

    @pytest.fixture
    def daemon(self, local: Daemon) -> Daemon:
        return local

    def test_fingers_move_the_zoomed_map(self, daemon: Daemon, visit: Open) -> None:
        """One draws it in any direction, two zoom it, and the page stays where it is."""
        options = {"locale": self.locale, "viewport": {"width": self.width, "height": 900}, "has_touch": True}
        page = visit(daemon.url, "tab=visitors&range=30d&country=KR", **options).still()
        world = page.page.locator(".world.zoomed")
        world.scroll_into_view_if_needed()
        box = world.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        cdp = page.page.context.new_cdp_session(page.page)

        def touch(*moves: list[tuple[float, float]]) -> None:
            for kind, fingers in zip(["touchStart", *["touchMove"] * len(moves)], [*moves, []], strict=True):
                points = [{"x": x + dx, "y": y + dy, "id": number} for number, (dx, dy) in enumerate(fingers)]
                cdp.send("Input.dispatchTouchEvent", {"type": kind if points else "touchEnd", "touchPoints": points})

        def seen() -> list[float]:
            return [*map(float, str(world.get_attribute("viewBox")).split())]

        before, scrolled = seen(), page.page.evaluate("scrollY")
        touch([(0, 0)], [(0, -20)], [(0, -40)], [(-30, -60)])
        wait_until(lambda: seen()[0] > before[0], "the map to be drawn by the last move")
        drawn = seen()
        assert [drawn[0] > before[0], drawn[1] > before[1], drawn[2]] == [True, True, before[2]]
        touch([(-20, 0), (20, 0)], [(-30, 0), (30, 0)], [(-40, 0), (40, 0)])
        wait_until(lambda: seen()[2] < drawn[2], "the map to be zoomed")
        assert page.page.evaluate("scrollY") == scrolled
        assert "region=" not in page.state


class TestElastic(Places):
    """On a real search server."""

    @pytest.fixture
    def daemon(self, elastic: Daemon) -> Daemon:
        return elastic
