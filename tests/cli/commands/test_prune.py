"""``ingestd prune``: which index goes, and the sentence why."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingestd.cli.main import main
from ingestd.stores.local import LocalStore, LocalWriter, store_root
from tests.waiting import today


def name(age: int) -> str:
    return f"logstash-{datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age):%Y.%m.%d}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    today(minutes=0.2)
    for age in (0, 3, 40):
        writer = LocalWriter(store_root(tmp_path), "w0")
        writer.append(name(age), [b'{"message":"%b"}' % (b"x" * 2000)], ["1"])
        writer.close()
    return tmp_path


def prune(data: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["prune", "--data-dir", str(data), *arguments], prog_name="ingestd")
    return done.exit_code, done.output


def indices(data: Path) -> list[str]:
    return [index.index for index in LocalStore(store_root(data)).indices()]


def test_dry_run_says_why_and_deletes_nothing(data: Path) -> None:
    code, said = prune(data, "--dry-run")
    assert code == 0
    rows = {line.split()[0]: line for line in said.splitlines()[1:]}
    assert "would go  it is 40 days old, max_age is 30d" in rows[name(40)]
    assert "kept" in rows[name(3)]
    assert rows[name(0)].endswith("it is being written")
    assert indices(data) == [name(40), name(3), name(0)]


CASES: list[tuple[str, list[str], list[int], str]] = [  # id, arguments, ages that stay, what is said
    ("by_age", [], [3, 0], "it is 40 days old, max_age is 30d"),
    ("younger", ["--max-age", "2d"], [0], "it is 3 days old, max_age is 2d"),
    ("by_count", ["--max-indices", "2"], [3, 0], "there are 3 indices from this day to today, max_indices is 2"),
    ("by_size", ["--max-size", "5kB"], [3, 0], " kB are stored from this day to today, max_bytes is 5.0 kB"),
    ("nothing_matches", ["--index", "other-*"], [40, 3, 0], "no index matches other-*"),
    ("nothing_matches_dry", ["--index", "other-*", "--dry-run"], [40, 3, 0], "no index matches other-*"),
]


@pytest.mark.parametrize(("arguments", "stay", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_prune(data: Path, arguments: list[str], stay: list[int], said: str) -> None:
    code, output = prune(data, *arguments)
    assert (code, said in output) == (0, True), output
    assert indices(data) == [name(age) for age in stay]


def test_json(data: Path) -> None:
    code, output = prune(data, "--json")
    assert code == 0
    assert [(result["index"], result["result"]) for result in json.loads(output)] == [
        (name(40), "deleted"),
        (name(3), "kept"),
        (name(0), "kept"),
    ]
    assert json.loads(prune(data, "--json", "--index", "other-*")[1]) == []
