"""The page "Problems": one view that fails stands first; it is looked at, resolved, and comes back."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e import incident
from tests.e2e.daemon import Daemon, free_port
from tests.e2e.dashboard.browser import Dashboard
from tests.e2e.dashboard.conftest import Open
from tests.waiting import wait_until

CHECKOUT = "ConnectionError in orders.views.checkout"
PERIOD = "from=2026-11-13T00:00:00.000Z&to=2026-11-20T00:00:00.000Z"
TALL, PHONE = {"width": 1440, "height": 1000}, {"width": 390, "height": 844}
LANGUAGES = {  # language: open, resolved, muted, came back
    "en-US": ("Open 2", "resolved", "muted", "came back"),
    "ko-KR": ("미해결 2", "해결됨", "숨김", "다시 발생"),
}
FACTS = {  # language: where and when the first problem was seen, by whom
    "en-US": ("first 2026-11-19 14:00, last 2026-11-19 14:28:59", "48 visitors", "48 events over time"),
    "ko-KR": ("처음 2026-11-19 14:00, 마지막 2026-11-19 14:28:59", "방문자 48명", "시간별 이벤트 48건"),
}
VIEWS = [
    pytest.param(locale, viewport, id=f"{locale[:2]}-{viewport['width']}")
    for locale in LANGUAGES
    for viewport in (TALL, PHONE)
]


def errors() -> list[dict[str, Any]]:
    """Return the records of the incident that are errors, and a request before it of the last visitor who met it."""
    first = incident.INCIDENT - dt.timedelta(minutes=1)
    stamp = first.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    before = {"@timestamp": stamp, "@version": "1", "level": "INFO", "message": "GET /cart/ 200", "host": "web2"}
    before["client_ip"] = f"203.0.113.{incident.FAILURES - 1}"
    return [before, *(event for event in incident.events() if event["level"] == "ERROR")]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    sent = errors()
    with Daemon(tmp_path_factory.mktemp("problems"), "--port", str(free_port())) as daemon:
        daemon.send(sent)
        daemon.wait_for_delivery(len(sent))
        yield daemon


def lines(page: Dashboard) -> Locator:
    return page.page.locator(".problem-line")


def send(daemon: Daemon, events: list[dict[str, Any]]) -> None:
    """Send more events, whichever tests have sent some before, and wait for them."""
    names = ("ingestd_delivered_events_total", "ingestd_duplicate_events_total")
    before = int(sum(map(daemon.metric, names)))
    daemon.send(events)
    daemon.wait_for_delivery(before + len(events))


def no_sideways_scroll(page: Dashboard) -> bool:
    return bool(page.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


@pytest.mark.parametrize(("locale", "viewport"), VIEWS)
def test_the_incident_stands_first(daemon: Daemon, visit: Open, locale: str, viewport: dict[str, int]) -> None:
    opened = LANGUAGES[locale][0]
    page = visit(daemon.url, f"tab=problems&{PERIOD}", locale=locale, viewport=viewport)
    expect(lines(page)).to_have_count(2)
    expect(lines(page).first.locator(".problem-title")).to_contain_text(CHECKOUT)
    expect(lines(page).first.locator(".problem-count b")).to_have_text("48")
    seen, visitors, over = FACTS[locale]
    where = f"{seen} · ERROR · /checkout/ · web1, web2"
    expect(lines(page).first.locator(".problem-where")).to_have_text(where)
    expect(lines(page).first.locator(".problem-count .muted")).to_have_text(visitors)
    expect(lines(page).first.get_by_role("img", name=over).locator("rect")).to_have_count(1)  # all in one interval
    expect(lines(page).last.locator(".sparkline rect")).to_have_count(7)
    expect(lines(page).first.locator("[data-mark='new']")).to_be_visible()
    expect(page.page.locator(".segment[data-state='open']")).to_have_text(opened)
    assert no_sideways_scroll(page)
    page.shot("list")
    lines(page).first.locator(".problem-title").click()
    page.settled()
    expect(page.page.locator(".problem-heading")).to_contain_text(CHECKOUT)
    expect(page.page.locator(".problem .stack")).to_contain_text("orders/views.py")
    expect(page.page.locator(".problem .frames").first).to_be_visible()
    latest, before = page.page.locator(".problem-events").all()
    expect(latest.locator("li")).to_have_count(10)
    expect(latest.locator("li").first).to_contain_text("ERROR")
    expect(before.locator("li").last).to_contain_text("GET /cart/ 200")
    assert no_sideways_scroll(page)
    page.shot("problem", full=True)
    decide_in_turn(page, locale, note=f"note of {locale} {viewport['width']}")


def decide_in_turn(page: Dashboard, locale: str, note: str) -> None:
    """Mute, reopen and resolve the problem that is shown, each with a note; the last is there after a reload, too."""
    _, resolved, muted, _ = LANGUAGES[locale]
    shown = page.page.locator(".problem [data-mark]:not([data-mark='new'])")
    for action, badge in (("mute", muted), ("reopen", ""), ("resolve", resolved)):
        page.page.locator(".problem-decide input").fill(f"{action}: {note}")
        page.page.locator(f".problem-decide [data-action='{action}']").click()
        expect(page.page.locator(".problem-facts")).to_contain_text(f"{action}: {note}")
        expect(shown).to_have_text([badge] if badge else [])
        assert no_sideways_scroll(page)
    page.page.reload()
    page.settled()
    expect(page.page.locator(".problem-facts")).to_contain_text(f"resolve: {note}")
    expect(shown).to_have_text([resolved])
    page.shot("resolved", full=True)
    page.page.locator("[data-action='reopen']").click()
    expect(page.page.locator("[data-action='resolve']")).to_be_visible()


def test_a_problem_is_resolved_and_came_back(daemon: Daemon, visit: Open) -> None:
    page = visit(daemon.url, f"tab=problems&{PERIOD}")
    row = lines(page).filter(has_text="KeyError in items.views.item")
    row.locator(".problem-title").press("Enter")
    page.settled()
    page.page.get_by_label("Note").fill("the item is gone")
    page.page.get_by_role("button", name="Resolve").click()
    expect(page.page.locator(".problem-facts")).to_contain_text("the item is gone")
    expect(page.page.locator(".problem [data-mark='resolved']")).to_be_visible()
    page.page.get_by_role("link", name="All problems").click()
    page.settled()
    expect(lines(page)).to_have_count(1)
    page.page.locator(".segment[data-state='resolved']").click()
    page.settled()
    expect(lines(page)).to_have_count(1)
    page.shot("resolved")
    now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    (again,) = [event for event in incident.events() if "/items/700/" in str(event) and "stack_trace" in event]
    send(daemon, [again | {"@timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z")}])
    for locale, viewport in (("en-US", TALL), ("ko-KR", PHONE)):
        page = visit(daemon.url, f"tab=problems&{PERIOD}", locale=locale, viewport=viewport)
        expect(lines(page)).to_have_count(2)
        expect(page.page.locator("[data-mark='regressed']")).to_have_text(LANGUAGES[locale][3])
        page.shot(f"regressed-{locale}")
    actions = [(action["action"], action["by"], action["text"]) for action in daemon_actions(daemon)]
    assert ("problems.resolve", "page", "note=the item is gone") in actions


def daemon_actions(daemon: Daemon) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(daemon.get("/api/action_log"))["actions"]
    return found


def test_an_unknown_problem(daemon: Daemon, visit: Open) -> None:
    """It was typed, or its events were deleted meanwhile: the page says so, and the API that there is none."""
    page = visit(daemon.url, f"tab=problems&problem=nosuch&{PERIOD}")
    expect(page.page.locator(".problem")).to_contain_text("Not seen in this period")
    order = """async () => {
        const { order } = await import("./static/api.js");
        return order("problems/nosuch/mute", {}).then(() => null, (error) => [error.status, error.message]);
    }"""
    status, message = page.page.evaluate(order)
    assert (status, "there is no problem 'nosuch'" in message) == (404, True)


def test_what_came_before_and_the_way_into_logs(daemon: Daemon, visit: Open) -> None:
    """What was searched for is marked in the trace, in the latest events and in those before."""
    page = visit(daemon.url, f"tab=problems&q=order+OR+%22connection+refused%22+OR+cart&{PERIOD}")
    title = lines(page).filter(has_text=CHECKOUT).locator(".problem-title")
    expect(title.locator("mark")).to_have_text(["order", "Connection refused", "order"])
    title.click()
    page.settled()
    expect(page.page.locator(".problem-heading mark")).to_have_text(["order", "Connection refused", "order"])
    before = page.page.get_by_role("region", name="Before the latest event")
    expect(before.locator("li mark").first).to_have_text("cart")
    latest = page.page.get_by_role("region", name="Latest events")
    expect(latest.locator("li").first.locator("mark")).to_have_text(["Connection refused", "order"])
    expect(page.page.locator(".problem .stack mark").last).to_have_text("order")
    page.page.get_by_role("link", name="All in Logs").click()
    page.settled()
    assert page.total == incident.FAILURES


def test_what_happened_around_a_match_has_it_marked(daemon: Daemon, visit: Open) -> None:
    page = visit(daemon.url, f"q=refused&{PERIOD}")
    page.rows.first.locator(".open").click()
    page.page.get_by_role("button", name="Surrounding events").click()
    page.settled()
    expect(page.page.locator("tr.row.centre mark")).to_have_text("refused")
    assert page.rows.count() > 1
    page.open(page.state)
    expect(page.page.locator("tr.row.centre mark")).to_have_text("refused")
    page.ask("checkout")
    assert "sought" not in page.state


def test_only_the_most_frequent_problems_are_listed(daemon: Daemon, visit: Open) -> None:
    """Of a day with 201 problems, which no other test looks at."""
    day = "2026-10-01T05:00:00.000Z"
    many = [{"@timestamp": day, "level": "ERROR", "message": "x", "problem": f"p{number}"} for number in range(201)]
    send(daemon, [*many, many[7]])
    period = "since=2026-10-01T00:00:00Z&until=2026-10-02T00:00:00Z"

    def most() -> list[tuple[str, int]]:
        found = json.loads(daemon.get(f"/api/problems?n=200&{period}"))["problems"]
        return [(problem["problem"], problem["count"]) for problem in found]

    wait_until(lambda: len(most()) == 200, "the problems to be listed")
    assert most()[0] == ("p7", 2)
    page = visit(daemon.url, "tab=problems&from=2026-10-01T00:00:00.000Z&to=2026-10-02T00:00:00.000Z")
    expect(lines(page)).to_have_count(200)
    note = page.page.locator(".problems > p")
    expect(note).to_contain_text("Only the 200 most frequent problems of this period are listed")
    page.open(f"tab=problems&{PERIOD}")
    expect(note).to_be_hidden()


def test_a_period_without_problems(daemon: Daemon, visit: Open) -> None:
    page = visit(daemon.url, "tab=problems&from=2026-01-01T00:00:00.000Z&to=2026-01-02T00:00:00.000Z")
    expect(page.page.locator(".problem-list")).to_have_text("No open problems in this period.")
