"""Run as a program by ``test_killed``: back up, delete and restore, each time killed at a later step.

A step is a call to the system that changes something, or one to the repository. After each death a new process
must find every event in the store or in a good backup, and an index whole or absent; and it must come to the same
end. Arguments: what is done, a folder to work in, the first step to be killed at, how many steps further the next is.
Prints the step that was not reached.
"""

from __future__ import annotations

import datetime
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Once here: each of the many children would import them again.
import duckdb  # noqa: F401
import obstore.store  # noqa: F401

from ingestd.lifecycle.lifecycle import Lifecycle
from ingestd.lifecycle.retention import Rules
from ingestd.lifecycle.scheduler import run_once
from ingestd.lifecycle.state import State
from ingestd.stores.backups import Repository
from ingestd.stores.local import LocalStore, LocalWriter, store_root
from ingestd.stores.local.backup.backups import LocalBackups
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.object_store import ObjectStore
from tests.dying import die_at, exit_code_of, is_killed

NOW = datetime.datetime(2019, 6, 20, 0, 10, tzinfo=datetime.UTC)
OLD, YOUNG = "logstash-2019.05.15", "logstash-2019.06.19"
NEW = [("new", b'{"n":0}')]


class Site:
    """A data folder with a day that is too old and one that is not, and a repository."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.backups = LocalBackups(self.data)
        self.lifecycle = Lifecycle(
            LocalStore(store_root(self.data), threads=1),
            self.backups,
            "disk",
            State.load(self.data),
            Rules(max_age=30 * 86400.0),
            clock=lambda: NOW,
        )

    def prepare(self) -> None:
        for index in (OLD, YOUNG):
            for number in range(3):
                writer = LocalWriter(store_root(self.data), f"w{number}")
                writer.append(index, [b'{"n":%d}' % n for n in range(5)], [f"{number}-{n}" for n in range(5)])
                writer.close()
                if number == 0:
                    seal_once(store_root(self.data), Policy(idle_s=0))
        self.backups.add_repository(Repository("disk", "fs", {"location": str(self.folder / "repository")}))

    def move(self) -> None:
        """Let the repository be where this copy has it."""
        for repository in self.backups.repositories():
            self.backups.remove_repository(repository.name)
        self.backups.add_repository(Repository("disk", "fs", {"location": str(self.folder / "repository")}))

    def files(self, index: str) -> dict[str, bytes] | None:
        """Return what an index is made of; None: it is not there."""
        folder = store_root(self.data) / index
        if not folder.is_dir():
            return None
        return {path.name: path.read_bytes() for path in folder.iterdir() if "origin.json" not in path.name}

    def events(self) -> dict[str, int]:
        return {info.index: info.events for info in self.lifecycle.store.indices()}

    def snapshots(self) -> list[str]:
        return [snapshot.name for snapshot in self.backups.snapshots("disk")]

    def backed_up(self, index: str) -> bool:
        found = [snapshot for snapshot in self.backups.snapshots("disk") if snapshot.index == index]
        return bool(found) and found[-1].events == 15 and not self.backups.verify("disk", found[-1].name)


def work(site: Site) -> None:
    report = run_once(site.lifecycle)
    assert report.failed == {}, report


def restore(site: Site) -> None:
    site.backups.restore("disk", [f"{OLD}-20190620001000"], OLD)


def overwrite(site: Site) -> None:
    site.backups.restore("disk", [f"{YOUNG}-20190620001000"], YOUNG, overwrite=True)


def fill(site: Site) -> None:
    site.backups.write_index(YOUNG, NEW, overwrite=True)


class Working:
    """Backing up and deleting."""

    prepare = staticmethod(lambda site: None)
    act = staticmethod(work)

    @staticmethod
    def after_death(site: Site) -> None:
        assert site.files(YOUNG) is not None
        assert site.files(OLD) is not None or site.backed_up(OLD)
        assert set(site.events()) <= {OLD, YOUNG}
        assert set(site.events().values()) <= {15}

    @staticmethod
    def at_the_end(site: Site) -> None:
        assert site.files(OLD) is None
        assert site.events() == {YOUNG: 15}
        assert site.backed_up(OLD)
        assert site.backed_up(YOUNG)
        assert len(site.snapshots()) == 2


class Restoring:
    """Bringing the old day back."""

    prepare = staticmethod(work)
    act = staticmethod(restore)

    @staticmethod
    def after_death(site: Site) -> None:
        if site.files(OLD) is not None:
            assert site.events()[OLD] == 15
            assert OLD in site.backups.restored_indices()
            site.lifecycle.store.delete(OLD)  # so that it can be restored once more

    @staticmethod
    def at_the_end(site: Site) -> None:
        assert site.events() == {OLD: 15, YOUNG: 15}
        assert site.backed_up(OLD)
        assert {decision.info.index for decision in site.lifecycle.plan() if decision.held} <= {OLD}


class Replacing(Restoring):
    """Bringing back a day that is there: it never is not."""

    act = staticmethod(overwrite)

    @staticmethod
    def after_death(site: Site) -> None:
        assert site.events() == {YOUNG: 15}

    @staticmethod
    def at_the_end(site: Site) -> None:
        assert site.events() == {YOUNG: 15}


class Filling(Restoring):
    """Rewriting a day, as a replay does."""

    act = staticmethod(fill)

    @staticmethod
    def after_death(site: Site) -> None:
        assert site.events()[YOUNG] in {1, 15}

    @staticmethod
    def at_the_end(site: Site) -> None:
        assert site.events() == {YOUNG: 1}


ACTIONS = {"work": Working, "restore": Restoring, "replace": Replacing, "fill": Filling}


def main(action: Any, folder: Path, first: int, stride: int) -> None:
    """Kill until there are no more steps."""

    def prepare() -> None:
        template = Site(folder / "template")
        template.prepare()
        action.prepare(template)

    assert exit_code_of(prepare) == 0
    step = first
    while survives(step, action, Path(shutil.copytree(folder / "template", folder / str(step)))):
        step += stride
    sys.stdout.write(f"{step}\n")


def survives(step: int, action: Any, folder: Path) -> bool:
    """Let a process die at a step, and others go on; False if it had done all before that step."""
    assert exit_code_of(lambda: Site(folder).move()) == 0  # each in a process of its own: threads do not outlive a fork
    was_killed = is_killed(step, lambda: die(step, lambda: action.act(Site(folder))))

    def go_on() -> None:
        if was_killed:
            action.after_death(Site(folder))
            action.act(Site(folder))
        action.at_the_end(Site(folder))
        hidden = [path.name for path in store_root(folder / "data").glob(".backup-*")]
        assert hidden == [], hidden

    assert exit_code_of(go_on) == 0, f"killed at step {step}"
    shutil.rmtree(folder)
    return was_killed


def die(step: int, act: Callable[[], None]) -> None:
    """Act, and die at a step."""
    counted = die_at(step, "rename", "replace", "unlink", "fsync", "rmdir", "mkdir", "link")
    for name in ("put", "put_bytes", "size", "keys"):
        setattr(ObjectStore, name, counted(getattr(ObjectStore, name)))
    act()


if __name__ == "__main__":
    main(ACTIONS[sys.argv[1]], Path(sys.argv[2]), *map(int, sys.argv[3:]))
