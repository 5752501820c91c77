"""``ingestd alerts``: lists, history, tests of channels that cannot work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ingestd.alerts.state import (
    AlertChange,
    AlertsState,
    Notification,
    PendingNotification,
    RuleState,
    page_rules_document,
)
from ingestd.alerts.state import state_document as state_of
from ingestd.cli.main import main

SETTINGS = """
index_timezone = "Asia/Seoul"
[alerts.channels.pager]
type = "command"
command = ["/nothing"]
[alerts.rules.errors]
query = "level:ERROR"
above = 10
[alerts.rules.quiet]
type = "silence"
"""
TIME = 1_795_082_400.0
CHANGE = AlertChange("errors", "firing", TIME, TIME, 12, "12 events in 5m, more than 10")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "ingestd.toml").write_text(SETTINGS)
    state = AlertsState(
        rules={
            "errors": RuleState(firing=True, since=TIME, value=12, evaluated=TIME),
            "quiet": RuleState(error="away"),
        },
        outbox=[PendingNotification("pager", Notification("id", "firing", TIME, (CHANGE,)), 3, error="it is broken")],
        history=[CHANGE, AlertChange("errors", "resolved", TIME + 60, TIME, 0, "0 events in 5m, bound 10", muted=True)],
    )
    with state_of(tmp_path / "data").update() as content:
        for name in AlertsState.__struct_fields__:
            setattr(content, name, getattr(state, name))
    with page_rules_document(tmp_path / "data").update() as page:
        page.rules["made-here"] = {"above": 1}
        page.muted["quiet"] = 0
    return tmp_path


def run(site: Path, *arguments: str) -> Result:
    shared = ["alerts", "--settings", str(site / "ingestd.toml"), "--data-dir", str(site / "data")]
    return CliRunner().invoke(main, [*shared, *arguments], prog_name="ingestd")


def test_the_list(site: Path) -> None:
    done = run(site)
    assert done.exit_code == 0
    lines = [line.split("  ") for line in done.stdout.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ["ALERT", "STATE", "SINCE", "FIRES AT", "NOW", "CHANNELS"],
        [
            "errors",
            "firing",
            "2026-11-19 19:00:00+09:00",
            "events in 5m > 10",
            "12 events in 5m, more than 10",
            "pager",
        ],
        ["quiet", "unknown (muted)", "no event in 5m", "away", "pager"],
        ["made-here", "waiting", "events in 5m > 1", "pager"],
    ]
    assert done.stderr == "channel pager: it is broken\n"


def test_as_json(site: Path) -> None:
    found = json.loads(run(site, "--json").stdout)
    assert [(row["alert"], row["state"], row["source"]) for row in found["alerts"]] == [
        ("errors", "firing", "file"),
        ("quiet", "unknown", "file"),
        ("made-here", "waiting", "page"),
    ]
    assert found["channels"] == [{"channel": "pager", "type": "command", "waiting": 1, "error": "it is broken"}]


def test_the_history(site: Path) -> None:
    lines = run(site, "history", "-n", "1").stdout.splitlines()
    assert lines[1].split("  ")[:2] == ["2026-11-19 19:01:00+09:00", "errors"]
    assert "resolved (muted)  0 events in 5m, bound 10" in lines[1]
    assert len(json.loads(run(site, "history", "--json").stdout)) == 2


WRONG = [  # name, what is said
    ("errors", "the test was not accepted by 1 of 1 channels: pager: /nothing cannot be started: No such file"),
    ("pager", "the test was not accepted by 1 of 1 channels: pager: /nothing cannot be started: No such file"),
    ("error", "there is no alert or channel 'error'; did you mean errors?"),
    ("나의 것", "there is no alert or channel '나의 것'; `ingestd alerts` lists both"),
]


@pytest.mark.parametrize(("name", "said"), WRONG)
def test_a_test_that_fails(name: str, said: str, site: Path) -> None:
    done = run(site, "test", name)
    assert (done.exit_code, said in done.stderr) == (1, True), done.stderr


def test_commands_take_the_options_of_the_group(site: Path) -> None:
    options = ["--settings", str(site / "ingestd.toml"), "--data-dir", str(site / "data")]
    history = CliRunner().invoke(main, ["alerts", "history", *options, "--json"])
    assert (history.exit_code, len(json.loads(history.stdout))) == (0, 2)
    test = CliRunner().invoke(main, ["alerts", "test", *options, "pager"])
    assert (test.exit_code, "/nothing cannot be started" in test.stderr) == (1, True)


def test_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / "ingestd.toml").write_text("")
    assert run(tmp_path).stderr == "no alert yet; see docs/alerts.md for the settings\n"
    assert run(tmp_path, "history").stderr == "no alert has fired yet\n"


def test_mistakes_are_those_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "ingestd.toml").write_text('[alerts.rules.a]\nquery = "a:(b"\nabove = 1\n')
    done = run(tmp_path)
    assert done.exit_code == 2
    assert ":2: error: alerts.rules.a.query: this bracket is not closed\n    a:(b\n      ^\n" in done.stderr
