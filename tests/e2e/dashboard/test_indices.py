"""The card of the indices: what it shows, and backing up, deleting and restoring by click, on the built-in store."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from ingestd.lifecycle.state import State
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.dashboard.browser import Dashboard, LateAnswer
from tests.e2e.dashboard.conftest import Open
from tests.waiting import today, wait_until

DAYS = 3
EVENTS = 4


def midnight(days_ago: int) -> dt.datetime:
    midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - dt.timedelta(days=days_ago)


def day() -> dt.date:
    return midnight(2).date()


def name() -> str:
    return f"logstash-{day():%Y.%m.%d}"


def events() -> list[dict[str, Any]]:
    """Return the same number of events for each of the days before today."""
    days = [midnight(days_ago) for days_ago in range(1, DAYS + 1)]
    times = [begin + dt.timedelta(hours=n) for begin in days for n in range(EVENTS)]
    return [
        {"@timestamp": f"{time:%Y-%m-%dT%H:%M:%S}.000Z", "@version": "1", "level": "INFO", "message": f"at {time}"}
        for time in times
    ]


@contextmanager
def running(folder: Path) -> Iterator[Daemon]:
    """Run a daemon with three days of events and nowhere to back them up."""
    today(minutes=15)
    with Daemon(folder, schedule_cron="0 0 1 1 *", retention_max_age="30d") as daemon:
        daemon.send(events())
        daemon.wait_for_delivery(DAYS * EVENTS)
        wait_until(State.path_in(daemon.data_dir).exists, "the run that is due at the first start")
        yield daemon


def add_repository(daemon: Daemon, folder: Path) -> None:
    ingestd(daemon.data_dir, "repository", "add", "shelf", "--type", "fs", "--location", str(folder / "shelf"))


@pytest.fixture
def safe(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with a folder for backups."""
    with running(tmp_path) as daemon:
        add_repository(daemon, tmp_path)
        yield daemon


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The same, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("unchanged")
    with running(folder) as daemon:
        add_repository(daemon, folder)
        yield daemon


class Card:
    """The card in an open page."""

    def __init__(self, page: Dashboard) -> None:
        self.page = page.page
        self.element = page.panel("Indices")
        expect(self.rows.first).to_be_visible()

    @property
    def rows(self) -> Locator:
        return self.element.locator("tbody tr")

    def row(self, index: str = "") -> Locator:
        return self.rows.filter(has=self.page.get_by_text(index or name(), exact=True))

    def button(self, name: str) -> Locator:
        return self.element.get_by_role("button", name=name, exact=True)

    @property
    def question(self) -> Locator:
        return self.page.get_by_role("dialog")

    @property
    def said(self) -> Locator:
        return self.element.get_by_role("status")

    def answer(self, name: str) -> None:
        self.question.get_by_role("button", name=name, exact=True).click()
        expect(self.question).to_have_count(0)

    def ask_to_restore(self, rename: str = "") -> None:
        self.element.get_by_label("Day", exact=True).fill(day().isoformat())
        self.element.get_by_label("Name prefix").fill(rename)
        self.button("Restore").click()


class TestShown:
    def test_a_row_says_how_old_and_how_safe_an_index_is(self, unchanged: Daemon, visit: Open) -> None:
        card = Card(visit(unchanged.url, "tab=status"))
        expect(card.rows).to_have_count(DAYS)
        cells = card.row().get_by_role("cell")
        expect(cells).to_have_count(8)
        shown = cells.all_inner_texts()
        assert shown[:4] == [name(), day().isoformat(), "2 days ago", str(EVENTS)]
        assert shown[5] == "None"
        assert f"{day() + dt.timedelta(days=31)}" in shown[6] or f"{day() + dt.timedelta(days=30)}" in shown[6]


