"""The explorer's tools: keys, downloads, completion, views, panels, in both languages, on a desktop and a phone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.dashboard.conftest import Open, Site

SCREENS: list[dict[str, Any]] = [
    {"locale": "en-US", "viewport": {"width": 1440, "height": 1000}},
    {"locale": "ko-KR", "viewport": {"width": 390, "height": 844}},
]


@pytest.fixture(scope="module")
def site(local_site: Site) -> Site:
    return local_site


@pytest.fixture(params=SCREENS, ids=["desktop-en", "phone-ko"])
def screen(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Options of a browser context: a screen and a language."""
    options: dict[str, Any] = request.param
    return options


class TestShortcuts:
    def test_j_and_k_move_and_enter_unfolds(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        page = visit(site.url, "range=30d", **screen)
        keyboard, focused = page.page.keyboard, page.page.locator("tr.row:has(.open:focus)")
        ids = page.rows.evaluate_all("rows => rows.map(row => row.dataset.id)")
        for key, expected in [("j", 0), ("j", 1), ("j", 2), ("k", 1), ("k", 0), ("k", 0)]:
            keyboard.press(key)
            expect(focused).to_have_attribute("data-id", ids[expected])
        keyboard.press("Enter")
        expect(page.page.locator("tr.detail")).to_have_count(1)
        keyboard.press("j")
        expect(focused).to_have_attribute("data-id", ids[1])
        keyboard.press("k")
        keyboard.press("Escape")
        expect(page.page.locator("tr.detail")).to_have_count(0)
        expect(focused).to_have_attribute("data-id", ids[0])

    def test_keys_of_a_korean_keyboard(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", locale="ko-KR")
        event = "new KeyboardEvent('keydown', { key: 'ㅓ', code: 'KeyJ', bubbles: true })"
        page.page.evaluate(f"document.body.dispatchEvent({event})")
        expect(page.page.locator("tr.row .open:focus")).to_have_count(1)

    def test_the_list_of_keys(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        page = visit(site.url, "", **screen)
        keyboard, box = page.page.keyboard, page.page.get_by_role("combobox")
        keyboard.press("/")
        expect(box).to_be_focused()
        keyboard.press("?")
        expect(box).to_have_value("?")  # in a box a key is text
        box.fill("")
        keyboard.press("Escape")
        keyboard.press("Escape")
        expect(box).not_to_be_focused()
        keyboard.press("?")
        dialog = page.page.get_by_role("dialog")
        expect(dialog.locator("kbd")).to_have_text(["/", "j", "k", "Enter", "Esc", "?"])
        page.shot("keys")
        dialog.get_by_role("switch").uncheck()
        keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        keyboard.press("/")
        expect(box).not_to_be_focused()
