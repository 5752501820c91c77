"""The page while the store is slow or away: skeletons, a way to cancel, one message, and figures that are dated."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.daemon import Daemon
from tests.e2e.dashboard.axe import violations
from tests.e2e.dashboard.conftest import Open, Site
from tests.processes import command_line, family
from tests.threads import Background
from tests.waiting import wait_until

TEXTS = {
    "en-US": ("Still loading", "Cancel", "Loading was cancelled", "The figures below are as of", "Try again"),
    "ko-KR": ("불러오는 중", "취소", "취소했습니다", "아래 숫자는", "다시 시도"),
}
SIZES = {1440: {"width": 1440, "height": 1000}, 390: {"width": 390, "height": 844}}
RANGE = "range=30d"


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


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


class TestSlow:
    @pytest.mark.parametrize(("locale", "width"), [("en-US", 1440), ("ko-KR", 390)])
    def test_skeletons_then_a_way_to_cancel(self, site: Site, visit: Open, locale: str, width: int) -> None:
        """A load that was cancelled frees the processes, though they do not answer."""
        slow, cancel, cancelled, dated, retry = TEXTS[locale]
        dashboard = visit(site.url, RANGE, locale=locale, viewport=SIZES[width])
        everything, page = dashboard.total, dashboard.page
        with stalled(site.daemon) as stopped:
            page.reload()
            expect(page.locator("main.first[aria-busy='true'] .top-list:empty").first).to_be_visible()
            note(page, slow)
            dashboard.shot("skeletons")
            assert violations(page) == {}
            assert fits(page)
            page.get_by_role("button", name=cancel, exact=True).click()
            note(page, cancelled)
            expect(page.locator("main[aria-busy='false']")).to_be_visible()
            expect(page.locator(".loading")).not_to_contain_text(dated)  # there are none
            wait_until(lambda: bool(stopped - set(query_processes(site.daemon))), "that another process takes over")
        page.get_by_role("button", name=retry).click()
        expect(page.locator(".loading")).to_be_empty()
        assert dashboard.settled().total == everything
        with stalled(site.daemon):
            page.locator(".segment[data-level=INFO]").click()
            note(page, slow)
            assert dashboard.total == everything  # the old figures stay meanwhile
            page.get_by_role("button", name=cancel, exact=True).click()
            note(page, dated)
            expect(page.locator("main.old")).to_be_visible()
            dashboard.shot("cancelled")
            assert violations(page) == {}
            assert fits(page)

    def test_a_slow_answer_comes(self, site: Site, visit: Open) -> None:
        dashboard = visit(site.url, RANGE)
        everything, page = dashboard.total, dashboard.page
        with stalled(site.daemon):
            page.reload()
            note(page, TEXTS["en-US"][0])
        expect(page.locator(".loading")).to_be_empty()
        expect(page.locator("main.first")).to_have_count(0)
        assert dashboard.settled().total == everything


class TestAway:
    @pytest.mark.parametrize(("locale", "width"), [("en-US", 390), ("ko-KR", 1440)])
    def test_old_figures_are_dated_until_the_daemon_is_back(
        self, tmp_path: Path, visit: Open, locale: str, width: int
    ) -> None:
        _, _, _, dated, retry = TEXTS[locale]
        with Daemon(tmp_path, http="127.0.0.1:0") as daemon:
            daemon.send([{"@version": "1", "level": "INFO", "message": "hello"}])
            daemon.wait_for_delivery(1)
            dashboard = visit(daemon.url, locale=locale, viewport=SIZES[width])
            page = dashboard.page
            expect(dashboard.rows).to_have_count(1)
            daemon.stop()
            for level in ("INFO", "ERROR"):
                page.locator(f".segment[data-level={level}]").click()
                note(page, dated)
                expect(page.get_by_role("button", name=retry)).to_have_count(1)
                expect(page.locator("main.old[aria-busy='false']")).to_be_visible()
                assert dashboard.messages == ["hello"]
            dashboard.shot("away")
            assert violations(page) == {}
            assert fits(page)
            page.locator("[data-tab=status]").click()  # which has no old figures
            note(page, "ingestd")
            expect(page.locator(".loading")).not_to_contain_text(dated)
