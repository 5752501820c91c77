"""The tab of search words, for the days of `incident`: each of its parts on every screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from ingestd.stores.local import store_root
from tests.analytics.conftest import fill
from tests.e2e import incident
from tests.e2e.daemon import Daemon
from tests.e2e.dashboard.browser import Contexts
from tests.e2e.dashboard.screens import OpenPage, Pages, bars, in_both_languages, on_every_screen, tips_are_beside

STATE = f"tab=words&from={incident.SINCE}&to={incident.UNTIL}"
CROWDED = "2026-12-24"
NAMES = {  # of the days, and of countries
    "en": {"before": "Nov 24 – Nov 26", "KR": "South Korea", "JP": "Japan"},
    "ko": {"before": "11월 24일 – 11월 26일", "KR": "대한민국", "JP": "일본"},
}
"""What the browser says, not the page."""

HIDDEN = """table => [...table.querySelectorAll("tr > *")].filter(cell => {
    const { left, right, width } = cell.getBoundingClientRect();
    const whole = cell.classList.contains("word-cell") || cell.scrollWidth <= cell.clientWidth;
    return !(cell.checkVisibility() && width > 8 && whole && left >= 0 && right <= innerWidth);
}).map(cell => cell.outerHTML)"""
"""Cells that are not shown, or cut off; a word may be."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a daemon that has the days in its store, and one with more words than are shown."""
    folder = tmp_path_factory.mktemp("words")
    many = [{"@timestamp": f"{CROWDED}T10:00:00.000Z", "search_word": f"word {number}"} for number in range(1_001)]
    fill(store_root(folder / "data"), [*incident.events(), *many])
    with Daemon(folder) as daemon:
        yield daemon.url


@pytest.fixture(scope="module")
def pages(contexts: Contexts, url: str) -> Iterator[Pages]:
    pages = Pages(contexts, url, "words", timezone_id="UTC")
    yield pages
    pages.close()


def words(page: OpenPage) -> list[str]:
    return page.page.locator(".words-table .word-link").all_inner_texts()


@on_every_screen
def test_the_word_is_the_first_of_those_that_rise(page: OpenPage) -> None:
    page.go(STATE)
    first = page.region("words.rising").locator("li").first
    expect(first.locator(".word-link")).to_have_text(incident.RISING)
    expect(first).to_contain_text("+900%")
    expect(first).to_contain_text("90")
    assert words(page)[:3] == [incident.RISING, "서울 맛집", incident.STARTED]
    expect(page.page.locator(".tile-value")).to_have_text(["360", "13", "6"])
    for title, word in (("new", incident.STARTED), ("fallen", incident.FALLEN), ("without", incident.NOT_FOUND)):
        expect(page.region(f"words.{title}").locator("li").first).to_contain_text(word)
    before = page.text("words.before", range=NAMES[page.screen.language]["before"])
    expect(page.page.locator(".hint-line")).to_have_text(before)
    cells = page.page.locator(".words-table tbody tr").first.locator("td")
    places = f"↑ 5{page.text('words.placesup', n=5)}"
    expect(cells).to_have_text(["1", "90", "25%", "", "▲ +900%", places])
    expect(cells.nth(3).locator(".sparkline")).to_have_accessible_name(page.text("words.trend", word=incident.RISING))
    page.shot("lists", full=True)
    for width in (page.screen.width, 390, 360):
        page.resize(width, 740)
        assert page.fits
        assert page.page.locator(".words-table").evaluate(HIDDEN) == []


@on_every_screen
def test_find_within_the_words(page: OpenPage) -> None:
    page.go(STATE)
    find, links = page.page.get_by_label(page.text("words.find")), page.page.locator(".words-table .word-link")
    find.fill("붕어")
    expect(links).to_have_text([incident.RISING, incident.NOT_FOUND])
    assert f"find={quote('붕어')}" in page.state
    numbers_are_of_all_searches(page)
    page.shot("find")
    find.fill(incident.STARTED)
    expect(links).to_have_text([incident.STARTED])
    expect(page.region("words.new").locator("li")).to_contain_text([incident.STARTED])
    find.fill("없는말")
    expect(page.page.locator(".words-list")).to_have_text(page.text("words.notfound", text="없는말"))
    find.fill("")
    expect(links.first).to_be_visible()


