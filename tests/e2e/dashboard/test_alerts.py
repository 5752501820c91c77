"""The tab "Alerts": a rule made from a query of the logs, its preview, test, muting, states and history."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.daemon import Daemon
from tests.e2e.dashboard.browser import Contexts
from tests.e2e.dashboard.screens import OpenPage, Pages, on_every_screen
from tests.waiting import wait_until

_PROGRAM = "import pathlib, sys; pathlib.Path(sys.argv[1]).open('ab').write(sys.stdin.buffer.read())"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a channel, and three errors of just now."""
    folder = tmp_path_factory.mktemp("alerts")
    program = json.dumps([sys.executable, "-c", _PROGRAM, str(folder / "ran")])
    settings = folder / "ingestd.toml"
    settings.write_text(
        '[alerts]\ninterval = "200ms"\nlag = "0s"\nmax_notifications = 0\n'
        f'[alerts.channels.pager]\ntype = "command"\ncommand = {program}\n[alerts.rules.of-the-file]\nabove = 1000\n'
    )
    with Daemon(folder, "--settings", str(settings), workers="1") as daemon:
        time = dt.datetime.now(dt.UTC).isoformat()
        event = {"@timestamp": time, "level": "ERROR", "message": "no"}
        daemon.send([event | {"duration_ms": 100 * number} for number in (1, 2, 3)])
        daemon.wait_for_delivery(3)
        yield daemon


@pytest.fixture(scope="module")
def pages(contexts: Contexts, daemon: Daemon) -> Iterator[Pages]:
    pages = Pages(contexts, daemon.url, "alerts")
    yield pages
    pages.close()


def notified(daemon: Daemon, alert: str) -> list[str]:
    """Return what the channel was notified of about an alert."""
    file = daemon.data_dir.parent / "ran"
    lines = file.read_text().splitlines() if file.exists() else []
    return [found["state"] for found in map(json.loads, lines) if found["alert"] == alert]


def fields(form: Locator, **texts: str) -> None:
    """Fill in fields of the form."""
    for name, text in texts.items():
        form.locator(f"[name={name}]").fill(text)


WORDS = {  # language: what fires, what was measured then
    "en": ("events in 1 h > 2", "3 events in 1 h, more than 2"),
    "ko": ("1시간 동안 이벤트 수 2 초과", "1시간 동안 이벤트 3건(2 초과)"),
}


@on_every_screen
def test_from_a_query_to_a_notification(daemon: Daemon, page: OpenPage) -> None:
    name = f"errors-{page.screen}"
    fires, measured = WORDS[page.screen.language]
    page.go("q=level:ERROR").button("quick.alert").click()
    form, said = page.page.locator(".alert-form"), page.page.locator(".alert-said")
    expect(form.locator("[name=query]")).to_have_value("level:ERROR")
    fields(form, name=name, window="1h", bound="2")
    page.button("alerts.preview").click()
    in_days = page.text("alerts.preview.times", span=page.text("unit.d", n=3), n="@").partition("@")[0]
    expect(page.page.locator(".alert-preview")).to_contain_text(in_days.strip())
    assert page.fits
    page.shot("form", full=True)
    page.button("alerts.save").click()
    expect(said).to_have_text(page.text("alerts.saved", name=name))
    row = page.page.get_by_role("row").filter(has=page.page.locator(f'[data-key="test {name}"]'))
    expect(row).to_contain_text(fires)
    expect(row).to_contain_text(page.text("alerts.state.firing"))
    expect(row).to_contain_text(measured)
    history = page.region("alerts.history").get_by_role("row").filter(has_text=name)
    expect(history).to_contain_text(measured)
    wait_until(lambda: notified(daemon, name) == ["firing"], "the channel to be notified")
    page.button("alerts.test.label", name=name).click()
    expect(said).to_have_text(page.text("alerts.tested", names="pager"))
    assert notified(daemon, name) == ["firing", "test"]
    page.button("alerts.mute.label", name=name).click()
    expect(row).to_contain_text(page.text("alerts.muted.until", time="@").strip("@"))
    assert page.fits
    page.button("alerts.unmute.label", name=name).click()
    expect(page.button("alerts.mute.label", name=name)).to_be_visible()
    page.button("alerts.change.label", name=name).click()
    fields(form, bound="5")
    page.button("alerts.save").click()
    expect(row).to_contain_text(fires.replace("2", "5"))
    expect(row).to_contain_text(page.text("alerts.state.ok"))
    expect(history).to_have_count(2)
    expect(history.first).to_contain_text(page.text("alerts.state.resolved"))
    wait_until(lambda: notified(daemon, name)[2:] == ["resolved"], "the channel to be notified")
    assert page.fits
    page.shot("list", full=True)
    page.button("alerts.remove.label", name=name).click()
    page.page.get_by_role("dialog").locator(".button").last.click()
    expect(said).to_have_text(page.text("alerts.deleted", name=name))
    expect(row).to_have_count(0)


