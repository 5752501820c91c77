"""The tab of search words, for the days of `incident`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import ViewportSize, expect

from ingestd.stores.local import store_root
from tests.analytics.conftest import fill
from tests.e2e import incident
from tests.e2e.daemon import Daemon
from tests.e2e.dashboard.browser import Dashboard
from tests.e2e.dashboard.conftest import Open

STATE = f"tab=words&from={incident.SINCE}&to={incident.UNTIL}"
WIDE: ViewportSize = {"width": 1440, "height": 1000}
PHONE: ViewportSize = {"width": 390, "height": 844}
RISING = {"en-US": "Rising", "ko-KR": "급상승"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a daemon that has the days in its store."""
    folder = tmp_path_factory.mktemp("words")
    fill(store_root(folder / "data"), incident.events())
    with Daemon(folder) as daemon:
        yield daemon.url


def words(page: Dashboard) -> list[str]:
    return page.page.locator(".words-table .word-link").all_inner_texts()


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["1440", "390"])
@pytest.mark.parametrize("locale", [*RISING])
def test_the_word_is_the_first_of_those_that_rise(url: str, visit: Open, locale: str, viewport: ViewportSize) -> None:
    page = visit(url, STATE, locale=locale, viewport=viewport, timezone_id="UTC", again=True)
    first = page.panel(RISING[locale]).locator("li").first
    expect(first.locator(".word-link")).to_have_text(incident.RISING)
    expect(first).to_contain_text("+900%")
    expect(first).to_contain_text("90")
    assert words(page)[:3] == [incident.RISING, "서울 맛집", incident.STARTED]
    page.shot(f"words-{locale}-{viewport['width']}")


def test_lists_and_figures(url: str, visit: Open) -> None:
    page = visit(url, STATE, timezone_id="UTC", again=True)
    tiles = page.page.locator(".tile-value")
    expect(tiles).to_have_text(["360", "13", "6"])
    for title, word in (
        ("New", incident.STARTED),
        ("Fallen", incident.FALLEN),
        ("Without results", incident.NOT_FOUND),
    ):
        expect(page.panel(title).locator("li").first).to_contain_text(word)
    expect(page.page.locator(".hint-line")).to_have_text("Compared with the period before: Nov 24 – Nov 26")
    row = page.page.locator(".words-table tbody tr").first
    expect(row.locator("td")).to_have_text(["1", "90", "25%", "", "▲ +900%", "↑ 5up 5 places"])


def test_find_and_download(url: str, visit: Open) -> None:
    page = visit(url, STATE, timezone_id="UTC", again=True)
    page.page.get_by_label("Find within the words").fill("붕어")
    expect(page.page.locator(".words-table .word-link")).to_have_text([incident.RISING, incident.NOT_FOUND])
    assert f"find={quote('붕어')}" in page.state
    with page.page.expect_download() as download:
        page.page.get_by_role("button", name="CSV for Excel").click()
    assert download.value.suggested_filename == "words-2026-11-27-2026-11-30.csv"
    text = Path(download.value.path()).read_bytes().decode()
    assert text.splitlines()[:2] == [
        "\ufeffword,count,share,previous,change,rank,previous_rank",
        f"{incident.RISING},90,0.9375,9,9,1,1",
    ]
    page.page.get_by_label("Find within the words").fill("없는말")
    expect(page.page.locator(".words-list")).to_have_text("No word with “없는말” in this range")


def test_a_word_has_a_page(url: str, visit: Open) -> None:
    page = visit(url, STATE, timezone_id="UTC", again=True)
    page.page.get_by_role("link", name=incident.RISING).first.press("Enter")
    expect(page.page.locator(".word-title")).to_have_text(incident.RISING)
    page.settled()
    expect(page.page.locator(".tile-value")).to_have_text(["90", "25%", "1", "0"])
    assert page.values("Countries") == [("South Korea", 69), ("Japan", 21)]
    assert page.values("Paths") == [("/search", 72), ("/m/search", 18)]
    assert page.values("Regions")[0] == ("서울특별시", 48)
    assert page.values("Searched within 10 minutes") == [(incident.NEXT, 15)]
    chart = page.panel("Searches over time")
    expect(chart).to_contain_text(f"{incident.RISING}: most at")
    stage = chart.get_by_role("slider", name="Searches over time")
    stage.focus()
    bars = []
    for _ in range(int(stage.get_attribute("aria-valuemax") or 0) + 1):
        stage.press("ArrowRight")
        bars.append(str(stage.get_attribute("aria-valuetext")))
    found = [re.search(rf": (?:{incident.RISING} (\d+)|No events); (\d+) in the period before$", bar) for bar in bars]
    assert [sum(int(bar[group] or 0) for bar in found if bar) for group in (1, 2)] == [90, 9]
    for width in (390, 1440):  # what is said of a bar does not cover it
        page.resize(width)
        box = stage.bounding_box()
        assert box is not None
        for part in (0.2, 0.98):
            page.page.mouse.move(box["x"] + part * box["width"], box["y"] + 60)
            tip, bar = (chart.locator(name).bounding_box() for name in (".tip", ".brush"))
            assert tip is not None
            assert bar is not None
            beside = tip["x"] >= bar["x"] + bar["width"] or tip["x"] + tip["width"] <= bar["x"]
            assert beside or tip["y"] + tip["height"] <= bar["y"]
            assert tip["x"] >= 0
            assert tip["x"] + tip["width"] <= width
    page.shot("word")
    page.panel("Countries").get_by_role("button", name="Japan").click()
    expect(page.page.locator(".tile-value").first).to_have_text("21")
    page.panel("Searched within 10 minutes").locator(".top-pick").first.click()
    expect(page.page.locator(".word-title")).to_have_text(incident.NEXT)
    page.page.get_by_role("link", name="All words").click()
    expect(page.page.locator(".words-table")).to_be_visible()
    assert "word=" not in page.state


def test_nothing_to_compare_with_and_nothing_at_all(url: str, visit: Open) -> None:
    page = visit(url, f"tab=words&from=2026-10-31T00:00:00Z&to={incident.UNTIL}", timezone_id="UTC", again=True)
    expect(page.page.locator(".hint-line")).to_contain_text("nothing to compare with")
    expect(page.panel("Rising")).to_have_count(0)
    page.open("tab=words&from=2025-01-01T00:00:00Z&to=2025-01-02T00:00:00Z")
    expect(page.page.locator(".words-list")).to_have_text("No searches in this range")
    page.open(f"{STATE}&q=level:%22x")
    expect(page.page.locator(".query-error")).to_be_visible()
