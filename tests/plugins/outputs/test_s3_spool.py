"""The files of events of the output ``s3``: what a crash leaves of them, and who uploads it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingestd import files
from ingestd.plugins.outputs import _s3_spool as module
from ingestd.plugins.outputs._s3_segments import (
    Block,
    DamagedSegmentError,
    Header,
    last_ids,
    object_stem,
    put_aside,
    read_index,
    read_texts,
)
from ingestd.plugins.outputs._s3_spool import Spool
from tests.disks import small_disk
from tests.random_cases import sampled

HEADER = Header("logs", "", "ndjson", "gzip", ".ndjson.gz")
RECENT = 100


@contextmanager
def opened(folder: Path, header: Header = HEADER) -> Iterator[Spool]:
    spool = Spool(folder, "main-w0", header, RECENT)
    yield spool
    spool.close()  # as a kill does: nothing is written


def blocks(*numbers: int, folder: str = "a") -> list[Block]:
    """Return a block of events, each a line."""
    return [Block(folder, b"".join(b"%d\n" % number for number in numbers), [f"id{number}" for number in numbers])]


def kept(spool: Spool) -> dict[str, bytes]:
    """Return the texts of all closed segments, by folder."""
    found: dict[str, bytes] = {}
    for path in sorted(spool.closed):
        for folder, pieces in read_index(path).items():
            found[folder] = found.get(folder, b"") + b"".join(read_texts(path, pieces))
    return found


def test_events_are_kept_by_folder(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append([*blocks(1, 2), *blocks(3, folder="b")])
        spool.append(blocks(4, folder="b"))
        spool.rotate()
        spool.append(blocks(5))
        assert kept(spool) == {"a": b"1\n2\n", "b": b"3\n4\n"}
    with opened(tmp_path) as spool:
        assert kept(spool) == {"a": b"1\n2\n5\n", "b": b"3\n4\n"}
        stems = [object_stem(path) for path in spool.closed]
        assert len({*stems}) == 2
        assert all(stem.startswith("main-w0-2") for stem in stems)


def test_a_segment_cut_anywhere_keeps_its_whole_frames_and_the_rest_is_put_aside(tmp_path: Path) -> None:
    with opened(tmp_path / "whole") as spool:
        spool.append(blocks(1))
        first = spool.size
        spool.append(blocks(2))
    [path] = (tmp_path / "whole").glob("*.open")
    content = path.read_bytes()
    header = content.index(b"\n") + 1
    for size in sampled(range(len(content) + 1), usual=4):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / path.name).write_bytes(content[:size])
        with opened(folder) as spool:
            expected = b"1\n2\n" if size == len(content) else b"1\n" if size >= first else b""
            assert kept(spool).get("a", b"") == expected
        aside = b"".join(file.read_bytes() for file in folder.glob("*.damaged-*"))
        start = len(content) if size == len(content) else first if size >= first else header if size >= header else 0
        assert aside == content[start:size]


def test_a_byte_changed_anywhere_is_noticed(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append(blocks(1))
        first = spool.size
        spool.append(blocks(2))
        spool.rotate()
        [path] = spool.closed
    content = path.read_bytes()
    for at in range(first, len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(DamagedSegmentError) as caught:
            read_index(path)
        assert caught.value.offset == first
    aside = put_aside(path, first)
    assert len(aside.read_bytes()) == len(content) - first
    assert [*read_texts(path, read_index(path)["a"])] == [b"1\n"]


@pytest.mark.parametrize("fault", ["write_all", "fsync"])
def test_what_the_disk_refuses_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    def half(fd: int, data: bytes) -> None:
        os.write(fd, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    def refused(_: int) -> None:
        raise OSError(5, "Input/output error")

    with opened(tmp_path) as spool:
        spool.append(blocks(1))
        with monkeypatch.context() as patched:
            if fault == "fsync":
                patched.setattr(os, "fsync", refused)
            else:
                patched.setattr(module, "write_all", half)
            with pytest.raises(OSError, match=r"No space|Input"):
                spool.append(blocks(2))
        spool.append(blocks(3))
        spool.rotate()
        assert kept(spool) == {"a": b"1\n3\n"}


def test_a_segment_that_cannot_be_opened_or_deleted_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with opened(tmp_path) as spool:
        with monkeypatch.context() as patched:
            patched.setattr(module, "write_all", refused)
            patched.setattr(Path, "unlink", refused)
            with pytest.raises(OSError, match="Input"):
                spool.append(blocks(1))
        spool.append(blocks(2))
        spool.rotate()
        assert kept(spool) == {"a": b"2\n"}
    with opened(tmp_path) as spool:
        assert kept(spool) == {"a": b"2\n"}
        assert [*tmp_path.rglob("*.open")] == []


def test_a_folder_that_cannot_be_synced_is_synced_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Path) -> None:
        raise OSError(5, "Input/output error")

    with opened(tmp_path) as spool:
        spool.append(blocks(1))
        with monkeypatch.context() as patched:
            patched.setattr(files, "sync_folder", refused)
            with pytest.raises(OSError, match="Input"):
                spool.rotate()
        assert spool.closed == {}
        spool.append(blocks(2))
        spool.rotate()
        assert kept(spool) == {"a": b"1\n2\n"}
        spool.append(blocks(3))
        spool.rotate()
        assert kept(spool) == {"a": b"1\n2\n3\n"}


def test_nothing_is_deleted_once_it_is_closed(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append(blocks(1))
        spool.rotate()
        [path] = spool.closed
    spool.remove(path)
    assert path.exists()


def test_the_ids_of_the_last_events_are_known_after_a_crash(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        assert spool.recent == set()
        for number in range(20):
            spool.append(blocks(number))
    with opened(tmp_path) as spool:
        assert {"id18", "id19"} <= spool.recent  # as many frames as have RECENT bytes
        assert "id10" not in spool.recent
        [path] = spool.closed
        spool.remove(path)
    with opened(tmp_path) as spool:  # as the journal may have been killed again before it went on
        assert {"id18", "id19"} <= spool.recent


def test_the_last_ids_outlive_their_segment_and_stay_few(tmp_path: Path) -> None:
    for number in range(20):
        with opened(tmp_path) as spool:
            assert number == 0 or f"id{number - 1}" in spool.recent
            assert len(spool.recent) < 8
            spool.append(blocks(number))
            spool.rotate()
            [path] = spool.closed
            spool.remove(path)
            assert spool.waiting_bytes == 0


def test_a_segment_that_ends_later_is_not_forgotten(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append(blocks(1))
        spool.rotate()
        spool.append(blocks(2))
        spool.rotate()
        old, new = spool.closed
        spool.remove(new)
        spool.remove(old)
    with opened(tmp_path) as spool:
        assert "id2" in spool.recent


def test_a_full_disk_stops_neither_the_start_nor_the_deletion_of_what_is_uploaded(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        with opened(disk / "w0") as spool:
            spool.append(blocks(1))
            spool.rotate()
            spool.append([Block("a", b"x" * 20_000, ["id2"])])
        [path] = (disk / "w0").glob("*.open")
        with path.open("ab") as torn:
            torn.write(b"0 0 ")
        fill(disk)
        with opened(disk / "w0") as spool:
            first, last = spool.closed
            assert "id2" in spool.recent
            assert read_index(first)
            with pytest.raises(DamagedSegmentError):
                read_index(last)
            spool.remove(last)
            assert spool.waiting_bytes == first.stat().st_size
        with opened(disk / "w0") as spool:
            assert "id2" in spool.recent


def fill(disk: Path) -> None:
    """Write a file as large as there is room for."""
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 1000)
        except OSError:
            pass


def test_a_segment_without_its_first_line_is_put_aside(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append(blocks(1))
        spool.rotate()
        [path] = spool.closed
    content = b"?" + path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(DamagedSegmentError) as caught:
        read_index(path)
    assert put_aside(path, caught.value.offset).read_bytes() == content
    assert read_index(path) == {}
    with opened(tmp_path) as spool:
        assert spool.adopt() == ([], [])
        spool.remove(path)
        assert spool.closed == {}


def test_two_outputs_cannot_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOCK_TIMEOUT_S", 0)
    with opened(tmp_path), pytest.raises(OSError, match="another output s3 writes to"):
        Spool(tmp_path, "main-w0", HEADER, RECENT)


def test_what_a_worker_has_left_is_taken_over_once(tmp_path: Path) -> None:
    with opened(tmp_path / "w1") as gone:
        gone.append(blocks(1))
        gone.rotate()
        gone.append(blocks(2))
    with opened(tmp_path / "w2") as lives, opened(tmp_path / "w0") as spool:
        lives.append(blocks(3))
        taken, foreign = spool.adopt()
        assert (len(taken), foreign) == (2, [])
        assert sorted(kept(spool)["a"].split()) == [b"1", b"2"]
        assert spool.adopt() == ([], [])
        assert lives.size
    with opened(tmp_path / "w1") as back:  # its journal may still have its last events
        assert back.closed == {}
        assert "id2" in back.recent


@pytest.mark.parametrize("other", [Header("b", "", "", "", ""), Header("logs", "http://x", "", "", "")])
def test_what_goes_to_another_bucket_is_left_and_reported(tmp_path: Path, other: Header) -> None:
    with opened(tmp_path / "old", other) as gone:
        gone.append(blocks(1))
    with opened(tmp_path / "w0") as spool:
        assert spool.adopt() == ([], [tmp_path / "old"])
        assert spool.closed == {}
    with opened(tmp_path / "old") as back:
        assert kept(back) == {"a": b"1\n"}


def test_another_bucket_later(tmp_path: Path) -> None:
    """The events are known, and taken over when no other output has that bucket."""
    with opened(tmp_path / "w0-s3_0-old", Header("b", "", "", "", "")) as before:
        before.append(blocks(1))
    with opened(tmp_path / "w0-s3_1-new") as spool:
        assert "id1" not in spool.recent
        assert spool.adopt(any_bucket=True) == ([], [tmp_path / "w0-s3_0-old"])
    with opened(tmp_path / "w0-s3_0-new") as spool:
        assert "id1" in spool.recent
        assert spool.adopt() == ([], [tmp_path / "w0-s3_0-old"])
        taken, foreign = spool.adopt(any_bucket=True)
        assert (len(taken), foreign) == (1, [])
        assert kept(spool) == {"a": b"1\n"}


def test_ids_of_a_damaged_segment_end_where_it_does(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append(blocks(1))
        spool.rotate()
        [path] = spool.closed
    with path.open("ab") as file:
        file.write(b"0 7 7\n")
    assert last_ids(path, RECENT)[0][1] == ["id1"]