KINDS: dict[str, tuple[dict[str, str], dict[str, object], tuple[str, str], tuple[str, str]]] = {
    # type: fields, what is kept besides them, when it fires and what was measured, in English and Korean
    "count": (
        {"query": "level:ERROR", "bound": "1000"},
        {"above": 1000},
        ("events in 1 h > 1,000", "1시간 동안 이벤트 수 1,000 초과"),
        ("3 events in 1 h, bound 1,000", "1시간 동안 이벤트 3건(기준값 1,000)"),
    ),
    "rate": (
        {"bound": "0.5", "resolve": "0.1", "evaluations": "2"},
        {"above": 0.5, "resolve": 0.1, "evaluations": 2},
        ("events/s in 1 h > 0.5", "1시간 동안 초당 이벤트 수 0.5 초과"),
        ("0.0008333 events/s in 1 h, bound 0.5", "1시간 동안 초당 이벤트 0.0008333건(기준값 0.5)"),
    ),
    "change": (
        {"bound": "3", "minimum": "2"},
        {"above": 3, "minimum": 2},
        ("ratio of events in 1 h to those before > 3", "1시간 동안 이벤트 수의 직전 기간 대비 배수 3 초과"),
        ("3 times as many events as before in 1 h, bound 3", "1시간 동안 이벤트 수가 직전 기간의 3배(기준값 3)"),
    ),
    "metric": (
        {"metric": "p95:duration_ms", "bound": "800"},
        {"above": 800},
        ("p95:duration_ms in 1 h > 800", "1시간 동안 p95:duration_ms 800 초과"),
        ("p95:duration_ms is 290 in 1 h, bound 800", "1시간 동안 p95:duration_ms 290(기준값 800)"),
    ),
    "new_problem": (
        {"query": "level:FATAL"},
        {},
        ("a new problem in 1 h", "1시간 동안 새 문제 발생"),
        ("0 new problems in 1 h", "1시간 동안 새 문제 0건"),
    ),
    "silence": (
        {},
        {},
        ("no event in 1 h", "1시간 동안 이벤트 없음"),
        ("3 events in 1 h", "1시간 동안 이벤트 3건"),
    ),
}
DELETE = """async (names) => {
    const { order } = await import("./static/api.js");
    for (const name of names) await order(`alerts/${name}/delete`, {});
}"""


@on_every_screen
def test_each_kind_of_rule(daemon: Daemon, page: OpenPage) -> None:
    """It is filled in, previewed and saved; then the list says what was measured."""
    page.go("tab=alerts")
    korean = page.screen.language == "ko"
    form, names = page.page.locator(".alert-form"), {kind: f"{kind}-{page.screen}" for kind in KINDS}
    for kind, (texts, kept, *_) in KINDS.items():
        page.button("alerts.new").click()
        form.locator("[name=type]").select_option(kind)
        fields(form, name=names[kind], window="1h", **texts)
        page.button("alerts.preview").click()
        expect(page.page.locator(".alert-bars")).to_be_visible()
        page.button("alerts.save").click()
        expect(page.page.locator(".alert-said")).to_have_text(page.text("alerts.saved", name=names[kind]))
        rows = {row["alert"]: row for row in json.loads(daemon.get("/api/alerts"))["alerts"]}
        written = {key: text for key, text in texts.items() if key in {"query", "metric"}}
        type_ = {} if kind == "count" else {"type": kind}
        assert rows[names[kind]]["settings"] == {"window": "1h"} | type_ | written | kept
    for kind, (_, _, fires, measured) in KINDS.items():
        row = page.page.get_by_role("row").filter(has=page.page.locator(f'[data-key="test {names[kind]}"]'))
        expect(row).to_contain_text(fires[korean])
        expect(row).to_contain_text(measured[korean])
    assert page.fits
    page.shot("kinds", full=True)
    page.page.evaluate(DELETE, [*names.values()])


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


def fill_in(page: OpenPage, name: str) -> None:
    """Make an alert in the form, after each mistake in turn."""
    form, column = page.page.locator(".alert-form"), page.text("alerts.column", n=7)
    page.button("alerts.new").click()
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
            page.shot("mistake", full=True)
            assert page.fits
        form.locator(f"[name={field}]").fill(good)
    form.locator("[type=submit]").click()


@on_every_screen
def test_mistakes_in_the_form(page: OpenPage) -> None:
    page.go("tab=alerts")
    row = page.page.get_by_role("row").filter(has_text="of-the-file")
    expect(row).to_contain_text(page.text("alerts.file"))
    expect(row.locator("[data-key^=change]")).to_have_count(0)
    name = f"mistakes-{page.screen}"
    fill_in(page, name)
    expect(page.page.locator(".alert-said")).to_have_text(page.text("alerts.saved", name=name))
    page.page.evaluate(DELETE, [name])
