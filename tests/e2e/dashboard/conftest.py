"""Fixtures of the dashboard's tests: Chromium, and daemons with a known history on either store."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

from tests.e2e.daemon import Daemon, free_port
from tests.e2e.dashboard.browser import Dashboard
from tests.e2e.dashboard.history import ZONE, History, make
from tests.e2e.servers import REQUIRED, SearchServer
from tests.waiting import today, wait_until

Open = Callable[..., Dashboard]


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


# Not for the whole session: while Playwright runs, no other test can have an event loop in this thread.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser without windows: CHROMIUM, or the one in PATH."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("chromium (Debian's package chromium, or its path in CHROMIUM)")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error as error:
            missing(f"chromium does not start: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Return a function that opens a daemon's page; options are those of a browser context.

    After the test no script may have complained, and nothing but the daemon may have been asked.
    """
    opened: list[Dashboard] = []
    name = re.sub(r"\W+", "-", request.node.nodeid.rpartition("/")[2]).strip("-")

    def visit(url: str, state: str = "", *, wait: bool = True, **options: Any) -> Dashboard:
        usual = {"locale": "en-US", "timezone_id": ZONE.key, "viewport": {"width": 1440, "height": 1000}}
        options = usual | {"reduced_motion": "reduce"} | options  # without a GPU animations cost much
        context = chromium.new_context(**options)
        opened.append(Dashboard(context.new_page(), url, name))
        return opened[-1].open(state, wait=wait)

    yield visit
    for dashboard in opened:
        dashboard.page.context.close()
        assert dashboard.complaints == []
        assert dashboard.strangers == []


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Site]:
    """Run a daemon that has got the whole history."""
    for zone in (dt.UTC, ZONE):
        today(zone, minutes=5)
    history = make(dt.datetime.now(dt.UTC))
    with Daemon(folder, "--port", str(free_port()), *arguments) as daemon:
        daemon.send(sent.event for sent in history.sent)
        daemon.wait_for_delivery(len(history.sent))
        yield Site(daemon, history)


@pytest.fixture(scope="module")
def local_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A daemon on the built-in store."""
    with running(tmp_path_factory.mktemp("local")) as site:
        yield site


@pytest.fixture(scope="class")
def elastic_site(search_server: SearchServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A daemon on a real search server."""
    search_server.wipe()
    with running(tmp_path_factory.mktemp("elastic"), "--elasticsearch", search_server.url) as site:
        wait_until(lambda: search_server.count("logstash-*") == len(site.history.sent), "all events to be searchable")
        yield site
    search_server.wipe()
