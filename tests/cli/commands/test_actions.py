"""``ingestd actions``: what commands and the page put into the action log."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from ingestd.action_log import Action, ActionLog
from ingestd.cli.main import main
from ingestd.dead_letters.reader import dead_letters_folder
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.stores.local import LocalWriter, store_root
from ingestd.web.static_files import load_files
from tests.geoip import databases as db


def run(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--data-dir", str(data)], prog_name="ingestd")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A day of the store, two dead letters, a channel of alerts, and a log to import."""
    monkeypatch.setenv("SUDO_USER", "mina")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.7 50000 192.0.2.1 22")
    settings = tmp_path / "ingestd.toml"
    settings.write_text('[alerts.channels.pager]\ntype = "command"\ncommand = ["/bin/true"]\n')
    monkeypatch.setenv("INGESTD_SETTINGS", str(settings))
    folder = tmp_path / "data"
    writer = LocalWriter(store_root(folder), "w0")
    writer.append("logstash-2019.05.15", [b'{"message":"x"}'], ["1"])
    writer.append("errors", [b'{"problem":"3f9c2ab01d77"}'], ["2"])
    writer.close()
    letters = DeadLetterWriter(dead_letters_folder(folder), 1 << 20, time.time)
    for stage in ("filter", "framing"):
        letters.add(stage=stage, reason="failed", plugin="grok_0", raw=b'{"message":"y"}\n')
    letters.close()
    (tmp_path / "app.log").write_text('{"message":"z"}\n')
    return folder


LOGGED: list[tuple[tuple[str, ...], int, str, str, str]] = [  # arguments, exit code, action, target, what came of it
    (("repository", "add", "disk", "--type", "fs", "--location", "{tmp}/backups"), 0, "repository.add", "disk", ""),
    (("backup", "create", "2019.05.15"), 0, "index.backup", "2019-05-15", "logstash-2019.05.15-"),
    (("backup", "create", "2018.05.15"), 1, "index.backup", "2018-05-15", "there is no index"),
    (
        ("restore", "2019.05.15", "--rename", "restored-"),
        0,
        "restore",
        "2019-05-15",
        "restored-logstash-2019.05.15: 1 e",
    ),
    (("restore", "2018.05.15"), 1, "restore", "2018-05-15", "2018.05.15: there is no backup"),
    (("prune", "--max-age", "7d"), 0, "prune", "logstash-*", "deleted: logstash-2019.05.15"),
    (
        ("reprocess", "--from", "2019.05.15"),
        0,
        "reprocess",
        "2019-05-15",
        "logstash-2019.05.15: 1 event read, 1 written",
    ),
    (("reprocess", "--from", "2018.05.15"), 1, "reprocess", "2018-05-15", "there is neither an index nor a backup"),
    (("repository", "remove", "disk"), 0, "repository.remove", "disk", ""),
    (("import", "{tmp}/app.log"), 0, "import", "{tmp}/app.log", "1 read, 1 stored, 0 already stored"),
    (
        ("deadletters", "purge", "--stage", "framing", "--yes"),
        0,
        "deadletters.purge",
        "stage=framing",
        "1 dead letter ",
    ),
    (("deadletters", "replay"), 0, "deadletters.replay", "all", "1 replayed, 0 dead again"),
    (("problems", "resolve", "3f9c2ab01d77", "--note", "in 2.4"), 0, "problems.resolve", "3f9c2ab01d77", "in 2.4"),
    (("problems", "mute", "3f9c2ab01d77"), 0, "problems.mute", "3f9c2ab01d77", ""),
    (("problems", "reopen", "3f9c2ab01d77"), 0, "problems.reopen", "3f9c2ab01d77", ""),
    (("alerts", "test", "pager"), 0, "alerts.test", "pager", "the test was accepted by pager"),
    (("geoip", "install", db.CITY), 0, "geoip.install", db.CITY, "location: GeoLite2-City of 2023-11-14 is installed"),
    (("geoip", "install", "https://a:b@nowhere.invalid/x?key=c"), 1, "geoip.install", "https://nowhere.invalid/x", ""),
    (("geoip", "install", "--refresh"), 1, "geoip.refresh", "", "no installed database can be downloaded again"),
    (("geoip", "remove", "location"), 0, "geoip.remove", "location", "removed: location"),
]
ASKED_OF_A_DAEMON = {"reload", "upgrade"}
"""Their entries are in tests/e2e/test_upgrade.py."""

