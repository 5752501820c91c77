"""The dashboard as its user has it: a page in headless Chromium, and what can be read from it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import (
    APIResponse,
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Frame,
    Locator,
    Page,
    Request,
    Route,
    expect,
)

from tests.waiting import WAIT_SECONDS, wait_until

FOLDER = Path(os.environ.get("INGESTD_TEST_ARTIFACTS") or ".pytest_cache/screenshots")
"""Where screenshots are kept: of tests that fail, and, with INGESTD_TEST_SHOTS=1, whatever a test calls `shot` for."""

SHOTS = os.environ.get("INGESTD_TEST_SHOTS", "") == "1"

WAIT_MS = WAIT_SECONDS * 1000
LEAVE_MS = 10_000
"""How long a daemon may take for the picture to which a page is left: a page that cannot be left is closed."""

Value = tuple[str, int]

_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")


def chromium_path() -> str | None:
    """Return CHROMIUM, or the first browser in PATH, if there is one; those with windows take three times the CPU."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), None)


class Dashboard:
    """A page. Whatever a script or the policy of contents complains about is in ``complaints``.

    The policy complains about each request to anywhere but the daemon (a test holds that), and a page or frame that
    goes elsewhere is a complaint. To hear of all requests would make a page load cost a sixth more.
    """

    def __init__(self, page: Page, url: str, name: str = "") -> None:
        self.page, self.url, self.name = page, url, name
        self.complaints: list[str] = []
        self.is_altered = False
        page.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        self._listeners: dict[Any, Callable[[Any], None]] = {
            "pageerror": self._fail,
            "console": self._hear,
            "framenavigated": self._follow,
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)

    def _fail(self, error: Error) -> None:
        self.complaints.append(str(error))

    def _hear(self, message: ConsoleMessage) -> None:
        # Chromium tells of every answer that is not 2xx; those are looked for in the page.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def _follow(self, frame: Frame) -> None:
        there = urlsplit(frame.url)
        if there.scheme in {"http", "https"} and there.netloc != urlsplit(self.url).netloc:
            self.complaints.append(f"went to {frame.url}")

    def heard(self, text: str) -> bool:
        """Return whether a text is among the complaints by now."""
        self.page.wait_for_timeout(0)  # the handlers of events run
        return any(text in complaint for complaint in self.complaints)

    def open(self, state: str = "", *, wait: bool = True) -> Dashboard:
        """Open the page with a state, as in its address behind ``#``, and wait for it."""
        self.page.goto(f"{self.url}/#{state}")
        if wait:
            self.page.evaluate("new Promise(done => setTimeout(done))")  # a change of the address is told of later
        return self.settled() if wait else self

    def alter(self, script: str) -> None:
        """Run a script before those of each page that is loaded; no other test gets this one."""
        self.page.add_init_script(script)
        self.is_altered = True

    def leave(self, timeout: float = WAIT_MS) -> None:
        """Go to a picture of the daemon's, which asks nothing.

        The page that is loaded next is as new, but the process that shows it is not, and has compiled the modules: that
        saves a third of a page's processor time. ``about:blank`` is shown by another process.
        """
        self.page.goto(f"{self.url}/static/icon.svg", timeout=timeout)

    def ignore(self) -> None:
        """Note nothing any more of what happens in the page."""
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)

    def left(self) -> bool:
        """Have the page show nothing, for another test; return whether the daemon was there for that."""
        self.ignore()
        try:
            self.page.unroute_all(behavior="ignoreErrors")
            self.leave(LEAVE_MS)
            self.page.mouse.move(0, 0)
        except Error:
            return False
        return True

    def cleared(self) -> Dashboard:
        """Have the page of another test show nothing, and forget what was noted."""
        self.page.unroute_all(behavior="ignoreErrors")
        for _ in range(2):  # a list of completions, then the popup or the box it was in
            self.page.keyboard.press("Escape")
        self.open("tab=alerts")
        self.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
        self.page.mouse.move(0, 0)
        self.complaints = []
        return self

    def settled(self) -> Dashboard:
        """Wait until every question has been answered."""
        self.page.wait_for_selector("main[aria-busy='false']")
        return self

    def still(self) -> Dashboard:
        """Wait for the banner of the doctor, which comes late and moves what is below, before pointing at a place."""
        answered = "performance.getEntriesByType('resource').some(e => e.name.includes('/api/doctor') && e.responseEnd)"
        wait_until(lambda: self.page.evaluate(answered), "the doctor")
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self

    def resize(self, width: int, height: int = 1000) -> None:
        """Change the size of the window; what is drawn for it is drawn again."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def shot(self, name: str, *, full: bool = False) -> None:
        """Keep a screenshot, for people who want to see the page: each costs 0.1 s, so only if they ask for it."""
        if SHOTS:
            self.keep_shot(name, full=full)

    def keep_shot(self, name: str, *, full: bool = False) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=FOLDER / f"{self.name}-{name}.png", full_page=full, caret="initial")

    @property
    def state(self) -> str:
        """What stands in the address behind ``#``."""
        return urlsplit(self.page.url).fragment

    def panel(self, title: str) -> Locator:
        return self.page.get_by_role("region", name=title, exact=True)

    def values(self, title: str) -> list[Value]:
        """Return what a panel of most frequent values shows."""
        rows = self.panel(title).locator(".top-pick")
        read = """rows => rows.map(
            row => [".top-value", ".top-count"].map(part => row.querySelector(part).firstChild.data)
        )"""
        return [(value, int(count.replace(",", ""))) for value, count in rows.evaluate_all(read)]

    @property
    def total(self) -> int:
        """How many events the histogram says there are."""
        return int("".join(filter(str.isdigit, self.page.locator(".histogram .total").first.inner_text())))

    @property
    def legend(self) -> dict[str, int]:
        """The levels beside the histogram."""
        read = """items => items.map(
            item => [item.querySelector("span:not(.swatch)").textContent, item.querySelector("b").textContent]
        )"""
        counts = self.page.locator(".legend-item").evaluate_all(read)
        return {level: int(count.replace(",", "")) for level, count in counts}

    @property
    def rows(self) -> Locator:
        return self.page.locator("tr.row")

    @property
    def messages(self) -> list[str]:
        return self.rows.locator(".message").all_inner_texts()

    @property
    def levels(self) -> list[str]:
        return self.rows.locator(".cell-level").all_inner_texts()

    def ask(self, query: str) -> Dashboard:
        """Type a query and press Enter."""
        box = self.page.get_by_role("combobox")
        box.fill(query)
        box.press("Enter")
        return self.settled()

    def type_range(self, since: str, until: str) -> Dashboard:
        """Open the picker of time ranges and type one."""
        self.page.get_by_role("button", name="Time range").click()
        self.page.get_by_label("From", exact=True).fill(since)
        self.page.get_by_label("To", exact=True).fill(until)
        self.page.get_by_role("button", name="Show", exact=True).click()
        return self.settled()


