"""The page by keyboard alone; ``test_places.py`` asks axe-core about each place."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.dashboard.conftest import Open, Site


@pytest.fixture(scope="module")
def site(local_site: Site) -> Site:
    return local_site


class TestKeyboard:
    def test_everything_can_be_reached(self, site: Site, visit: Open) -> None:
        """Tab goes through the page, and to each of these on its way."""
        page = visit(site.url)
        wanted = {"tab", "query", "button range", "button live", "segment", "quick", "stage"}
        wanted |= {"top-pick", "top-out", "field-name", "switch", "open"}
        seen: set[str] = set()
        for _ in range(200):
            page.page.keyboard.press("Tab")
            seen.add(page.page.evaluate("document.activeElement.getAttribute('class') ?? ''"))
            if wanted <= seen:
                break
        assert wanted - seen == set()

    def test_the_focus_stays_where_it_was(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", again=True)
        page.panel("Top search words").get_by_role("button", name="Show only Top search words: jeju").press("Enter")
        page.settled()
        page.page.keyboard.press("Tab")
        focused = page.page.locator(":focus")
        expect(focused).to_have_accessible_name("Exclude Top search words: jeju")

    def test_the_histogram_zooms(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", again=True)
        stage = page.page.get_by_role("slider", name="Events over time")
        stage.focus()
        stage.press("End")
        stage.press("Shift+ArrowLeft")
        stage.press("Enter")
        page.settled()
        assert "from=" in page.state
        assert page.total > 0

    def test_escape_closes_the_picker(self, site: Site, visit: Open) -> None:
        page = visit(site.url, again=True)
        button = page.page.get_by_role("button", name="Time range")
        button.press("Enter")
        expect(page.page.get_by_role("dialog", name="Time range")).to_be_visible()
        page.page.keyboard.press("Escape")
        expect(page.page.get_by_role("dialog", name="Time range")).to_be_hidden()
        expect(button).to_be_focused()
