"""The action log: durable, bounded, whole after a torn write, shared by processes."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from ingestd.action_log import DONE, FAILED, STARTED, Action, ActionLog


def action(number: int, outcome: str = DONE, text: str = "") -> Action:
    time = f"2026-11-19T10:00:{number % 60:02}Z"
    return Action(f"id{number}", time, "index.delete", f"logstash-{number}", "cli", "root", "", outcome, text)


def test_an_action_has_its_outcome_and_is_there_once(tmp_path: Path) -> None:
    log = ActionLog(tmp_path / "data")
    for found in (action(1, STARTED), action(2, STARTED), action(1, FAILED, "no backup"), action(3)):
        log.add(found)
    assert [(found.id, found.outcome, found.text) for found in log.read(10)] == [
        ("id3", "done", ""),
        ("id2", "started", ""),
        ("id1", "failed", "no backup"),
    ]
    assert [found.id for found in log.read(1)] == ["id3"]


@pytest.mark.parametrize("torn", [b'{"id":"x","ti', b"\xff\n", b"{}\n", b"\n"])
def test_a_damaged_line_costs_no_other(torn: bytes, tmp_path: Path) -> None:
    log = ActionLog(tmp_path)
    log.add(action(1))
    with log.path.open("ab") as file:
        file.write(torn)
    log.add(action(2))
    assert [found.id for found in log.read(10)] == ["id2", "id1"]


def test_it_is_bounded(tmp_path: Path) -> None:
    log = ActionLog(tmp_path, max_bytes=2000)
    for number in range(100):
        log.add(action(number, text="x" * 5000))
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) < 3000
    kept = [found.id for found in log.read(100)]
    assert kept == [f"id{number}" for number in range(99, 99 - len(kept), -1)]
    assert len(kept) >= 3


def test_texts_that_are_not_unicode_are_kept_as_far_as_they_can_be(tmp_path: Path) -> None:
    log = ActionLog(tmp_path)
    log.add(
        Action("id1", "2026-11-19T10:00:00Z", "problems.resolve", "\udcff", "cli", "x\ny", "a" * 9999, DONE, "\ud800")
    )
    (found,) = log.read(10)
    assert (found.target, found.user, found.address, found.text) == ("?", "x\ny", "a" * 500, "?")


def _add_many(folder: Path, first: int) -> None:
    log = ActionLog(folder, max_bytes=4000)
    for number in range(first, first + 20):
        log.add(action(number))


def test_processes_do_not_lose_each_others_entries(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_add_many, args=(tmp_path, first)) for first in (0, 100)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert {found.id for found in ActionLog(tmp_path).read(100)} == {f"id{n}" for n in (*range(20), *range(100, 120))}
