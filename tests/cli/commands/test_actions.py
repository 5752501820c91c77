"""``ingestd actions``: what commands and the page put into the action log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ingestd.action_log import Action, ActionLog
from ingestd.cli.main import main
from ingestd.stores.local import LocalWriter, store_root


def run(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--data-dir", str(data)], prog_name="ingestd")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUDO_USER", "mina")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.7 50000 192.0.2.1 22")
    writer = LocalWriter(store_root(tmp_path / "data"), "w0")
    writer.append("logstash-2019.05.15", [b'{"message":"x"}'], ["1"])
    writer.close()
    return tmp_path / "data"


def test_commands_are_logged_with_who_from_where_and_what_came_of_it(data: Path, tmp_path: Path) -> None:
    location = str(tmp_path / "repository")
    commands = [  # arguments, exit code
        (("prune", "--dry-run"), 0),
        (("repository", "add", "disk", "--type", "fs", "--location", location), 0),
        (("backup", "create", "2019.05.15"), 0),
        (("backup", "create", "2018.05.15"), 1),
        (("restore", "2019.05.15", "--rename", "restored-"), 0),
        (("restore", "2018.05.15"), 1),
        (("prune", "--max-age", "7d"), 0),
        (("repository", "remove", "disk"), 0),
        (("problems", "resolve", "3f9c2ab01d77", "--note", "fixed in 2.4"), 0),
    ]
    for arguments, code in commands:
        done = run(data, *arguments)
        assert done.exit_code == code, (arguments, done.output)
    found = json.loads(run(data, "actions", "--json").stdout)[::-1]
    assert [(entry["action"], entry.get("target"), entry["outcome"]) for entry in found] == [
        ("repository.add", "disk", "done"),
        ("index.backup", "2019-05-15", "done"),
        ("index.backup", "2018-05-15", "failed"),
        ("restore", "2019-05-15", "done"),
        ("restore", "2018-05-15", "failed"),
        ("prune", "logstash-*", "done"),
        ("repository.remove", "disk", "done"),
        ("problems.resolve", "3f9c2ab01d77", "done"),
    ]
    assert {(entry["by"], entry["user"], entry["address"]) for entry in found} == {("cli", "mina", "192.0.2.7")}
    assert found[5]["text"] == "deleted: logstash-2019.05.15"
    table = run(data, "actions", "-n", "1").stdout
    assert "mina at the command line, 192.0.2.7  problems.resolve  3f9c2ab01d77  done     fixed in 2.4" in table


def test_actions_of_the_page(tmp_path: Path) -> None:
    log = ActionLog(tmp_path)
    for number, by in enumerate(("session", "token", "page")):
        time = f"2026-11-19T10:00:0{number}Z"
        log.add(Action(str(number), time, "indices.delete", "x", by, "", "192.0.2.7", "started"))
    lines = run(tmp_path, "actions").stdout.splitlines()
    whos = ("page without password", "token", "signed in at the page")
    assert [who in line for who, line in zip(whos, lines[1:], strict=True)] == [True] * 3


def test_nothing_yet(tmp_path: Path) -> None:
    assert run(tmp_path, "actions").output == "nothing was done by hand yet\n"
