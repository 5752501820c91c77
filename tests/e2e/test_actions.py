"""Manual actions of the dashboard: back up, delete and restore an index, over HTTP, on the built-in store."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.test_scheduler import EVENTS, indices, name, put
from tests.waiting import WAIT_SECONDS, today, wait_until


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    today()
    data = tmp_path / "data"
    for days_ago in (0, 1, 2):
        put(data, days_ago)
    ingestd(data, "repository", "add", "disk", "--type", "fs", "--location", str(tmp_path / "repository"))
    with Daemon(tmp_path, workers="1", schedule_cron="off") as running:
        yield running


def start(daemon: Daemon, path: str, body: Any = None, **headers: str) -> Any:
    """Start a manual action; returns the status and the response."""
    if not headers:
        headers = {"X-CSRF-Token": json.loads(daemon.get("/api/session"))["csrf"]}
    data = json.dumps(body).encode() if body is not None else b""
    request = urllib.request.Request(f"{daemon.url}/api/{path}", data, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
            return answer.status, json.loads(answer.read())["action"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())["error"]["message"]


def action(daemon: Daemon) -> Any:
    return json.loads(daemon.get("/api/actions"))["action"]


def done(daemon: Daemon, path: str, body: dict[str, Any] | None = None) -> tuple[str, str]:
    """Start an action and wait for its end; returns state and message."""
    status, found = start(daemon, path, body)
    assert (status, found["state"]) == (202, "running")
    wait_until(lambda: action(daemon)["state"] != "running", f"the end of {path}")
    ended = action(daemon)
    assert ended["ended"] >= ended["started"]
    return ended["state"], ended["message"]


def test_back_up_delete_restore(daemon: Daemon) -> None:
    data, index = daemon.data_dir, name(1)
    assert action(daemon) is None
    state, message = done(daemon, f"indices/{index}/delete")
    assert (state, message) == ("failed", f"{index} stays: it is not backed up")
    assert index in indices(data)
    state, message = done(daemon, f"indices/{index}/backup")
    assert state == "done"
    assert message.startswith(f"{index} is backed up: {index}-")
    shown = {entry["index"]: entry["backup"] for entry in json.loads(daemon.get("/api/indices"))["indices"]}
    assert shown[index]["repository"] == "disk"
    assert done(daemon, f"indices/{index}/delete") == ("done", f"{index} is deleted")
    assert index not in indices(data)
    day = index.removeprefix("logstash-")
    assert done(daemon, "restore", {"day": day}) == ("done", f"{index}: {EVENTS} events")
    assert index in indices(data)
    state, message = done(daemon, "restore", {"day": day})
    assert state == "failed"
    assert "already exists" in message
    assert done(daemon, "restore", {"day": day, "rename": "restored-"})[0] == "done"
    assert f"restored-{index}" in indices(data)
    assert done(daemon, f"indices/{name(2)}/delete", {"force": True})[0] == "done"
    assert json.loads(daemon.get("/api/status"))["action"]["kind"] == "delete"
    assert [entry["level"] for entry in daemon.problems()] == ["WARNING"] * 2
    _check_action_log(daemon, index)


def _check_action_log(daemon: Daemon, index: str) -> None:
    """Each of them is in the action log, with who, from where, and what came of it."""

    def logged() -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(daemon.get("/api/action_log"))["actions"]
        return found

    wait_until(lambda: all(entry["outcome"] != "started" for entry in logged()), "the last end to be logged")
    shown = [(entry["action"], entry["outcome"], entry.get("by"), entry.get("address")) for entry in logged()]
    page = ("page", "127.0.0.1")
    assert shown[::-1] == [
        ("repository.add", "done", "cli", None),
        ("indices.delete", "failed", *page),
        ("indices.backup", "done", *page),
        ("indices.delete", "done", *page),
        ("restore", "done", *page),
        ("restore", "failed", *page),
        ("restore", "done", *page),
        ("indices.delete", "done", *page),
    ]
    assert logged()[-2]["text"] == f"{index} stays: it is not backed up"
    printed = json.loads(ingestd(daemon.data_dir, "actions", "--json"))
    assert printed == logged()
    assert printed[-1]["user"]


WRONG: list[tuple[str, Any, int, str]] = [  # path, body, status, what is said
    ("restore", {}, 400, "day must be a date"),
    ("restore", {"day": "2019-02-30"}, 400, "day must be a date"),
    ("restore", {"day": "2019-02-01", "all": True}, 400, "the body is not valid"),
    ("indices/x/delete", [], 400, "the body is not valid"),
]


def test_what_is_refused(daemon: Daemon) -> None:
    for path, body, status, said in WRONG:
        found, message = start(daemon, path, body)
        assert (found, said in message) == (status, True), message
    found, message = start(daemon, f"indices/{name(1)}/delete", {"force": True}, Accept="application/json")
    assert (found, "X-CSRF-Token" in message) == (403, True)
    assert action(daemon) is None
    unknown = {
        "indices/..%2F..%2Fdata/delete": "there is no index ../../data",
        "indices/..%2F..%2Frepository/backup": "there is no index ../../repository",
        "indices/nothing/backup": "there is no index nothing",
    }
    for path, said in unknown.items():
        assert done(daemon, path, {"force": True}) == ("failed", said)
    assert done(daemon, "restore", {"day": "2019-02-01"}) == ("failed", "there is no backup of 2019-02-01")
    assert indices(daemon.data_dir) == [name(2), name(1), name(0)]


def test_a_reload_leaves_an_action_alone(daemon: Daemon, tmp_path: Path) -> None:
    put(daemon.data_dir, 3, 2_000_000)  # 100 MB
    assert start(daemon, f"indices/{name(3)}/backup")[0] == 202
    wait_until(lambda: list((tmp_path / "repository").rglob("files/*")), "the first file")
    ingestd(daemon.data_dir, "reload")
    wait_until(lambda: action(daemon)["state"] != "running", "the end of the backup")
    assert (action(daemon)["state"], action(daemon)["index"]) == ("done", name(3))


def test_a_stop_of_the_daemon_interrupts_an_action(daemon: Daemon, tmp_path: Path) -> None:
    put(daemon.data_dir, 3, 2_000_000)  # 100 MB
    assert start(daemon, f"indices/{name(3)}/backup")[0] == 202
    assert start(daemon, f"indices/{name(1)}/backup") == (409, "another action is running; wait until it has ended")
    wait_until(lambda: list((tmp_path / "repository").rglob("files/*")), "the first file")
    daemon.stop()
    assert indices(daemon.data_dir)[0] == name(3)
    refused, interrupted = json.loads(ingestd(daemon.data_dir, "actions", "--json"))[:2]
    assert (refused["outcome"], refused["text"]) == ("failed", "another action is running; wait until it has ended")
    assert (interrupted["outcome"], interrupted["text"]) == ("failed", "it was interrupted; start it again")
    assert ingestd(daemon.data_dir, "backup", f"{today()}").startswith("SNAPSHOT")  # the lock is free
