"""The page while the store is slow or away: skeletons, a way to cancel, one message, and figures that are dated."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, Route, expect

from tests.e2e.daemon import Daemon
from tests.e2e.dashboard.axe import violations
from tests.e2e.dashboard.conftest import Open, Site
from tests.e2e.dashboard.screens import SCREENS, OpenPage, on_every_screen
from tests.processes import command_line, family
from tests.threads import Background
from tests.waiting import wait_until

RANGE = "range=30d"
TABS = [  # name, state, its outline while it loads for the first time
    ("logs", RANGE, ".top-list:empty"),
    ("words", f"tab=words&{RANGE}", ".skeleton-table"),
    ("word", f"tab=words&{RANGE}&word=jeju", ".skeleton-chart"),
    ("problems", f"tab=problems&{RANGE}", ".problem-list:empty"),
    ("problem", f"tab=problems&{RANGE}&problem=", ".problem:empty"),
    ("visitors", f"tab=visitors&{RANGE}", ".map-stage:empty"),
    ("alerts", "tab=alerts", ".status-part:empty"),
    ("status", "tab=status", ".status-part:empty"),
]
ASKS_BY_ITSELF = ("alerts", "status")
"""Tabs that ask again every few seconds."""
HEALTH = re.compile(r"/api/status")
QUERIES = re.compile(r"/api/(?!status|doctor|indices|views)")


@pytest.fixture(scope="module")
def site(local_site: Site) -> Site:
    return local_site


def query_processes(daemon: Daemon) -> list[int]:
    return [pid for pid in family(daemon.process.pid) if "query_process" in command_line(pid)]


@contextmanager
def stalled(daemon: Daemon) -> Iterator[set[int]]:
    """Stop the processes that answer queries, as a store that is infinitely slow, and those that replace them."""
    stopped, over = set[int](), threading.Event()

    def stop_all() -> None:
        while not over.wait(0.02):
            for pid in set(query_processes(daemon)) - stopped:
                stopped.add(pid)
                _signal(pid, signal.SIGSTOP)

    try:
        with Background(stop_all, over.set):
            wait_until(lambda: bool(stopped), "a query process")
            yield stopped
    finally:
        for pid in stopped:  # all: while some end, the list of a process's children may lack others
            _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def note(page: Page, text: str) -> None:
    expect(page.locator(".loading .notice")).to_have_count(1)
    expect(page.locator(".loading .notice")).to_contain_text(text)


def before_the_time(page: OpenPage) -> str:
    """Return how the message begins that dates old figures."""
    return page.text("loading.asof", time="|").partition("|")[0]


@contextmanager
def late(page: OpenPage, asked: re.Pattern[str] = QUERIES) -> Iterator[None]:
    """Let questions be answered only after this; see `TestSlow` for a store that does not answer at all."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.page.route(asked, hold)
    yield
    page.page.unroute(asked)
    for route in reversed(held):  # the newest question first
        with contextlib.suppress(Error):  # the page has given it up
            route.continue_()


@on_every_screen
def test_every_tab(page: OpenPage) -> None:
    page.go("tab=problems&problem=none").reload()  # none of the places was open yet
    for name, state, outline in TABS:
        first = page.page.locator(".problem-line").first  # of the tab before
        which = first.get_attribute("data-problem") if name == "problem" else ""
        slow_then_away(page, name, f"{state}{which}", outline)


