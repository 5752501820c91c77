"""Dead letters: what is kept of them, and that they fill no disk."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from ingestd.dead_letters.writer import DeadLetterWriter
from tests.disks import small_disk

CLOCK = 1_763_805_600.5


def dead_letters(folder: Path, max_bytes: int = 1 << 20) -> DeadLetterWriter:
    return DeadLetterWriter(folder, max_bytes, lambda: CLOCK)


def add(to: DeadLetterWriter, raw: bytes = b"raw") -> None:
    to.add(stage="codec", reason="no", raw=raw, stream_id="o1", plugin="tcp_0")


def kept(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(folder.iterdir()) for line in path.read_bytes().splitlines()]


def test_parts_of_a_letter(tmp_path: Path) -> None:
    files = dead_letters(tmp_path / "dead")
    add(files, b"\xff\x00 any bytes\n")
    files.close()
    [dead_letter] = kept(tmp_path / "dead")
    assert base64.b64decode(dead_letter.pop("raw")) == b"\xff\x00 any bytes\n"
    assert dead_letter == {
        "time": "2025-11-22T10:00:00.500Z",
        "stage": "codec",
        "reason": "no",
        "plugin": "tcp_0",
        "origin": "o1",
        "size": 13,
    }


def test_no_letters_no_folder(tmp_path: Path) -> None:
    files = dead_letters(tmp_path / "dead")
    files.close()
    assert not (tmp_path / "dead").exists()


def test_files_rotate_and_the_oldest_go(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = dead_letters(tmp_path, max_bytes=8 * 1000)
    for number in range(200):
        add(files, b"%03d" % number)
    files.close()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 8
    assert max(sizes) <= 1000
    numbers = [int(base64.b64decode(dead_letter["raw"])) for dead_letter in kept(tmp_path)]
    assert numbers == list(range(numbers[0], 200))
    assert "deleted to make room" in caplog.text


def test_a_letter_larger_than_a_file_is_kept(tmp_path: Path) -> None:
    files = dead_letters(tmp_path, max_bytes=800)
    add(files)
    add(files, b"x" * 5000)
    add(files)
    files.close()
    assert [dead_letter["size"] for dead_letter in kept(tmp_path)] == [3, 5000, 3]


def test_a_restart_goes_on_in_the_last_file(tmp_path: Path) -> None:
    for _ in range(3):
        files = dead_letters(tmp_path)
        add(files)
        files.close()
    assert len(list(tmp_path.iterdir())) == 1
    assert len(kept(tmp_path)) == 3


def test_other_files_are_let_be(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    files = dead_letters(tmp_path, max_bytes=80)
    for _ in range(20):
        add(files)
    files.close()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_what_cannot_be_written_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "dead").write_text("a file, no folder")
    files = dead_letters(tmp_path / "dead")
    add(files, b"one")
    assert files.unsynced
    with pytest.raises(OSError, match="exists"):
        files.sync()
    (tmp_path / "dead").unlink()
    add(files, b"two")
    files.sync()
    assert [base64.b64decode(dead_letter["raw"]) for dead_letter in kept(tmp_path / "dead")] == [b"one", b"two"]
    assert "inputs and delivery wait" in caplog.text
    files.close()
    assert not files.lost


def test_what_may_not_wait_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "dead").write_text("a file, no folder")
    files = dead_letters(tmp_path / "dead")
    assert files.add(stage="output", reason="no", raw=b"one")
    assert not files.add(stage="framing", reason="too long", raw=b"two", wait=False)
    (tmp_path / "dead").unlink()
    assert files.add(stage="framing", reason="too long", raw=b"three", wait=False)
    files.close()
    assert [base64.b64decode(dead_letter["raw"]) for dead_letter in kept(tmp_path / "dead")] == [b"one", b"three"]
    assert files.added == 2


def test_what_could_never_be_written_is_logged_at_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "dead").write_text("a file, no folder")
    files = dead_letters(tmp_path / "dead")
    add(files, b"precious")
    caplog.clear()
    with caplog.at_level(logging.ERROR):
        files.close()
    [record] = caplog.records
    [dead_letter] = record.__dict__["fields"]["dead_letters"]
    assert base64.b64decode(json.loads(dead_letter)["raw"]) == b"precious"
    assert files.lost


def test_full_disk(tmp_path: Path) -> None:
    """Nothing is torn, nothing is lost, and it goes on as soon as there is space."""
    with small_disk(tmp_path / "disk", "size=128k") as disk:
        (disk / "ballast").write_bytes(b"x" * 64 * 1024)
        files = dead_letters(disk / "dead")
        for number in range(110):
            add(files, b"%0500d" % number)
        assert files.unsynced
        with pytest.raises(OSError, match="No space"):
            files.sync()
        (disk / "ballast").unlink()
        files.sync()
        files.close()
        numbers = [int(base64.b64decode(dead_letter["raw"])) for dead_letter in kept(disk / "dead")]
        assert numbers == list(range(110))
