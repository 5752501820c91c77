"""``ingestd deadletters list|show|purge``; replay is in tests/e2e."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ingestd.cli.commands.deadletters import deadletters as command
from ingestd.dead_letters.writer import DeadLetterWriter

NOW = time.time()
DAY = 86_400


def run(data_dir: Path, *arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(command, [*arguments, "--data-dir", str(data_dir)], input=answer, env={"TZ": "UTC"})


def listed(data_dir: Path) -> Any:
    done = run(data_dir, "list", "--json")
    assert done.exit_code == 0
    return json.loads(done.stdout)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Two rejected documents of ten days ago, and a recent line with control characters."""
    moment = [NOW - 10 * DAY]
    files = DeadLetterWriter(tmp_path / "deadletters", 1 << 20, lambda: moment[0])
    for number in (1, 2):
        files.add(
            stage="output",
            plugin="elasticsearch_0",
            reason=f"failed to parse '{number}'",
            raw=b'{"n":"%d"}\n' % number,
            document=b'{"n":"%d","seen":1}' % number,
            stream_id="abc",
            offset=20 * number,
            event_id=f"abc-{number:012x}",
            index="logstash-2026.11.22",
        )
    moment[0] = NOW - 1
    files.add(stage="framing", plugin="tcp_0", reason="too long", raw=b"\x1b[2J\xff start", size=9000)
    files.close()
    return tmp_path


def test_list(data_dir: Path) -> None:
    refused, long = listed(data_dir)
    assert (refused["letters"], refused["bytes"], refused["reason"]) == (2, 20, "failed to parse '…'")
    assert (long["stage"], long["plugin"], long["bytes"]) == ("framing", "tcp_0", 9000)
    head, *lines = run(data_dir, "list").stdout.splitlines()
    assert head.split() == ["REASON", "GROUP", "STAGE", "PLUGIN", "FIRST", "LAST", "LETTERS", "SIZE"]
    assert [line.split()[-2:] for line in lines] == [["20", "B"], ["9.0", "kB"]]


def test_show(data_dir: Path) -> None:
    group = listed(data_dir)[0]["group"]
    shown = run(data_dir, "show", group).stdout
    assert "failed to parse '2'" in shown
    assert "abc at byte 40" in shown
    assert 'received  {"n":"2"}' in shown
    assert 'document  {"n":"2","seen":1}' in shown
    assert "too long" not in shown
    newest = run(data_dir, "show", "--limit", "1")
    assert "\x1b" not in newest.stdout
    assert "(the first 11 of 9,000 bytes)" in newest.stdout
    assert newest.stderr == "2 more; see --limit\n"
    [dead_letter] = map(json.loads, run(data_dir, "show", "--stage", "framing", "--json").stdout.splitlines())
    assert dead_letter["text"] == "\x1b[2J\ufffd start"


PURGES: list[tuple[str, list[str], int]] = [  # id, arguments, dead letters left
    ("old", ["--older-than", "7d"], 1),
    ("older", ["--older-than", "30d"], 3),
    ("stage", ["--stage", "output"], 1),
    ("reason", ["--reason", "TOO long"], 2),
    ("both", ["--stage", "output", "--reason", "too long"], 3),
    ("all", ["--all"], 0),
]


@pytest.mark.parametrize(("arguments", "left"), [case[1:] for case in PURGES], ids=[case[0] for case in PURGES])
def test_purge(data_dir: Path, arguments: list[str], left: int) -> None:
    assert run(data_dir, "purge", *arguments, "--yes").exit_code == 0
    assert sum(group["letters"] for group in listed(data_dir)) == left


def test_purge_asks(data_dir: Path) -> None:
    done = run(data_dir, "purge", "--all", answer="n\n")
    assert done.exit_code == 1
    assert "Delete 3 dead letters for good?" in done.stdout
    assert sum(group["letters"] for group in listed(data_dir)) == 3
    assert "3 dead letters deleted" in run(data_dir, "purge", "--all", answer="y\n").stdout


WRONG: list[tuple[str, list[str], int, str]] = [  # id, arguments, exit code, part of the message
    ("nothing", ["purge"], 2, "say which"),
    ("all_and_more", ["purge", "--all", "--stage", "output"], 2, "say which"),
    ("age", ["purge", "--older-than", "soon"], 2, "expected a duration"),
    ("group", ["show", "nowhere"], 1, "there is no group 'nowhere'"),
    ("stage", ["show", "--stage", "input"], 2, "'input' is not one of"),
]


@pytest.mark.parametrize(("arguments", "code", "text"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_wrong_usage(data_dir: Path, arguments: list[str], code: int, text: str) -> None:
    done = run(data_dir, *arguments)
    assert done.exit_code == code
    assert text in done.stderr


def test_nothing_there(tmp_path: Path) -> None:
    assert run(tmp_path, "list").stderr == "there are no dead letters\n"
    assert listed(tmp_path) == []
    assert run(tmp_path, "show").stderr == "there are no dead letters\n"
    assert not (tmp_path / "deadletters").exists()


def test_lines_that_are_no_letters(data_dir: Path) -> None:
    [path] = (data_dir / "deadletters").glob("dead-*")
    path.write_bytes(path.read_bytes() + b"junk\n")
    assert "1 line cannot be read" in run(data_dir, "list").stderr
    assert run(data_dir, "purge", "--all", "--yes").stdout == "4 dead letters deleted\n"