def numbers_are_of_all_searches(page: OpenPage) -> None:
    """The word is as frequent, and rises as much, as it does among all words."""
    expect(page.page.locator(".tile-value")).to_have_text(["360", "13", "6"])
    cells = page.page.locator(".words-table tbody tr").first.locator("td")
    expect(cells).to_have_text(["1", "90", "25%", "", "▲ +900%", f"↑ 5{page.text('words.placesup', n=5)}"])
    rising = page.region("words.rising").locator("li")
    expect(rising.locator(".word-link")).to_have_text([incident.RISING])
    expect(rising).to_contain_text("+900%")
    expect(page.region("words.new")).to_contain_text(page.text("words.notin", text="붕어"))
    before = page.text("words.before", range=NAMES[page.screen.language]["before"])
    expect(page.page.locator(".hint-line")).to_have_text(before)
    expect(page.page.locator(".words-note")).to_be_hidden()


@in_both_languages
def test_download(page: OpenPage) -> None:
    page.go(f"{STATE}&find={quote('붕어')}")
    with page.page.expect_download() as download:
        page.button("words.csv").click()
    assert download.value.suggested_filename == "words-2026-11-27-2026-11-30.csv"
    text = Path(download.value.path()).read_bytes().decode()
    assert text.splitlines()[:2] == [
        "\ufeffword,count,share,previous,change,rank,previous_rank",
        f"{incident.RISING},90,0.25,9,9,1,6",
    ]
    page.go(f"tab=words&from={CROWDED}T00:00:00Z&to={CROWDED}T23:00:00Z")
    shown, loaded = page.text("words.most_shown", n=50, all="1,001"), page.text("words.most_csv", n="1,000")
    expect(page.page.locator(".words-note")).to_have_text(f"{shown} {loaded}")
    assert page.fits


@on_every_screen
def test_a_word_has_a_page(page: OpenPage) -> None:
    page.go(STATE)
    names = NAMES[page.screen.language]
    title, tiles = page.page.locator(".word-title"), page.page.locator(".tile-value")
    page.page.get_by_role("link", name=incident.RISING).first.press("Enter")
    expect(title).to_have_text(incident.RISING)
    page.settled()
    expect(tiles).to_have_text(["90", "25%", "1", "0"])
    assert page.values(page.text("words.countries")) == [(names["KR"], 69), (names["JP"], 21)]
    assert page.values(page.text("words.paths")) == [("/search", 72), ("/m/검색", 18)]
    assert page.region("words.paths").locator(".top-pick").last.get_attribute("title") == incident.MOBILE
    assert page.values(page.text("words.regions"))[0] == ("서울특별시", 48)
    assert page.values(page.text("words.next")) == [(incident.NEXT, 15)]
    before_and_now(page)
    assert tips_are_beside(page.region("words.overtime"))
    assert page.fits
    page.shot("word", full=True)
    page.region("words.countries").get_by_role("button", name=names["JP"]).click()
    expect(tiles.first).to_have_text("21")
    page.region("words.next").locator(".top-pick").first.click()
    expect(title).to_have_text(incident.NEXT)
    page.page.get_by_role("link", name=page.text("words.all")).click()
    expect(page.page.locator(".words-table")).to_be_visible()
    assert "word=" not in page.state


def before_and_now(page: OpenPage) -> None:
    """The bars say how often the word was searched for, and how often in the period before."""
    chart = page.region("words.overtime")
    most = page.text("words.most", word=incident.RISING, time="|", n="|").partition("|")[0]
    expect(chart).to_contain_text(most)
    before = page.text("words.was", n="|").split("|")
    found = [0, 0]
    for bar in bars(chart.get_by_role("slider", name=page.text("words.overtime"))):
        now, _, earlier = bar.rpartition("; ")
        assert [earlier.startswith(before[0]), earlier.endswith(before[1])] == [True, True]
        for which, text in enumerate((now.partition(f"{incident.RISING} ")[2], earlier)):
            found[which] += int("".join(filter(str.isdigit, text)) or 0)
    assert found == [90, 9]


@on_every_screen
def test_nothing_to_compare_with_and_nothing_at_all(page: OpenPage) -> None:
    page.go(f"tab=words&from=2026-10-31T00:00:00Z&to={incident.UNTIL}")
    hint = page.page.locator(".hint-line")
    expect(hint).to_contain_text(page.text("words.nobefore", range="|").rpartition("|")[2])
    expect(page.region("words.rising")).to_have_count(0)
    page.go("tab=words&from=2025-01-01T00:00:00Z&to=2025-01-02T00:00:00Z")
    expect(page.page.locator(".words-list")).to_have_text(page.text("words.none"))
    page.shot("none")
    page.go(f"{STATE}&q=level:%22x")
    expect(page.page.locator(".query-error")).to_contain_text(page.text("query.quote_not_closed"))
    page.shot("wrong")
