"""One view that fails for half an hour stands first in ``ingestd problems``, on every store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.e2e import incident
from tests.e2e.daemon import Daemon, free_port, ingestd
from tests.e2e.servers import SearchServer
from tests.waiting import wait_until

PERIOD = {"since": "2026-11-13T00:00:00Z", "until": "2026-11-20T00:00:00Z"}
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
    "visitors": 0,
    "mark": None,
}
ITEM = {
    "title": "KeyError in items.views.item: <n>",
    "count": 7,
    "first_seen": "2026-10-31T09:00:00.000Z",
    "last_seen": "2026-11-29T09:00:00.000Z",
    "state": "open",
    "new": False,
}


def sent() -> list[dict[str, Any]]:
    """Return the errors of the week of the incident, and the first and the last of all."""
    errors = [event for event in incident.events() if event["level"] == "ERROR"]
    week = [event for event in errors if "2026-11-13" <= event["@timestamp"] < "2026-11-20"]
    return [*errors[:1], *week, *errors[-2:]]


def check(folder: Path, delivered: Callable[[], None], *arguments: str) -> None:
    """Assert that the incident is first in the API and the command, then resolve it, and see it so."""
    events = sent()
    with Daemon(folder, "--port", str(free_port()), *arguments) as daemon:
        daemon.send(events)
        daemon.wait_for_delivery(len(events))
        delivered()
        with urlopen(f"{daemon.url}/api/problems?{urlencode(PERIOD)}") as answer:
            of_page = json.load(answer)["problems"]
        options = [f"--{name}={value}" for name, value in PERIOD.items()]
        list_problems = ["problems", *options, "--json", *arguments]
        first, second = json.loads(ingestd(daemon.data_dir, *list_problems))
        assert [first, second] == of_page
        assert sum(first.pop("sparkline")) == incident.FAILURES
        assert first == CHECKOUT
        assert {name: second[name] for name in ITEM} == ITEM
        ingestd(daemon.data_dir, "problems", "resolve", first["problem"], "--note", "redis is back")
        first, second = json.loads(ingestd(daemon.data_dir, *list_problems))
        assert (first["state"], first["mark"]["note"], second["state"]) == ("resolved", "redis is back", "open")


def test_the_incident_stands_first_in_the_built_in_store(tmp_path: Path) -> None:
    check(tmp_path, lambda: None)


@pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3", "opensearch-3.8.0"], indirect=True)
def test_the_incident_stands_first_on_a_server(clean_search_server: SearchServer, tmp_path: Path) -> None:
    server, expected = clean_search_server, len(sent())

    def delivered() -> None:
        wait_until(lambda: server.count("logstash-*") == expected, "all events to be searchable")

    check(tmp_path, delivered, "--elasticsearch", server.url)
