"""The tab "Alerts": a rule made from a query of the logs, its preview, test, muting, states and history."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.e2e.daemon import Daemon
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
    """Return what the channel was notified of."""
    file = daemon.data_dir.parent / "ran"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(found["state"], found["alert"]) for found in map(json.loads, lines)]


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


def test_mistakes_are_named_and_rules_of_the_file_cannot_be_changed(daemon: Daemon, visit: Open) -> None:
    page = visit(daemon.url, "tab=alerts").page
    row = page.get_by_role("row").filter(has_text="of-the-file")
    expect(row).to_contain_text("in the settings file")
    expect(row.get_by_role("button", name="Edit")).to_have_count(0)
    page.get_by_role("button", name="New alert").click()
    page.get_by_label("Name (letters, digits, _ and -)").fill("of-the-file")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("of-the-file is in the settings file: change it there")
    page.get_by_label("Query; empty: all events").fill("level:(ERROR")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("alert")).to_contain_text("character 7")
