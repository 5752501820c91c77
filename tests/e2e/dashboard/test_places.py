"""Every place of the page, wide and on a phone, in both languages: it fits, can be touched, and axe-core finds nothing.

A place that is only an address is reached from the one before it, as by a link. The others are loaded, as what was
done in the one before would be in the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Literal
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import ViewportSize

from tests.e2e.daemon import Daemon, free_port
from tests.e2e.dashboard.axe import CONTRAST, violations
from tests.e2e.dashboard.browser import Dashboard
from tests.e2e.dashboard.conftest import Open, Site
from tests.e2e.dashboard.places import PASSWORD, PLACES, Place, doctor, nothing
from tests.random_cases import sampled

LOCALES = {"en": "en-US", "ko": "ko-KR"}
DESKTOP: ViewportSize = {"width": 1440, "height": 1000}
PHONE: ViewportSize = {"width": 390, "height": 844}
NARROWEST: ViewportSize = {"width": 360, "height": 740}
SIZES = {"desktop": DESKTOP, "phone": PHONE}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
OTHERS = [how for how in product(LOCALES, SCHEMES, SIZES) if (how[0], how[2]) != ("en", "desktop")]
EACH_TIME: tuple[str, Scheme, str] = ("ko", "dark", "phone")
ASKED = {
    *((place.name, *EACH_TIME) for place in PLACES),
    *sampled([(place.name, *how) for place in PLACES for how in OTHERS], usual=24),
}
"""Where axe is asked besides wide and in English: dark, in Korean and on a phone, and some other ways each time."""
NO_DOCTOR = """
const ask = fetch;
window.fetch = (url, options) => {
    const isUnasked = `${url}`.includes("api/doctor") && sessionStorage.doctor !== "true";
    return isUnasked ? Promise.resolve(Response.json({ findings: [] })) : ask(url, options);
};
"""
"""The doctor has nothing to say but at its own place: its banner comes late, and moves what is being measured."""
TARGET_PX = 40

SMALL = """least => {
    const small = [];
    const top = document.querySelector("dialog[open]") ?? document;
    for (const node of top.querySelectorAll("button, a[href], input, select, summary, [role=option]")) {
        const target = node.closest("label") ?? node;
        const box = target.getBoundingClientRect();
        if (!target.checkVisibility({ visibilityProperty: true }) || box.right <= 0) continue;
        if (box.width < least - 0.5 || box.height < least - 0.5)
            small.push(`${node.outerHTML.slice(0, 100)}: ${Math.round(box.width)}x${Math.round(box.height)}`);
    }
    return small;
}"""

LINES = """() => {
    const wrong = [];
    const rows = [...document.querySelectorAll("tr.row")];
    for (const row of rows) {
        const [time, message] = [".cell-time", ".cell-message"].map((cell) => row.querySelector(cell));
        if (message.getBoundingClientRect().top < time.getBoundingClientRect().bottom - 0.5)
            wrong.push(`${row.innerText.slice(0, 100)}: in one line`);
    }
    const cells = [...document.querySelectorAll(".plain td:not(:empty)")];
    for (const cell of cells) {
        const before = getComputedStyle(cell, "::before").content;
        if (cell.dataset.label === undefined || before !== JSON.stringify(cell.dataset.label))
            wrong.push(`${cell.outerHTML.slice(0, 100)}: ${before}`);
    }
    for (const { tHead } of document.querySelectorAll(".plain"))
        if (tHead.getBoundingClientRect().height > 1) wrong.push(`${tHead.innerText}: is shown`);
    return [wrong, { rows: rows.length, cells: cells.length }];
}"""
"""What is not as on a phone, where a row has two lines and a table is a card for each row; how many rows and cells."""


@pytest.fixture(scope="module")
def site(local_site: Site) -> Site:
    return local_site


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a password and no events."""
    with Daemon(tmp_path_factory.mktemp("locked"), "--port", str(free_port()), http_password=PASSWORD) as daemon:
        yield daemon


def go(page: Dashboard, place: Place, *, load: bool) -> None:
    if load:  # first of all: what is not shown any more need not be laid out
        page.leave()
        page.page.evaluate("isAsked => { sessionStorage.doctor = isAsked; }", place.act is doctor)
    page.resize(**DESKTOP)
    page.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.open(place.state, wait=not place.locked)
    place.act(page)


def overflow(page: Dashboard) -> list[str]:
    """Return what reaches beyond the right edge, if the page can be scrolled there."""
    found: list[str] = page.page.evaluate(
        """() => {
            const page = document.documentElement;
            if (page.scrollWidth <= page.clientWidth) return [];
            const scrolls = (node) => getComputedStyle(node).overflowX !== "visible";
            const cut = (node) => node !== page && (scrolls(node) || cut(node.parentNode));
            return [...document.body.querySelectorAll("*")]
                .filter((node) => node.getBoundingClientRect().right > page.clientWidth + 1 && !cut(node.parentNode))
                .map((node) => `${node.outerHTML.slice(0, 100)}: beyond the edge`)
                .concat("the page scrolls sideways");
        }"""
    )
    return found


def ordered() -> list[Place]:
    """Return the places, first those that are only an address."""
    return sorted(PLACES, key=lambda place: place.act is not nothing)


@pytest.mark.parametrize("language", [*LOCALES])
def test_every_place(site: Site, locked: Daemon, visit: Open, language: str) -> None:
    options = {"locale": LOCALES[language], "viewport": DESKTOP}
    pages = [visit(url, wait=False, script=NO_DOCTOR, **options) for url in (site.url, locked.url)]
    wrong, looked_at, acted = {}, Counter[str](), False
    for place in ordered():
        page = pages[place.locked]
        go(page, place, load=acted)
        acted = place.act is not nothing
        page.shot(f"{place.name}-1440-{language}")
        found = overflow(page)
        if language == "en":
            found += inaccessible_wide(page)
        found += [
            f"{scheme}, {size}: {rule} {nodes}"
            for name, where, scheme, size in ASKED
            if (name, where) == (place.name, language)
            for rule, nodes in inaccessible(page, scheme, SIZES[size]).items()
        ]
        page.resize(**PHONE)
        page.shot(f"{place.name}-390-{language}")
        lines, counts = page.page.evaluate(LINES)
        looked_at.update(counts)
        page.resize(**NARROWEST)
        wrong[place.name] = found + lines + overflow(page) + page.page.evaluate(SMALL, TARGET_PX)
    assert wrong == {place.name: [] for place in PLACES}
    assert min(looked_at.values()) > 0, looked_at


def inaccessible_wide(page: Dashboard) -> list[str]:
    """Return what axe finds in the page as it is, and in the dark theme."""
    light = violations(page.page)
    page.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    dark = violations(page.page, only=CONTRAST)
    return [f"{rule} {nodes}" for rule, nodes in light.items()] + [f"dark: {nodes}" for nodes in dark.values()]


def inaccessible(page: Dashboard, scheme: Scheme, size: ViewportSize) -> dict[str, list[str]]:
    """Return what axe finds in the page, in a theme and a size."""
    page.resize(**size)
    page.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    return violations(page.page)


def test_no_tab_is_forgotten(site: Site, visit: Open) -> None:
    tabs = visit(site.url).page.locator(".tab").evaluate_all("tabs => tabs.map(tab => tab.dataset.tab)")
    assert {parse_qs(place.state).get("tab", ["logs"])[0] for place in PLACES} == set(tabs)
