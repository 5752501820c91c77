"""Fixtures of the dashboard's tests: Chromium, and daemons with a known history on either store."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.conftest import FAILED
from tests.e2e.daemon import Daemon, free_port
from tests.e2e.dashboard.browser import Contexts, Dashboard, chromium_path
from tests.e2e.dashboard.history import ZONE, History, make
from tests.e2e.dashboard.screens import OpenPage, Pages
from tests.e2e.servers import REQUIRED, SearchServer
from tests.waiting import today, wait_until

Open = Callable[..., Dashboard]

USUAL_LOOKS: dict[str, Any] = {
    "viewport": {"width": 1440, "height": 1000},
    "color_scheme": "light",
    "reduced_motion": "reduce",  # without a GPU animations cost much
}
"""Options that an open page can change: contexts are shared by those with different ones."""


@dataclass(frozen=True)
class Site:
    """A running daemon and what it was sent."""

    daemon: Daemon
    history: History

    @property
    def url(self) -> str:
        return self.daemon.url


def missing(what: str) -> None:
    """Skip the test, or fail it where everything has to be there."""
    if REQUIRED:
        pytest.fail(f"required here: {what}")
    pytest.skip(what)


# Not for the whole session: while Playwright runs, no other test can have an event loop in this thread. So there are no
# asynchronous tests in this package.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """A browser without windows."""
    path = chromium_path()
    if path is None:
        missing("chromium (Debian's package chromium-headless-shell or chromium, or its path in CHROMIUM)")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error as error:
            missing(f"chromium does not start: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def contexts(chromium: Browser) -> Contexts:
    """The contexts of all tests of this package."""
    return Contexts(chromium)


@pytest.fixture
def visit(contexts: Contexts, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Return a function that opens a daemon's page: ``visit(url, "range=30d", locale="ko-KR", viewport=PHONE)``.

    Each call is another visitor, with a page, cookies and a local storage of its own. It costs 1 s of a processor, the
    first one of a daemon and a locale 3 s. With ``again=True`` it is a page of an earlier such test, which is led
    to the state by the address: 0.6 s. That is for tests about what a page of that state shows, not about what happens
    when it is loaded or what stays in a box or unfolded. One that wants several states leads its page there, by
    ``open``. With ``cold=True`` the browser has nothing of the daemon's yet, 3 s: for tests of what is transferred.
    A ``script`` runs before those of each page.
    Tests of what the modules export take `modules`.

    Options are those of a browser context. After the test no script may have complained, nor the policy of contents.
    Of a test that fails each page is kept as a picture (`tests.e2e.dashboard.browser.FOLDER`).
    """
    opened: list[tuple[Dashboard, dict[str, Any], bool]] = []
    name = re.sub(r"\W+", "-", request.node.nodeid.rpartition("/")[2]).strip("-")

    def visit(
        url: str,
        state: str = "",
        *,
        wait: bool = True,
        again: bool = False,
        cold: bool = False,
        script: str = "",
        **options: Any,
    ) -> Dashboard:
        looks = USUAL_LOOKS | {key: options.pop(key) for key in USUAL_LOOKS if key in options}
        options = {"locale": "en-US", "timezone_id": ZONE.key} | options
        dashboard = contexts.take(options, url, again=again, cold=cold)
        dashboard.name = name
        opened.append((dashboard, options, again))
        dashboard.page.set_viewport_size(looks["viewport"])
        dashboard.page.emulate_media(color_scheme=looks["color_scheme"], reduced_motion=looks["reduced_motion"])
        if script:
            dashboard.alter(script)
        return dashboard.open(state, wait=wait)

    yield visit
    failed = request.node.stash.get(FAILED, False)
    for number, (dashboard, options, again) in enumerate(opened):
        if failed:
            with suppress(Error):  # it may be closed
                dashboard.keep_shot(f"failed-{number}")
        contexts.give(options, dashboard, again=again, failed=failed)
    for dashboard, *_ in opened:
        assert dashboard.complaints == []


@pytest.fixture(scope="module")
def pages(contexts: Contexts, site: Site, request: pytest.FixtureRequest) -> Iterator[Pages]:
    """Pages of the module's `site`, which stay open; their screenshots are called after the module."""
    pages = Pages(contexts, site.url, request.module.__name__.rpartition(".test_")[2])
    yield pages
    pages.close()


@pytest.fixture
def page(pages: Pages, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """A page of the module's `pages` on the screen that is the parameter: see `tests.e2e.dashboard.screens`."""
    with pages.on(request.param, request.node) as page:
        yield page


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Site]:
    """Run a daemon that has got the whole history."""
    for zone in (dt.UTC, ZONE):
        today(zone, minutes=7)  # several modules use it
    history = make(dt.datetime.now(dt.UTC))
    with Daemon(folder, "--port", str(free_port()), *arguments) as daemon:
        daemon.send(sent.event for sent in history.sent)
        daemon.wait_for_delivery(len(history.sent))
        yield Site(daemon, history)


class LocalSites:
    """A daemon on the built-in store for several modules; another one when its history is no longer of just now."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._site: Site | None = None
        self._running = ExitStack()

    def fresh(self) -> Site:
        """Return the site, whose latest events are of the last minutes."""
        if self._site is None or dt.datetime.now(dt.UTC) - self._site.history.now > dt.timedelta(minutes=2):
            self.stop()
            self._site = self._running.enter_context(running(self._factory.mktemp("local")))
        return self._site

    def stop(self) -> None:
        self._running.close()
        self._site = None


@pytest.fixture(scope="package")
def local_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSites]:
    sites = LocalSites(tmp_path_factory)
    yield sites
    sites.stop()


@pytest.fixture(scope="module")
def local_site(local_sites: LocalSites) -> Site:
    """A daemon on the built-in store. Other modules use it, too: leave its events, views and settings as they were."""
    return local_sites.fresh()


@pytest.fixture(scope="module")
def modules(contexts: Contexts, local_site: Site) -> Iterator[Page]:
    """A page in which what the modules export is asked: ``modules.evaluate('async () => (await import(...)).f()')``.

    It is loaded once for all such tests of a file, and is not to be clicked in.
    """
    options = {"locale": "en-US", "timezone_id": ZONE.key}
    dashboard = contexts.take(options, local_site.url, again=False).open("tab=alerts")
    yield dashboard.page
    contexts.give(options, dashboard, again=False)
    assert dashboard.complaints == []


@pytest.fixture(scope="class")
def elastic_site(search_server: SearchServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A daemon on a real search server."""
    search_server.wipe()
    with running(tmp_path_factory.mktemp("elastic"), "--elasticsearch", search_server.url) as site:
        wait_until(lambda: search_server.count("logstash-*") == len(site.history.sent), "all events to be searchable")
        yield site
    search_server.wipe()