class Contexts:
    """Browser contexts that tests use one after the other, and the page in each.

    A new context has an empty cache: the first page in it costs 3 s of a processor, the next ones a third of that. What
    a test leaves in it, other pages, cookies and local storage, is removed.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._idle: dict[str, list[BrowserContext]] = {}
        self._open: dict[BrowserContext, Dashboard] = {}

    def take(self, options: dict[str, Any], url: str, *, again: bool, cold: bool = False) -> Dashboard:
        """Return a page in a context with these options that nobody uses, for the dashboard at ``url``.

        With ``again`` it may be one that another test has left there, with ``cold`` the context is a new one.
        """
        idle = None if cold else self._idle.get(_key(options))
        context = idle.pop() if idle else self._browser.new_context(**options)
        dashboard = self._open.pop(context, None)
        if dashboard and again and dashboard.url == url:
            return dashboard.cleared()
        if dashboard and not dashboard.left():
            dashboard.page.close()
        return Dashboard(context.pages[0] if context.pages else context.new_page(), url)

    def give(self, options: dict[str, Any], dashboard: Dashboard, *, again: bool, failed: bool = False) -> None:
        """Take a context back; with ``again`` its page stays as it is."""
        context = dashboard.page.context
        if dashboard.page.is_closed():
            return context.close()
        is_kept = not (failed or dashboard.is_altered) and (again or dashboard.left())
        session = context.new_cdp_session(dashboard.page)
        session.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "local_storage"})
        session.detach()
        context.clear_cookies()
        if is_kept and again:
            self._open[context] = dashboard
        for page in context.pages:
            if page is not dashboard.page or not is_kept:
                page.close()
        return self._idle.setdefault(_key(options), []).append(context)


def _key(options: dict[str, Any]) -> str:
    return repr(sorted(options.items()))


class LateAnswer:
    """The answer to the next request that ``pattern`` fits: it is there, and the page gets it when the test says so."""

    def __init__(self, page: Page, pattern: str) -> None:
        self._page = page
        self._held: list[tuple[Route, APIResponse]] = []
        self._ended: list[Request] = []
        for event in ("requestfinished", "requestfailed"):
            page.on(event, self._note)
        page.route(re.compile(pattern), self._hold, times=1)

    def _note(self, request: Request) -> None:
        self._ended.append(request)

    def _hold(self, route: Route) -> None:
        self._held.append((route, route.fetch(timeout=WAIT_MS)))

    def wait(self) -> None:
        """Wait until the request was made and answered."""
        self._wait(lambda: bool(self._held))

    def _wait(self, holds: Callable[[], bool]) -> None:
        def meanwhile() -> bool:
            self._page.wait_for_timeout(20)  # the handlers of events run
            return holds()

        wait_until(meanwhile, "a request of the page")

    def arrive(self, **changes: Any) -> None:
        """Let the page have it, with another ``status`` or ``json`` if these are given, unless it has given up."""
        route, answer = self._held.pop()
        route.fulfill(response=answer, **changes)
        self._wait(lambda: route.request in self._ended)
        self._page.wait_for_timeout(100)  # for a page that does what it should not
