"""The word that rises tenfold is the first of those that rise, and the view that fails the first problem.

In the command and the API on each store, and in the page on servers; ``test_words.py`` and ``test_problems.py`` have
the rest of the page, on the built-in store.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import expect

from tests.e2e import incident
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.dashboard.conftest import Open
from tests.e2e.servers import SearchServer
from tests.waiting import wait_until

LAST_DAYS = ("--since", incident.SINCE, "--until", incident.UNTIL)
RISING = {"word": incident.RISING, "count": 90, "share": 0.25, "previous": 9, "change": 9.0}

INCIDENT_WEEK = {"since": "2026-11-13T00:00:00Z", "until": "2026-11-20T00:00:00Z"}
CHECKOUT = {
    "problem": "25cd21aac86c",
    "title": "ConnectionError in orders.views.checkout: Error <n> connecting to <ip>. Connection refused for order <n>",
    "count": incident.FAILURES,
    "first_seen": "2026-11-19T05:00:00.000Z",
    "last_seen": "2026-11-19T05:28:59.000Z",
    "state": "open",
    "new": True,
    "regressed": False,
    "levels": ["ERROR"],
    "paths": ["/checkout/"],
    "hosts": ["web1", "web2"],
    "visitors": incident.FAILURES,
    "mark": None,
}
ITEM = {
    "title": "KeyError in items.views.item: <n>",
    "count": 7,
    "first_seen": "2026-10-31T09:00:00.000Z",
    "last_seen": "2026-11-29T09:00:00.000Z",
    "visitors": 7,
    "state": "open",
    "new": False,
}


ECS = {
    "@timestamp": "2026-10-05T10:00:00.000Z",
    "log": {"level": "error"},
    "host": {"name": "web9"},
    "url": {"path": "/pay/"},
    "client": {"ip": "203.0.113.9"},
    "message": "no answer from the bank",
}
"""An error in the Elastic Common Schema; it keeps its names."""

ECS_DAY = {"since": "2026-10-05T00:00:00Z", "until": "2026-10-06T00:00:00Z"}
ECS_DETAILS = {"levels": ["ERROR"], "paths": ["/pay/"], "visitors": 1}


def check_words(daemon: Daemon, *store: str) -> None:
    """Make sure that the command and the API agree about the words of the last days."""
    command = ("words", *LAST_DAYS, "--json", *store)
    lists = {name: json.loads(ingestd(daemon.data_dir, *command, "--list", name)) for name in ("top", "rising", "new")}
    report = json.loads(daemon.get(f"/api/words?since={incident.SINCE}&until={incident.UNTIL}"))
    for name, words in (("top", report["words"]), ("rising", report["rising"]), ("new", report["new"])):
        assert lists[name] == [{key: word[key] for key in word if key != "series"} for word in words]
    assert lists["rising"][0] == RISING | {"rank": 1, "previous_rank": 6}
    assert [word["word"] for word in lists["new"]] == [incident.STARTED]
    assert [word["word"] for word in report["fallen"]] == [incident.FALLEN]
    assert report["without_results"]["words"] == [{"word": incident.NOT_FOUND, "count": 6}]
    check_words_with_a_text(daemon, report)


def check_words_with_a_text(daemon: Daemon, report: dict[str, Any]) -> None:
    """Make sure that a text only chooses which words of a report are listed; it is a part of words here."""
    period = {"since": incident.SINCE, "until": incident.UNTIL}
    found = json.loads(daemon.get(f"/api/words?{urlencode(period | {'find': '붕어'})}"))
    for name in ("words", "rising", "new", "fallen"):
        assert found[name] == [word for word in report[name] if "붕어" in word["word"]]
    assert [word["word"] for word in found["words"]] == [incident.RISING, incident.NOT_FOUND]
    totals = ("total", "distinct", "previous_total", "previous_distinct", "without_results")
    assert {name: found[name] for name in totals} == {name: report[name] for name in totals}
    assert found["matching"] == 2


def check_word(daemon: Daemon) -> None:
    """Make sure that the API knows who searches for the word, and what these visitors look for next."""
    period = f"since={incident.SINCE}&until={incident.UNTIL}&seconds=86400"
    found: dict[str, Any] = json.loads(daemon.get(f"/api/word?word={quote(incident.RISING)}&{period}"))
    assert (found["series"], found["previous_series"]) == ([30, 30, 30], [3, 3, 3])
    assert [value["value"] for value in found["countries"]["values"]] == ["KR", "JP"]
    assert [value["value"] for value in found["paths"]["values"]] == ["/search", incident.MOBILE]
    assert [near["word"] for near in found["near"]["words"]] == [incident.NEXT]


def check_problems(daemon: Daemon, *store: str, ecs_hosts: list[str]) -> None:
    """Make sure that the view that fails is first in the command and the API; then resolve it, and see it so."""
    command = ("problems", *(f"--{name}={value}" for name, value in INCIDENT_WEEK.items()), "--json", *store)
    first, second = json.loads(ingestd(daemon.data_dir, *command))
    assert [first, second] == json.loads(daemon.get(f"/api/problems?{urlencode(INCIDENT_WEEK)}"))["problems"]
    assert sum(first.pop("sparkline")) == incident.FAILURES
    assert first == CHECKOUT
    assert {name: second[name] for name in ITEM} == ITEM
    (common,) = json.loads(daemon.get(f"/api/problems?{urlencode(ECS_DAY)}"))["problems"]
    expected = ECS_DETAILS | {"hosts": ecs_hosts}
    assert {name: common[name] for name in expected} == expected
    found = json.loads(daemon.get(f"/api/top?field=log.level&q=log.level:%3E=ERROR&{urlencode(ECS_DAY)}"))["values"]
    assert found == [{"value": "error", "count": 1}]
    ingestd(daemon.data_dir, "problems", "resolve", first["problem"], "--note", "redis is back", *store)
    first, second = json.loads(ingestd(daemon.data_dir, *command))
    assert (first["state"], first["mark"]["note"], second["state"]) == ("resolved", "redis is back", "open")


def check_page(daemon: Daemon, visit: Open) -> None:
    """Make sure that the word and the view that fails are the first ones in the page, too."""
    page = visit(daemon.url, f"tab=words&from={incident.SINCE}&to={incident.UNTIL}", timezone_id="UTC")
    first = page.panel("Rising").locator("li").first
    expect(first.locator(".word-link")).to_have_text(incident.RISING)
    expect(first).to_contain_text("+900%")
    page.open(f"tab=problems&from={INCIDENT_WEEK['since']}&to={INCIDENT_WEEK['until']}")
    line = page.page.locator(".problem-line").first
    expect(line.locator(".problem-title")).to_contain_text("ConnectionError in orders.views.checkout")
    expect(line.locator(".problem-count b")).to_have_text(str(incident.FAILURES))
    page.shot("problems")


def check_all(daemon: Daemon, *store: str, ecs_hosts: list[str]) -> None:
    check_words(daemon, *store)
    check_word(daemon)
    check_problems(daemon, *store, ecs_hosts=ecs_hosts)


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return [ECS, *incident.events()]


def test_the_built_in_store(tmp_path: Path, events: list[dict[str, Any]]) -> None:
    with Daemon(tmp_path) as daemon:
        daemon.send(events)
        daemon.wait_for_delivery(len(events))
        check_all(daemon, ecs_hosts=["web9"])


@pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3", "opensearch-3.8.0"], indirect=True)
def test_servers(tmp_path: Path, events: list[dict[str, Any]], clean_search_server: SearchServer, visit: Open) -> None:
    with Daemon(tmp_path, "--elasticsearch", clean_search_server.url) as daemon:
        daemon.send(events)
        daemon.wait_for_delivery(len(events))
        wait_until(lambda: clean_search_server.count("logstash-*") == len(events), "all events to be searchable")
        check_page(daemon, visit)  # before the problem is resolved
        # OpenSearch indexes a host that is an object nowhere (ingestd.stores.elastic.template).
        ecs_hosts = [] if clean_search_server.name.startswith("opensearch") else ["web9"]
        check_all(daemon, "--store", clean_search_server.url, ecs_hosts=ecs_hosts)
