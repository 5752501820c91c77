"""The screens on which each point of the explorer is tested: wide and on a phone, in both languages.

A module has one page for each language, which stays open: its tests go from state to state without loading it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Error, Locator, expect

from tests.conftest import FAILED
from tests.e2e.dashboard.browser import Contexts, Dashboard
from tests.e2e.dashboard.history import ZONE
from tests.random_cases import LONG

HEIGHTS = {1440: 1000, 390: 844}
LOCALES = {"en": "en-US", "ko": "ko-KR"}

TEXT = """async ([key, values]) => {
    const [{ href }] = document.querySelectorAll("link[rel=modulepreload][href$='/i18n.js']");
    return (await import(href)).t(key, values);
}"""
BARS = """(stage) => {
    stage.focus();
    return Array.from({ length: 1 + Number(stage.getAttribute("aria-valuemax")) }, () => {
        stage.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
        return stage.getAttribute("aria-valuetext");
    });
}"""
BESIDE = """(chart) => {
    const [tip, bar] = [".tip", ".brush"].map((name) => chart.querySelector(name).getBoundingClientRect());
    const isBeside = tip.left >= bar.right || tip.right <= bar.left || tip.bottom <= bar.top;
    return isBeside && tip.left >= 0 && tip.right <= innerWidth;
}"""
TIDY = """() => {
    const isChanged = localStorage.length > 0;
    localStorage.clear();
    document.activeElement.blur();
    scrollTo(0, 0);
    return isChanged;
}"""
"""Remove what a test leaves; return whether it has changed something that the page remembers."""
GO = """state => new Promise((done) => {
    if (location.hash === new URL(`#${state}`, location).hash) return done();
    addEventListener("hashchange", () => setTimeout(done), { once: true });
    location.hash = state;
})"""


@dataclass(frozen=True, slots=True)
class Screen:
    """The width of a window in px, and a language."""

    width: int
    language: str

    def __str__(self) -> str:
        return f"{self.width}-{self.language}"

    @property
    def is_phone(self) -> bool:
        return self.width < 720


SCREENS = [Screen(width, language) for width in HEIGHTS for language in LOCALES]
in_both_languages = pytest.mark.parametrize("page", [SCREENS[0], SCREENS[3]], ids=str, indirect=True)
"""For what does not depend on the width: each language has another one."""

on_every_screen = pytest.mark.parametrize("page", SCREENS, ids=str, indirect=True) if LONG else in_both_languages
"""`make test` has both widths and both languages, `make chaos` each width in each language."""


class OpenPage(Dashboard):
    """A page that stays open; screenshots are called after the module's name and the screen."""

    screen: Screen

    def be_on(self, screen: Screen, name: str) -> None:
        self.screen, self.name = screen, f"{name}-{screen}"
        self.resize(screen.width, HEIGHTS[screen.width])

    def tidy(self) -> bool:
        """Leave nothing open for the next test; return whether that needs the page to be loaded again."""
        self.page.unroute_all(behavior="ignoreErrors")
        for _ in range(2):  # a list of completions, then the popup or the box it was in
            self.page.keyboard.press("Escape")
        self.page.mouse.move(0, 0)
        return bool(self.page.evaluate(TIDY))

    def text(self, key: str, **values: object) -> str:
        """Return a text of the page's own table, in its language."""
        found: str = self.page.evaluate(TEXT, [key, {name: str(value) for name, value in values.items()}])
        return found

    def button(self, key: str, **values: object) -> Locator:
        """Return the button that is called by a text of the page."""
        return self.page.get_by_role("button", name=self.text(key, **values), exact=True)

    def region(self, key: str, **values: object) -> Locator:
        """Return the part of the page that is called by a text of it."""
        return self.panel(self.text(key, **values))

    def go(self, state: str) -> OpenPage:
        """Go to a state without loading the page again."""
        self.page.evaluate(GO, state)
        self.settled()
        return self

    def reload(self) -> OpenPage:
        self.page.reload()
        self.settled()
        return self

    @property
    def fits(self) -> bool:
        """Whether the page need not be scrolled sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def bars(stage: Locator) -> list[str]:
    """Return what a histogram says of each of its bars, as one goes from the first to the last by the arrow key."""
    said: list[str] = stage.evaluate(BARS)
    return said


def tips_are_beside(chart: Locator) -> bool:
    """Return whether what is said of a bar under the pointer covers neither it nor the window's edges."""
    stage, tip = chart.locator(".stage"), chart.locator(".tip")
    width = int(stage.evaluate("stage => stage.clientWidth"))
    for part in (0.2, 0.5, 0.98):
        stage.hover(position={"x": part * width, "y": 60})
        expect(tip).to_be_visible()
        if not chart.evaluate(BESIDE):
            return False
    return True


class Pages:
    """The pages of a module: one for each language, whose width changes."""

    def __init__(self, contexts: Contexts, url: str, name: str, **more: Any) -> None:
        self._contexts, self._url, self._name = contexts, url, name
        self._more = {"timezone_id": ZONE.key} | more
        self._open: dict[str, OpenPage] = {}

    @contextmanager
    def on(self, screen: Screen, test: pytest.Item) -> Iterator[OpenPage]:
        """Lend a page to a test; after it no script and no policy may have complained."""
        page = self._open.pop(screen.language, None) or self._opened(screen)
        page.be_on(screen, self._name)
        yield page
        failed = test.stash.get(FAILED, False)
        if failed:
            with suppress(Error):
                page.keep_shot(f"failed-{test.name.partition('[')[0]}")
        if failed or page.tidy():
            self._close(screen.language, page, failed=failed)
        else:
            self._open[screen.language] = page
        assert page.complaints == []

    def _options(self, language: str) -> dict[str, Any]:
        return {"locale": LOCALES[language]} | self._more

    def _opened(self, screen: Screen) -> OpenPage:
        taken = self._contexts.take(self._options(screen.language), self._url, again=False)
        page = OpenPage(taken.page, self._url)
        taken.ignore()
        page.page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.page.set_viewport_size({"width": screen.width, "height": HEIGHTS[screen.width]})
        page.open("tab=alerts")
        return page

    def _close(self, language: str, page: OpenPage, *, failed: bool = False) -> None:
        self._contexts.give(self._options(language), page, again=False, failed=failed)

    def close(self) -> None:
        while self._open:
            self._close(*self._open.popitem())
