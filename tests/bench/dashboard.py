"""How long a visitor of the dashboard waits: 30 days of sealed events in the built-in store, seen in Chromium."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from ingestd.stores.local import LocalWriter
from ingestd.stores.local.index.layout import store_root
from tests.bench.options import Options
from tests.bench.reference import Reference, ReferenceProcess
from tests.bench.results import Result, Unit
from tests.bench.store_events import documents
from tests.e2e.daemon import Daemon
from tests.e2e.dashboard.browser import chromium_path

_DAYS, _RUNS = 30, 5
_GOAL_MS = 1000
_FIRST_PAINT = """new Promise(done => new PerformanceObserver(list => {
    for (const entry of list.getEntriesByName("first-contentful-paint")) done(entry.startTime);
}).observe({ type: "paint", buffered: true }))"""
_SETTLED = "main[aria-busy='false']"
_TABS = {"words": "search words, with the period before", "problems": "problems"}


def dashboard(options: Options) -> Iterator[Result]:
    """Measure the first page in a new browser and in one that has the files, then other tabs; the median counts.

    Raises:
        SystemExit: There is no Chromium.
    """
    path = chromium_path() or sys.exit("needs chromium in PATH, or its path in CHROMIUM")
    of = f"of {options.events:,} events"
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        _fill(Path(name), options.events)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        with Daemon(Path(name)) as daemon:
            _first_page(browser, daemon.url)  # the daemon and the kernel have read their files
            paint, figures, reference = _runs(browser, daemon.url)
            yield Result("first paint, new browser", paint, Unit.MS, reference, _GOAL_MS)
            yield Result(f"first page with all figures, new browser, {of}", figures, Unit.MS, reference)
            context = _context(browser)
            paint, figures, reference = _runs(context, daemon.url)
            yield Result("first paint, again", paint, Unit.MS, reference, _GOAL_MS)
            yield Result(f"first page with all figures, again, {of}", figures, Unit.MS, reference, _GOAL_MS)
            for tab, title in _TABS.items():
                waited, reference = _tab(context, f"{daemon.url}/#tab={tab}&range=30d")
                yield Result(f"{title}, {of}", waited, Unit.MS, reference, _GOAL_MS)


def _fill(folder: Path, count: int) -> None:
    """Write the events of the last days, and seal them."""
    writer, today = LocalWriter(store_root(folder), "w0"), datetime.now(UTC).replace(tzinfo=None)
    for number in range(_DAYS):
        day = (today - timedelta(days=_DAYS - number)).replace(hour=0, minute=0, second=0, microsecond=0)
        for batch, ids in documents(count // _DAYS, day, number):
            writer.append(f"logstash-{day:%Y.%m.%d}", batch, ids)
    writer.close()
    command = [sys.executable, "-m", "tests.bench.store_sealing", str(store_root(folder)), "seal"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _runs(visitor: Browser | BrowserContext, url: str) -> tuple[float, float, Reference]:
    """Return the milliseconds until the first paint and until all figures are there."""
    with ReferenceProcess() as reference:
        runs = [_first_page(visitor, url) for _ in range(_RUNS)]
        return median(run[0] for run in runs), median(run[1] for run in runs), reference.result()


def _first_page(visitor: Browser | BrowserContext, url: str) -> tuple[float, float]:
    context = _context(visitor) if isinstance(visitor, Browser) else visitor
    page = context.new_page()
    page.goto(f"{url}/#range=30d")
    waited = _settled(page)
    paint: float = page.evaluate(_FIRST_PAINT)
    page.close()
    if context is not visitor:
        context.close()
    return paint, waited


def _tab(context: BrowserContext, url: str) -> tuple[float, Reference]:
    with ReferenceProcess() as reference:
        waits = []
        for _ in range(_RUNS):
            page = context.new_page()
            page.goto(url)
            waits.append(_settled(page))
            page.close()
        return median(waits), reference.result()


def _settled(page: Page) -> float:
    """Return the milliseconds from the start of the page until all is there."""
    page.wait_for_selector(_SETTLED)
    waited: float = page.evaluate("performance.now()")
    return waited


def _context(browser: Browser) -> BrowserContext:
    return browser.new_context(viewport={"width": 1440, "height": 1000}, reduced_motion="reduce")