CHANGE_NOTHING = {
    *("run", "check", "explain", "trace", "test", "migrate", "indices", "search", "top", "words", "histogram"),
    *("problems", "aggregate", "sql", "tail", "export", "doctor", "health", "alerts", "actions", "audit", "version"),
    *("config.systemd", "config.grafana", "config.default", "config.settings", "repository.list", "backup.list"),
    *("backup.verify", "alerts.history", "journal.inspect", "journal.verify", "journal.export", "deadletters.list"),
    *("deadletters.show", "geoip.status", "kibana.export"),
}
"""Nothing in the data folder or the store, or what the daemon logs itself."""


def test_commands_are_logged_with_who_from_where_and_what_came_of_it(data: Path, tmp_path: Path) -> None:
    assert run(data, "prune", "--dry-run").exit_code == 0
    for arguments, code, *_ in LOGGED:
        done = run(data, *(text.format(tmp=tmp_path) for text in arguments))
        assert done.exit_code == code, (arguments, done.output)
    found = json.loads(run(data, "actions", "--json").stdout)[::-1]
    shown = [(entry["action"], entry.get("target", ""), entry["outcome"]) for entry in found]
    assert shown == [
        (action, target.format(tmp=tmp_path), "failed" if code else "done") for _, code, action, target, _ in LOGGED
    ]
    for entry, (*_, text) in zip(found, LOGGED, strict=True):
        assert entry.get("text", "").startswith(text), entry
        assert (entry["by"], entry["user"], entry["address"]) == ("cli", "mina", "192.0.2.7")
    assert "key=c" not in json.dumps(found)
    table = run(data, "actions").stdout
    assert re.search(r"mina at the command line, 192\.0\.2\.7 +problems\.resolve +3f9c2ab01d77 +done +in 2\.4", table)


def commands(group: click.Group, above: str = "") -> Iterator[str]:
    """Yield each command that does something by its names: ``backup.create``."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield above + name
        if isinstance(command, click.Group):
            yield from commands(command, f"{above}{name}.")


def test_each_command_is_logged_or_changes_nothing() -> None:
    groups = {name.partition(".")[0] for name in commands(main) if "." in name}
    logged = {".".join(arguments[: 1 + (arguments[0] in groups)]) for arguments, *_ in LOGGED}
    assert {*commands(main)} == logged | ASKED_OF_A_DAEMON | CHANGE_NOTHING


@pytest.mark.parametrize("language", ["english", "korean"])
def test_the_page_has_a_name_for_each(language: str) -> None:
    texts = load_files()[f"{language}.js"].body.decode()
    named = set(re.findall(r'"actions\.([a-z.]+)":', texts))
    assert {action for _, _, action, *_ in LOGGED} | ASKED_OF_A_DAEMON <= named


def test_actions_of_the_page(tmp_path: Path) -> None:
    log = ActionLog(tmp_path)
    for number, by in enumerate(("session", "token", "page")):
        time = f"2026-11-19T10:00:0{number}Z"
        log.add(Action(str(number), time, "indices.delete", "x", by, "", "192.0.2.7", "started"))
    lines = run(tmp_path, "actions").stdout.splitlines()
    whos = ("page without password", "token", "signed in to the dashboard")
    assert [who in line for who, line in zip(whos, lines[1:], strict=True)] == [True] * 3


def test_nothing_yet(tmp_path: Path) -> None:
    assert run(tmp_path, "actions").output == "nothing was done by hand yet\n"
