"""The tab "Alerts": a rule made from a query of the logs, its preview, test, muting, states and history."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.daemon import Daemon
from tests.e2e.dashboard.browser import Dashboard
from tests.e2e.dashboard.conftest import Open
from tests.waiting import wait_until

_PROGRAM = "import pathlib, sys; pathlib.Path(sys.argv[1]).open('ab').write(sys.stdin.buffer.read())"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a channel, and three errors of just now."""
    folder = tmp_path_factory.mktemp("alerts")
    program = json.dumps([sys.executable, "-c", _PROGRAM, str(folder / "ran")])
    settings = folder / "ingestd.toml"
    settings.write_text(
        f'[alerts]\ninterval = "200ms"\nlag = "0s"\n[alerts.channels.pager]\ntype = "command"\ncommand = {program}\n'
        "[alerts.rules.of-the-file]\nabove = 1000\n"
    )
    with Daemon(folder, "--settings", str(settings), workers="1") as daemon:
        time = dt.datetime.now(dt.UTC).isoformat()
        daemon.send([{"@timestamp": time, "level": "ERROR", "message": f"no {number}"} for number in range(3)])
        daemon.wait_for_delivery(3)
        yield daemon


def notified(daemon: Daemon) -> list[tuple[str, str]]:
    """Return what the channel was notified of about the alert ``errors``."""
    file = daemon.data_dir.parent / "ran"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(found["state"], found["alert"]) for found in map(json.loads, lines) if found["alert"] == "errors"]


def test_from_a_query_to_a_notification(daemon: Daemon, visit: Open) -> None:
    dashboard = visit(daemon.url, "q=level:ERROR")
    page = dashboard.page
    page.get_by_role("button", name="Alert on this").click()
    expect(page.get_by_label("Query; empty: all events")).to_have_value("level:ERROR")
    page.get_by_label("Name (letters, digits, _ and -)").fill("errors")
    page.get_by_label("Window, such as 5m").fill("1h")
    page.get_by_label("Bound", exact=True).fill("2")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".alert-preview")).to_contain_text("In the last 3 d it would have fired")
    dashboard.shot("form", full=True)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("errors is saved.").first).to_be_visible()
    row = page.get_by_role("row").filter(has_text="events in 1h > 2")
    expect(row).to_contain_text("firing")
    expect(row).to_contain_text("3 events in 1h, more than 2")
    expect(page.get_by_role("region", name="History")).to_contain_text("3 events in 1h, more than 2")
    wait_until(lambda: notified(daemon) == [("firing", "errors")], "the channel to be notified")
    row.get_by_role("button", name="Test errors").click()
    expect(page.get_by_text("The test was taken by pager.").first).to_be_visible()
    assert notified(daemon) == [("firing", "errors"), ("test", "errors")]
    row.get_by_role("button", name="Mute 1 h: errors").click()
    expect(row).to_contain_text("muted until")
    row.get_by_role("button", name="Unmute errors").click()
    expect(row).not_to_contain_text("muted")
    row.get_by_role("button", name="Edit errors").click()
    page.get_by_label("Bound", exact=True).fill("5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row").filter(has_text="events in 1h > 5")).to_contain_text("ok")
    wait_until(lambda: notified(daemon)[2:] == [("resolved", "errors")], "the channel to be notified")
    dashboard.shot("list", full=True)
    page.get_by_role("button", name="Delete errors").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("errors is deleted.").first).to_be_visible()
    expect(page.get_by_role("button", name="Test errors")).to_have_count(0)


SAID = {  # language: locale, what is said: saved, tested, deleted, the column of a mistake, where it is made, resolved
    "en": ("en-US", "{} is saved.", "The test was taken by pager.", "{} is deleted.", "character 7", "in the settings"),
    "ko": ("ko-KR", "{}을(를) 저장", "테스트를 받은 채널: pager", "{}을(를) 삭제", "7번째 글자", "설정 파일의 알림"),
}


def refused(form: Locator, field: str, text: str) -> None:
    """Make sure that the form says something below a field, which is marked and has the focus."""
    expect(form.locator(".form-error")).to_contain_text(text)
    expect(form.locator("[aria-invalid]")).to_have_attribute("name", field)
    expect(form.locator("[aria-invalid]")).to_be_focused()
    below = form.evaluate(
        """(form, field) => form.querySelector(".form-error").getBoundingClientRect().top
            - form.querySelector(`[name=${field}]`).getBoundingClientRect().bottom""",
        field,
    )
    assert 0 <= below < 30


def fill_in(dashboard: Dashboard, name: str, column: str) -> None:
    """Make an alert in the form, after each mistake in turn."""
    form = dashboard.page.locator(".alert-form")
    dashboard.page.locator(".card-end .button.primary").click()
    mistakes = [  # field, text that is wrong, one that is good, the button, what is said
        ("name", "of-the-file", name, "[type=submit]", "of-the-file is in the settings file: change it there"),
        ("query", "level:(ERROR", "level:ERROR", ".dialog-buttons [type=button] >> nth=1", column),
        ("window", "soon", "1h", "[type=submit]", "soon"),
        ("bound", "many", "2", "[type=submit]", "many"),
    ]
    for field, wrong, good, button, said in mistakes:
        form.locator(f"[name={field}]").fill(wrong)
        form.locator(button).click()
        refused(form, field, said)
        if field == "bound":
            dashboard.shot(f"error-{name}", full=True)
            fits(dashboard)
        form.locator(f"[name={field}]").fill(good)
    form.locator("[type=submit]").click()


def fits(dashboard: Dashboard) -> None:
    assert dashboard.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"


@pytest.mark.parametrize("language", [*SAID])
def test_the_form_in_each_language_wide_and_on_a_phone(daemon: Daemon, visit: Open, language: str) -> None:
    locale, saved, tested, deleted, column, of_file = SAID[language]
    dashboard = visit(daemon.url, "tab=alerts", locale=locale)
    page = dashboard.page
    row = page.get_by_role("row").filter(has_text="of-the-file")
    expect(row).to_contain_text(of_file)
    expect(row.locator("[data-key^=change]")).to_have_count(0)
    form, said, history = page.locator(".alert-form"), page.locator(".alert-said"), page.locator(".card").last
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        name = f"{language}-{width}"
        fill_in(dashboard, name, column)
        expect(said).to_contain_text(saved.format(name))
        expect(history.get_by_role("row").filter(has_text=name)).to_contain_text("3 events in 1h, more than 2")
        page.locator(f'[data-key="change {name}"]').click()
        form.locator("[name=bound]").fill("5")
        form.locator("[type=submit]").click()
        expect(page.get_by_role("row").filter(has_text="events in 1h > 5")).to_contain_text(name)
        page.locator(f'[data-key="test {name}"]').click()
        expect(said).to_contain_text(tested)
        expect(history.get_by_role("row").filter(has_text=name).first).to_contain_text("3 events in 1h")
        fits(dashboard)
        page.locator(f'[data-key="remove {name}"]').click()
        page.get_by_role("dialog").locator(".button").last.click()
        expect(said).to_contain_text(deleted.format(name))
        expect(page.locator(f'[data-key="remove {name}"]')).to_have_count(0)
