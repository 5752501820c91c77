"""The file of the consumers' positions: there and back, torn in every way, on a full disk."""

import os
from pathlib import Path
from typing import Any

import pytest

from ingestd.event.jsontext import dumps
from ingestd.journal.base import Position
from ingestd.journal.positions import FILE_NAME, Commit, PositionsFile, load_positions


def commits(number: int, state: Any = None) -> dict[str, Commit]:
    return {"elasticsearch-1": Commit(Position(number, number // 10), dumps(state)), "store": Commit(Position(7, 1))}


def load(folder: Path) -> dict[str, Commit]:
    loaded = load_positions(folder)
    assert loaded is not None
    return loaded.commits


def open_file(folder: Path) -> PositionsFile:
    return PositionsFile(folder, load_positions(folder))


def synced(file: PositionsFile) -> None:
    fd = file.begin_sync()
    assert fd is not None
    os.fsync(fd)
    file.end_sync(True)


def test_there_and_back(tmp_path: Path) -> None:
    assert load_positions(tmp_path) is None
    file = open_file(tmp_path)
    assert load(tmp_path) == {}
    for number in range(10):
        file.write(commits(number, {"day": {"2026-11-22": number}}))
        assert load(tmp_path) == commits(number, {"day": {"2026-11-22": number}})
    file.close()
    again = open_file(tmp_path)
    again.write(commits(10))
    assert load(tmp_path) == commits(10)
    again.close()


def test_a_state_that_grows(quick_path: Path) -> None:
    file = open_file(quick_path)
    for power in range(17):
        file.write(commits(power, "x" * (1 << power)))
        assert load(quick_path) == commits(power, "x" * (1 << power))
    file.close()
    again = open_file(quick_path)
    again.write(commits(20, "y" * 65_000))
    assert load(quick_path) == commits(20, "y" * 65_000)
    again.close()
    assert [path.name for path in quick_path.iterdir()] == [FILE_NAME]


def test_what_was_synced_outlives_everything_written_since(tmp_path: Path) -> None:
    """As after a power failure: nothing written since the sync is whole."""
    file = open_file(tmp_path)
    file.write(commits(1))
    synced(file)
    before = (tmp_path / FILE_NAME).read_bytes()
    for number in range(2, 9):
        file.write(commits(number))
    after = bytearray((tmp_path / FILE_NAME).read_bytes())
    for at, (old, new) in enumerate(zip(before, after, strict=True)):
        if old != new:
            after[at] ^= 0xFF
    (tmp_path / FILE_NAME).write_bytes(after)
    assert load(tmp_path) == commits(1)
    file.close()


def test_while_a_sync_runs_neither_it_nor_the_last_one_is_touched(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    file.write(commits(1))
    synced(file)
    file.write(commits(2))
    assert file.begin_sync() is not None
    before = (tmp_path / FILE_NAME).read_bytes()
    for number in range(3, 9):
        file.write(commits(number))
    after = (tmp_path / FILE_NAME).read_bytes()
    touched = {at // 16_384 for at in range(len(after)) if before[at] != after[at]}
    assert len(touched) == 1
    file.end_sync(False)
    assert load(tmp_path) == commits(8)
    assert file.begin_sync() is not None
    file.end_sync(True)
    assert file.begin_sync() is None
    file.close()


def test_every_byte_flipped(quick_path: Path) -> None:
    """At most the last commit is lost."""
    file = open_file(quick_path)
    for number in range(3):
        file.write(commits(number))
    file.close()
    path = quick_path / FILE_NAME
    good = path.read_bytes()
    for at, byte in enumerate(good):
        if byte:
            path.write_bytes(good[:at] + bytes([byte ^ 0x21]) + good[at + 1 :])
            assert load(quick_path) in (commits(2), commits(1)), at


def test_cut_off_at_every_byte(quick_path: Path) -> None:
    file = open_file(quick_path)
    file.write(commits(1))
    file.write(commits(2))
    file.close()
    path = quick_path / FILE_NAME
    good = path.read_bytes()
    for size in [*range(0, 200, 7), *range(200, len(good), 509)]:
        path.write_bytes(good[:size])
        assert load(quick_path) in ({}, commits(1), commits(2))
        cut = open_file(quick_path)
        cut.write(commits(3))
        assert load(quick_path) == commits(3)
        cut.close()


FOREIGN = [  # id, what the file holds
    ("empty", b""),
    ("zeros", bytes(49_152)),
    ("text", b"positions of another program"),
    ("noise", bytes(range(256)) * 48),
]


@pytest.mark.parametrize("content", [c[1] for c in FOREIGN], ids=[c[0] for c in FOREIGN])
def test_a_file_that_is_none_of_ours(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    loaded = load_positions(tmp_path)
    assert loaded is not None
    assert (loaded.commits, loaded.generation) == ({}, 0)
    file = open_file(tmp_path)
    file.write(commits(3))
    assert load(tmp_path) == commits(3)
    file.close()