def slow_then_away(page: OpenPage, name: str, state: str, outline: str) -> None:
    """A tab shows an outline until answers come, which can be cancelled; and then old, dated figures if none come."""
    main, line, retry = page.page.locator("main"), page.page.locator(".loading"), page.button("error.retry")
    outlined = page.page.locator(f"main.first[aria-busy='true'] {outline}").first
    with late(page):
        page.page.evaluate("state => { location.hash = state; }", state)
        expect(outlined).to_be_visible()
        note(page.page, page.text("loading.slow"))
        page.shot(f"{name}-outline")
        assert page.fits
        if page.screen is SCREENS[0]:  # other sizes and languages have the same elements
            assert violations(page.page) == {}
        page.button("loading.cancel").click()
        note(page.page, page.text("loading.cancelled"))
        expect(main).to_have_attribute("aria-busy", "false")
        expect(line).not_to_contain_text(before_the_time(page))  # there are none
        with page.page.expect_request(QUERIES):
            retry.click()
        expect(outlined).to_be_visible()
    expect(main).not_to_have_class(re.compile("first"))
    page.settled()
    expect(line).to_be_empty()
    page.page.context.set_offline(True)
    shown = main.inner_text()
    if name not in ASKS_BY_ITSELF:
        page.button("refresh.now").click()
    note(page.page, before_the_time(page))
    expect(line).to_contain_text(page.text("error.away"))
    expect(page.page.locator(".notice-error:visible")).to_have_count(1)
    expect(page.page.locator("main.old[aria-busy='false']")).to_be_visible()
    assert main.inner_text() == shown
    page.shot(f"{name}-old")
    assert page.fits
    if page.screen is SCREENS[0]:
        assert violations(page.page) == {}
    if name in ASKS_BY_ITSELF:
        page.page.context.set_offline(False)
        expect(line).to_be_empty()
    else:
        with late(page, HEALTH):  # by which the page would notice by itself, and try again before the click
            page.page.context.set_offline(False)
            retry.click()
            expect(line).to_be_empty()
    page.settled()


@pytest.mark.parametrize("page", SCREENS[:1], ids=str, indirect=True)
def test_a_newer_question_wins(page: OpenPage) -> None:
    """Over the answer to an older one, which comes after it."""
    errors = page.go(f"{RANGE}&level=ERROR").total
    warnings = page.go(f"{RANGE}&level=WARNING").total
    everything = page.go(RANGE).total
    with late(page):
        for level in ("ERROR", "WARNING"):
            with page.page.expect_request(QUERIES):
                page.page.locator(f".segment[data-level={level}]").click()
            assert page.total == everything  # the figures of before stay meanwhile
    page.settled()
    assert page.total == warnings
    assert errors < warnings < everything
    assert set(page.levels) == {"WARNING", "ERROR"}


class TestSlow:
    def test_a_load_that_was_cancelled_frees_the_processes(self, site: Site, visit: Open) -> None:
        """Though they do not answer; and an answer that comes late is shown."""
        dashboard = visit(site.url, RANGE)
        everything, page = dashboard.total, dashboard.page
        with stalled(site.daemon) as stopped:
            page.reload()
            note(page, "Still loading")
            page.get_by_role("button", name="Cancel", exact=True).click()
            note(page, "Loading was cancelled")
            wait_until(lambda: bool(stopped - set(query_processes(site.daemon))), "that another process takes over")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".loading")).to_be_empty()
        assert dashboard.settled().total == everything
        with stalled(site.daemon):
            page.locator(".segment[data-level=ERROR]").click()
            note(page, "Still loading")
            assert dashboard.total == everything  # the old figures stay meanwhile
        expect(page.locator(".loading")).to_be_empty()
        assert dashboard.settled().total < everything


class TestAway:
    def test_old_figures_are_dated_until_the_daemon_is_back(self, tmp_path: Path, visit: Open) -> None:
        with Daemon(tmp_path, http="127.0.0.1:0") as daemon:
            daemon.send([{"@version": "1", "level": "INFO", "message": "hello"}])
            daemon.wait_for_delivery(1)
            dashboard = visit(daemon.url)
            page = dashboard.page
            expect(dashboard.rows).to_have_count(1)
            daemon.stop()
            for level in ("INFO", "ERROR"):
                page.locator(f".segment[data-level={level}]").click()
                note(page, "The figures below are as of")
                expect(page.get_by_role("button", name="Try again")).to_have_count(1)
                expect(page.locator("main.old[aria-busy='false']")).to_be_visible()
                assert dashboard.messages == ["hello"]
            page.locator("[data-tab=status]").click()  # which has no old figures
            note(page, "ingestd does not respond")
            expect(page.locator(".loading")).not_to_contain_text("The figures below")
