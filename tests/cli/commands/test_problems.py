"""``ingestd problems``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingestd.analytics.problem_marks import load_marks, mark_problem
from ingestd.cli.main import main
from ingestd.stores.local import LocalWriter, store_root
from tests.cli.reading import run

RECORDS = [
    b'{"@timestamp":"2026-11-21T10:00:00.000Z","level":"ERROR","problem":"aaa","problem_title":"E in a","host":"web1"}',
    b'{"@timestamp":"2026-11-22T10:00:00.000Z","level":"ERROR","problem":"bbb","problem_title":"E in b"}',
    b'{"@timestamp":"2026-11-22T10:00:01.000Z","level":"ERROR","problem":"bbb","problem_title":"E in b"}',
    b'{"@timestamp":"2026-11-22T10:00:02.000Z","level":"ERROR","problem":"aaa","problem_title":"E in a"}',
    b'{"@timestamp":"2026-11-22T10:00:03.000Z","level":"INFO","message":"x"}',
]
PERIOD = ("--since", "2026-11-22", "--until", "2026-11-22")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    writer = LocalWriter(store_root(tmp_path), "w0")
    writer.append("logstash-2026.11.21", RECORDS[:1], ["0"])
    writer.append("logstash-2026.11.22", RECORDS[1:], ["1", "2", "3", "4"])
    writer.close()
    return tmp_path


def listed(data_dir: Path, *arguments: str) -> list[tuple[str, int, str, bool, bool]]:
    result = run("problems", *arguments, "--json", data_dir=data_dir)
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    return [(row["problem"], row["count"], row["state"], row["new"], row["regressed"]) for row in rows]


def test_problems_as_json(data_dir: Path) -> None:
    assert listed(data_dir, *PERIOD) == [("bbb", 2, "open", True, False), ("aaa", 1, "open", False, False)]
    assert listed(data_dir) == [("aaa", 2, "open", False, False), ("bbb", 2, "open", False, False)]
    assert listed(data_dir, "--limit", "1", *PERIOD) == [("bbb", 2, "open", True, False)]


def test_problems_as_a_table(data_dir: Path) -> None:
    result = run("problems", *PERIOD, data_dir=data_dir)
    head, first, second = result.stdout.splitlines()
    assert head.split()[:3] == ["PROBLEM", "TITLE", "STATE"]
    assert first.split()[:5] == ["bbb", "E", "in", "b", "new"]
    assert second.split()[-2:] == ["0", "1"]
    assert result.stderr == ""


@pytest.mark.parametrize("options", [[], ["--json"], ["--state", "open"]])
def test_problems_that_are_left_out(data_dir: Path, options: list[str]) -> None:
    result = run("problems", *PERIOD, "-n", "1", *options, data_dir=data_dir)
    assert ("bbb" in result.stdout, "aaa" in result.stdout) == (True, False)
    more = "try -n 200 or a shorter period\n"
    assert result.stderr == f"there may be more problems than -n 1 looks at, the most frequent; {more}"


def test_resolve_mute_and_reopen(data_dir: Path) -> None:
    result = run("problems", "resolve", "bbb", "--note", "fixed", data_dir=data_dir)
    assert (result.exit_code, result.stdout) == (0, "bbb is resolved\n")
    result = CliRunner().invoke(main, ["problems", "--data-dir", str(data_dir), "mute", "aaa"])
    assert (result.exit_code, result.stdout) == (0, "aaa is muted\n")
    assert listed(data_dir, *PERIOD) == [("bbb", 2, "resolved", True, False), ("aaa", 1, "muted", False, False)]
    assert listed(data_dir, "--state", "muted") == [("aaa", 2, "muted", False, False)]
    (row,) = json.loads(run("problems", "--state", "resolved", "--json", data_dir=data_dir).stdout)
    assert row["mark"]["note"] == "fixed"
    run("problems", "reopen", "bbb", data_dir=data_dir)
    assert [problem[2] for problem in listed(data_dir, *PERIOD)] == ["open", "muted"]


@pytest.mark.parametrize("action", ["resolve", "mute", "reopen"])
def test_a_problem_that_nobody_knows(data_dir: Path, action: str) -> None:
    for name in ("nosuch", "\udcff"):
        result = run("problems", action, name, data_dir=data_dir)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "there is no problem" in result.stderr
    assert load_marks(data_dir) == {}


def test_a_problem_whose_events_were_deleted_can_be_reopened(data_dir: Path) -> None:
    mark_problem(data_dir, "old", "mute", at="2026-01-01T00:00:00.000Z", by="kim", note="a bot")
    result = run("problems", "reopen", "old", data_dir=data_dir)
    assert (result.exit_code, result.stdout) == (0, "old is open\n")


def test_what_cannot_be_done(data_dir: Path) -> None:
    result = run("problems", "mute", "aaa", "--note", "x" * 501, data_dir=data_dir)
    assert result.exit_code == 1
    assert "a note has at most 500 characters" in result.output
    assert run("problems", "--state", "muted", data_dir=data_dir).output == "no problems\n"