def check_action_log(page: Dashboard, title: str, actions: tuple[str, str, str], by: str, done: str) -> None:
    """Make sure that the page has what was done by click, with who did it and from where, the newest first."""
    page.page.reload()
    rows = page.settled().panel(title).locator("tbody tr").filter(has_text=by)
    expect(rows.locator("td:nth-child(1)")).to_have_text([re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d(:[\d.]+)?$")] * 3)
    expect(rows.locator("td:nth-child(3)")).to_have_text([*reversed(actions)])
    expect(rows.locator("td:nth-child(2)")).to_have_text([f"{by}127.0.0.1"] * 3)
    expect(rows.locator(".verdict")).to_have_text([done] * 3)
    expect(rows.nth(1).locator("td:nth-child(4)")).to_have_text(name())


class TestActions:
    def test_a_day_is_backed_up_deleted_and_restored(self, safe: Daemon, visit: Open) -> None:
        page = visit(safe.url, "tab=status")
        card = Card(page)
        card.button(f"Back up {name()}").click()
        expect(card.question).to_contain_text(f"Back up {name()}?")
        expect(card.question).to_contain_text(f"{EVENTS} events")
        page.shot("backup")
        card.answer("Back up")
        expect(card.said).to_have_text(f"{name()} is backed up, and the backup is verified.")
        expect(card.row()).to_contain_text("Verified")
        expect(card.button(f"Back up {name()}")).to_be_focused()

        card.button(f"Delete {name()}").click()
        expect(card.question).to_contain_text("There is a verified backup")
        expect(card.question.get_by_role("button", name="Cancel")).to_be_focused()
        page.shot("delete")
        card.answer("Delete")
        expect(card.said).to_have_text(f"{name()} is deleted.")
        expect(card.rows).to_have_count(DAYS - 1)
        page.shot("deleted")

        card.ask_to_restore()
        expect(card.question).to_contain_text("The indices keep their original names.")
        page.shot("restore")
        card.answer("Restore")
        expect(card.said).to_contain_text(f"{day()} is restored.")
        expect(card.row().get_by_role("cell").nth(3)).to_have_text(str(EVENTS))
        expect(card.rows).to_have_count(DAYS)
        check_action_log(page, "Actions", ("Back up", "Delete an index", "Restore"), "without password", "done")
        page.shot("actions")
        narrow = visit(safe.url, "tab=status", locale="ko-KR", viewport={"width": 390, "height": 844})
        check_action_log(narrow, "수동 작업", ("백업", "인덱스 삭제", "복원"), "비밀번호 없음", "완료")
        narrow.shot("actions", full=True)

    def test_no_is_no(self, unchanged: Daemon, visit: Open) -> None:
        page, asked = visit(unchanged.url, "tab=status"), list[str]()
        page.page.on("request", lambda request: asked.append(request.url))
        card = Card(page)
        for button in (f"Back up {name()}", f"Delete {name()}"):
            card.button(button).press("Enter")
            expect(card.question).to_be_visible()
            card.page.keyboard.press("Escape")
            expect(card.question).to_have_count(0)
            expect(card.button(button)).to_be_focused()
        card.button(f"Delete {name()}").click()
        card.page.keyboard.press("Enter")  # the focus is not on what deletes
        expect(card.question).to_have_count(0)
        card.ask_to_restore()
        card.answer("Cancel")
        expect(card.rows).to_have_count(DAYS)
        expect(card.said).to_have_count(0)
        assert not [url for url in asked if url.endswith(("/backup", "/delete", "/restore"))]

    def test_a_restored_day_may_stand_beside_the_first(self, safe: Daemon, visit: Open) -> None:
        page = visit(safe.url, "tab=status")
        card = Card(page)
        card.button(f"Back up {name()}").click()
        card.answer("Back up")
        expect(card.row()).to_contain_text("Verified")
        card.ask_to_restore("restored-")
        expect(card.question).to_contain_text("with the prefix restored-")
        card.answer("Restore")
        expect(card.said).to_contain_text(f"restored-{name()}: {EVENTS} events")
        expect(card.row(f"restored-{name()}")).to_contain_text(
            f"A copy of {name()}, left out of searches unless they name it: _index:restored-{name()}"
        )

        card.ask_to_restore()
        expect(card.question).to_contain_text("already exists")
        card.answer("Restore")
        expect(card.said).to_contain_text(f"{day()} could not be restored:")
        expect(card.rows).to_have_count(DAYS + 1)
        page.shot("refused")

    def test_a_copy_counts_once_and_leaves_the_buttons_in_view(self, safe: Daemon, visit: Open) -> None:
        page = visit(safe.url, "tab=status", viewport={"width": 1400, "height": 1000})
        card = Card(page)
        card.button(f"Back up {name()}").click()
        card.answer("Back up")
        expect(card.row()).to_contain_text("Verified")
        card.ask_to_restore("restored-")
        card.answer("Restore")
        expect(card.row(f"restored-{name()}")).to_have_count(1)
        expect(card.element).to_contain_text(f"{DAYS + 1} indices · {DAYS * EVENTS} events")
        table = card.element.locator(".table-scroll")
        assert table.evaluate("element => element.scrollWidth <= element.clientWidth")
        page.shot("copy")
        card.button(f"Delete restored-{name()}").click()
        expect(card.question).to_contain_text(f"There is a verified backup: {name()}-")
        card.answer("Delete")
        expect(card.said).to_have_text(f"restored-{name()} is deleted.")

    def test_a_backup_without_the_latest_events_is_outdated(self, safe: Daemon, visit: Open) -> None:
        card = Card(visit(safe.url, "tab=status"))
        card.button(f"Back up {name()}").click()
        card.answer("Back up")
        expect(card.row()).to_contain_text("Verified")
        safe.send([{"@timestamp": f"{day()}T20:00:00.000Z", "@version": "1", "message": "late"}])
        safe.wait_for_delivery(DAYS * EVENTS + 1)
        card = Card(visit(safe.url, "tab=status"))
        expect(card.row()).to_contain_text(f"Outdated: {EVENTS} of {EVENTS + 1} events")
        card.button(f"Delete {name()}").click()
        expect(card.question).to_contain_text(f"outdated: it has {EVENTS} of {EVENTS + 1} events")
        card.answer("Cancel")

    def test_a_late_answer_does_not_hide_a_newer_one(self, safe: Daemon, visit: Open) -> None:
        card = Card(visit(safe.url, "tab=status"))
        card.button(f"Back up {name()}").click()
        card.answer("Back up")
        expect(card.row()).to_contain_text("Verified")
        late = LateAnswer(card.page, "/api/actions$")
        card.page.evaluate("document.activeElement.blur()")
        late.wait()  # the page polls every few seconds, unless something in it has the focus
        card.button(f"Delete {name()}").click()
        card.answer("Delete")
        expect(card.said).to_have_text(f"{name()} is deleted.")
        with card.page.expect_response("**/api/indices"):
            late.arrive()
        expect(card.said).to_have_text(f"{name()} is deleted.")
        expect(card.row()).to_have_count(0)

    def test_what_is_not_backed_up_is_deleted_for_good(self, safe: Daemon, visit: Open) -> None:
        card = Card(visit(safe.url, "tab=status"))
        card.button(f"Delete {name()}").click()
        expect(card.question).to_contain_text("There is no verified backup: these events will be lost permanently.")
        expect(card.question.get_by_role("button", name="Cancel")).to_be_focused()
        card.answer("Delete permanently")
        expect(card.said).to_have_text(f"{name()} is deleted.")
        expect(card.row()).to_have_count(0)

    def test_an_action_that_does_not_arrive_is_reported(self, unchanged: Daemon, visit: Open) -> None:
        card = Card(visit(unchanged.url, "tab=status"))
        card.page.route("**/api/indices/*/delete", lambda route: route.abort())
        card.button(f"Delete {name()}").click()
        card.answer("Delete permanently")
        expect(card.said).to_contain_text(f"{name()} could not be deleted: ingestd does not respond.")
        expect(card.row()).to_have_count(1)


class TestBusy:
    def test_one_at_a_time(self, unchanged: Daemon, visit: Open) -> None:
        """While something runs nothing else can be clicked; its progress is shown."""
        page = visit(unchanged.url, "tab=status")
        running = {"kind": "backup", "index": name(), "day": None, "state": "running", "done": 1, "total": 4}

        def answer(route: Route) -> None:
            status = route.fetch().json()
            route.fulfill(json=status | {"action": running | {"message": "", "started": "x", "ended": None}})

        page.page.route("**/api/actions", answer)
        page.page.reload()
        card = Card(page.settled())
        expect(card.said).to_have_text(f"Backing up {name()}…")
        expect(card.element.get_by_role("progressbar")).to_have_attribute("value", "1")
        for button in (f"Back up {name()}", f"Delete {name()}", "Restore"):
            expect(card.button(button)).to_be_disabled()
        expect(card.element).to_contain_text("Wait until it has finished")
        page.shot("busy")


class TestNoRepository:
    def test_says_why_nothing_can_be_backed_up(self, tmp_path: Path, visit: Open) -> None:
        with running(tmp_path) as daemon:
            page = visit(daemon.url, "tab=status")
            card = Card(page)
            expect(card.element).to_contain_text("ingestd repository add")
            expect(card.button(f"Back up {name()}")).to_be_disabled()
            expect(card.button("Restore")).to_be_disabled()
            expect(card.button(f"Delete {name()}")).to_be_enabled()
            page.shot("none")


class TestNarrow:
    def test_the_question_fits(self, unchanged: Daemon, visit: Open) -> None:
        narrow = {"width": 400, "height": 740}
        page = visit(unchanged.url, "tab=status", locale="ko-KR", viewport=narrow, color_scheme="dark")
        expect(page.page.get_by_text(re.compile(r"^(\d+분 )?\d+초$"))).to_have_count(1)  # since the start
        page.page.get_by_role("button", name=f"{name()} 삭제").click()
        expect(page.page.get_by_role("dialog")).to_contain_text("복구할 수 없습니다")
        page.shot("question")
        assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        box = page.page.get_by_role("dialog").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 400
        page.page.get_by_role("button", name="취소").click()
        page.shot("card", full=True)
