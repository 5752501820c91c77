"""Retention and days that were imported or restored: they stay for a while, and cost no other day its place."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingestd.cli.main import main
from ingestd.lifecycle import build
from ingestd.settings import load_settings
from ingestd.stores.backups import Repository
from ingestd.stores.local import LocalStore, LocalWriter, store_root
from ingestd.stores.local.backup.backups import LocalBackups
from tests.waiting import today

IMPORTED = ["logstash-2025.03.05", "logstash-2025.03.06"]
COPY = f"restored-{IMPORTED[0]}"


def name(age: int) -> str:
    return f"logstash-{datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age):%Y.%m.%d}"


class Site:
    """A data folder with three recent days and two that were imported."""

    def __init__(self, folder: Path) -> None:
        self.data, self.repository = folder / "data", folder / "repository"
        self.store = LocalStore(store_root(self.data))
        self.backups = LocalBackups(self.data)
        for index in (*IMPORTED, name(2), name(1), name(0)):
            writer = LocalWriter(store_root(self.data), "w0")
            writer.append(index, [b'{"message":"%b"}' % (b"x" * 2000)], ["1"])
            writer.close()
        for index in IMPORTED:
            self.backups.mark_restored(index)

    def add_repository(self) -> None:
        """Add a repository with backups of the imported days."""
        self.backups.add_repository(Repository("disk", "fs", {"location": str(self.repository)}))
        assert "logstash-2025.03.05" in self.run("backup", "--missing")

    def run(self, *arguments: str) -> str:
        done = CliRunner().invoke(main, [*arguments, "--data-dir", str(self.data)], prog_name="ingestd")
        assert done.exit_code == 0, done.output
        return done.output

    def pruned(self, *arguments: str) -> dict[str, str]:
        return {row["index"]: row["result"] for row in json.loads(self.run("prune", "--json", *arguments))}

    def indices(self) -> list[str]:
        return [info.index for info in self.store.indices()]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    today(minutes=0.2)
    return Site(tmp_path)


LIMITS = [  # id, arguments, outcomes of the recent days
    ("three", ["--max-indices", "3"], ["kept", "kept", "kept"]),
    ("two", ["--max-indices", "2"], ["deleted", "kept", "kept"]),
    ("size", ["--max-size", "8kB"], ["kept", "kept", "kept"]),
    ("less", ["--max-size", "5kB"], ["deleted", "kept", "kept"]),
    ("space", ["--keep-free", "1000TB"], ["kept", "kept", "kept"]),
]


@pytest.mark.parametrize(("arguments", "recent"), [case[1:] for case in LIMITS], ids=[case[0] for case in LIMITS])
def test_imported_days_do_not_cost_recent_ones_their_place(site: Site, arguments: list[str], recent: list[str]) -> None:
    found = site.pruned(*arguments)
    assert [found[name(age)] for age in (2, 1, 0)] == recent
    assert set(IMPORTED) <= set(site.indices())


PATTERNS = [  # id, pattern, what becomes of the imported days
    ("by_name", IMPORTED[0], {IMPORTED[0]: "deleted"}),
    ("pattern", "logstash-2025.*", dict.fromkeys(IMPORTED, "deleted")),
    ("the_usual_one", "logstash-*", dict.fromkeys(IMPORTED, "held")),
    ("wider", "*", dict.fromkeys(IMPORTED, "held")),
]


@pytest.mark.parametrize(("pattern", "expected"), [case[1:] for case in PATTERNS], ids=[case[0] for case in PATTERNS])
def test_who_asks_for_imported_days_deletes_them(site: Site, pattern: str, expected: dict[str, str]) -> None:
    found = site.pruned("--index", pattern, "--max-age", "30d")
    assert {index: result for index, result in found.items() if "2025" in index} == expected


def test_a_renamed_copy_needs_no_backup_of_its_own(site: Site) -> None:
    """The command of docs/backup.md removes it, as the original is in the backup it came from."""
    site.add_repository()
    site.run("restore", "2025.03.05", "--rename", "restored-")
    assert COPY in site.indices()
    assert site.pruned("--index", "restored-*", "--max-age", "1d") == {COPY: "deleted"}
    assert COPY not in site.indices()


def test_a_renamed_copy_without_a_backup_of_the_original_stays(site: Site) -> None:
    site.add_repository()
    site.backups.write_index(COPY, [("1", b"{}"), ("2", b"{}")], source=IMPORTED[0])  # one event more than the backup
    assert "it is not backed up; otherwise deleted" in site.run("prune", "--index", "restored-*", "--max-age", "1d")
    assert COPY in site.indices()


def test_a_copy_is_not_backed_up_again(site: Site) -> None:
    site.add_repository()
    site.run("restore", "2025.03.05", "--rename", "logstash-copy-")
    with build.open_lifecycle(load_settings(environ={"INGESTD_DATA_DIR": str(site.data)})) as lifecycle:
        assert lifecycle.missing() == []
