"""The page by axe-core, in both themes; and by keyboard alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.dashboard.conftest import Open, Site, missing
from tests.e2e.dashboard.places import PLACES, Place
from tests.waiting import WAIT_SECONDS

AXE = "axe-core@4.10.3"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES = {"label-content-name-mismatch": {"enabled": True}}
"""Rules that axe runs only if asked to."""


@pytest.fixture(scope="module")
def site(local_site: Site) -> Site:
    return local_site


@pytest.fixture(scope="session")
def axe() -> str:
    """The text of axe.min.js, out of a cache, else by the npm client."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ingestd-tests"
    script = folder / f"{AXE}.min.js"
    if not script.exists():
        if shutil.which("npm") is None:
            missing("npm, to get axe-core")
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", "--silent", AXE]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
        if done.returncode != 0:
            missing(f"axe-core: {done.stderr.strip()}")
        archive = folder / done.stdout.strip().splitlines()[-1]
        with tarfile.open(archive) as package:
            file = package.extractfile("package/axe.min.js")
            assert file is not None
            script.write_bytes(file.read())
        archive.unlink()
    return script.read_text("utf-8")


class TestAxe:
    @pytest.mark.sampled(usual=3)
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
    def test_no_violations(self, site: Site, visit: Open, axe: str, place: Place, scheme: str) -> None:
        page = visit(site.url, place.state, color_scheme=scheme, reduced_motion="reduce")
        place.act(page)
        page.page.evaluate(axe)
        # What an open dialog covers cannot be used, and need not be usable.
        top = ".popup:not([hidden]), dialog[open]"
        run = f"options => axe.run(document.querySelector('{top}') ?? document, options)"
        answer: dict[str, Any] = page.page.evaluate(run, {"runOnly": TAGS, "rules": RULES})
        found = {rule["id"]: [node["html"][:120] for node in rule["nodes"]] for rule in answer["violations"]}
        assert found == {}


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
        page = visit(site.url, "range=30d")
        page.panel("Top search words").get_by_role("button", name="Show only Top search words: jeju").press("Enter")
        page.settled()
        page.page.keyboard.press("Tab")
        focused = page.page.locator(":focus")
        expect(focused).to_have_accessible_name("Exclude Top search words: jeju")

    def test_the_histogram_zooms(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d")
        stage = page.page.get_by_role("slider", name="Events over time")
        stage.focus()
        stage.press("End")
        stage.press("Shift+ArrowLeft")
        stage.press("Enter")
        page.settled()
        assert "from=" in page.state
        assert page.total > 0

    def test_escape_closes_the_picker(self, site: Site, visit: Open) -> None:
        page = visit(site.url)
        button = page.page.get_by_role("button", name="Time range")
        button.press("Enter")
        expect(page.page.get_by_role("dialog", name="Time range")).to_be_visible()
        page.page.keyboard.press("Escape")
        expect(page.page.get_by_role("dialog", name="Time range")).to_be_hidden()
        expect(button).to_be_focused()
