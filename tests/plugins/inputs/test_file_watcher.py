"""Which lines of which files the input ``file`` stores: growth, rotations, restarts, kills; each line once."""

from __future__ import annotations

import errno
import gzip
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ingestd.plugins.inputs._file_completion import CompletedAction
from ingestd.plugins.inputs._file_discovery import Discovery
from ingestd.protocols.framing.grouping import LineGrouping
from tests.plugins.inputs.file_site import FileSite
from tests.random_cases import sampled

LONG = "".join(f"a line of the file, number {number}\n" for number in range(100))
LINES = LONG.splitlines()


@pytest.fixture(autouse=True)
def close_files() -> Iterator[None]:
    """Close what the inputs of a test have open."""
    yield
    while FileSite.made:
        FileSite.made.pop().watcher.close()


def more(count: int, start: int = 0) -> str:
    """Return lines of their own."""
    return "".join(f"line {number} and some text after it\n" for number in range(start, start + count))


async def test_lines_as_they_come(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "*.log")
    site.write("a.log", "one\ntwo\nhal")
    site.write("b.txt", "not read\n")
    assert await site.round() == ["one", "two"]
    assert await site.round() == []
    site.write("a.log", "f\n")
    site.write("c.log", "new\n")
    assert await site.round() == ["half", "new"]
    (stream, offset, _), *_ = [chunk for chunk in site.stored.chunks if chunk[2] == b"half\n"]
    assert offset == len("one\ntwo\n"), "the place of an event is that in the file"
    assert site.stored.fields[stream] == {"path": str(site.logs / "a.log")}


async def test_renamed_while_it_grows(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "*.log")
    site.write("a.log", "one\n")
    await site.round()
    site.write("a.log", "two\n")
    site.rename("a.log", "a.log.1")
    site.write("a.log", "three\n")
    assert sorted(await site.round()) == ["three", "two"]
    site.write("a.log.1", "its writer has it open\n")
    assert await site.round(seconds=30) == ["its writer has it open"]
    site.write("a.log.1", "and never ends this line")
    assert await site.round(seconds=30) == []
    assert await site.rounds(3, seconds=61) == ["and never ends this line"]
    assert [file.path for file in site.watcher.files.values()] == [str(site.logs / "a.log")]


async def test_renamed_to_a_name_that_is_read(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "a.log*")
    site.write("a.log", "one\n")
    await site.round()
    for number in range(4):
        for old in range(number, 0, -1):
            site.rename(f"a.log.{old}", f"a.log.{old + 1}")
        site.rename("a.log", "a.log.1")
        site.write("a.log", f"new {number}\n")
        assert await site.rounds() == [f"new {number}"]
    site.write("a.log.2", "late\n")
    assert await site.rounds() == ["late"]


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
@pytest.mark.parametrize("killed", [False, True], ids=["running", "killed"])
async def test_rotated_by_copying_and_emptying(tmp_path: Path, compressed: bool, killed: bool) -> None:
    """What was written and not read yet is in the copy, and read from there if the copy has a name that is read."""
    site = FileSite(tmp_path, "a.log*")
    site.write("a.log", more(20))
    await site.round()
    site.write("a.log", more(5, 20))
    site.copy_and_empty("a.log", "a.log.1")
    if compressed:
        site.compress("a.log.1")
    site.write("a.log", more(3, 25))
    if killed:
        site.kill()
    await site.rounds(4)
    site.assert_once(more(28).splitlines())
    site.kill()
    site.write("a.log", more(1, 28))
    await site.rounds()
    site.assert_once(more(29).splitlines())


async def test_emptied_and_longer_at_once(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "*.log")
    site.write("a.log", "old one\nold two\n")
    await site.round()
    (site.logs / "a.log").write_text("new one\nnew two\nnew three\n")
    assert await site.rounds() == ["new one", "new two", "new three"]
    assert len(site.stored.ends) == 2, "it is another stream: its offsets start again"


async def test_inode_numbers_are_used_again(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "*.log")
    site.write("a.log", "old one\nold two\n")
    await site.round()
    await site.stop()
    (site.logs / "a.log").write_text("new one\nnew two\nnew three\n")  # the same inode number, while nothing runs
    site.start()
    assert await site.rounds() == ["new one", "new two", "new three"]


async def test_compressed_after_its_rotation(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "a.log*")
    site.write("a.log", LONG)
    await site.round()
    site.rename("a.log", "a.log.1")
    site.write("a.log", "new\n")
    assert await site.rounds() == ["new"]
    site.compress("a.log.1")
    assert await site.rounds(4, seconds=10) == []
    site.kill()
    assert await site.rounds() == []


async def test_compressed_while_nothing_runs(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "a.log*")
    site.write("a.log", more(20))
    await site.round()
    site.watcher.close()
    site.write("a.log", more(3, 20))
    site.rename("a.log", "a.log.1")
    site.compress("a.log.1")
    site.write("a.log", more(2, 23))
    site.start()
    await site.rounds(4)
    site.assert_once(more(25).splitlines())


async def test_a_compressed_file_that_is_still_written(tmp_path: Path) -> None:
    site = FileSite(tmp_path)
    data = gzip.compress(os.urandom(30000).hex().encode() + b"\nlast\n")
    (site.logs / "a.gz").write_bytes(data[:20000])
    assert await site.rounds() == []
    assert site.problems.sentences() == []
    (site.logs / "a.gz").write_bytes(data)
    await site.rounds()
    assert site.stored.lines == ["last"]
    assert len(site.stored.rejected) == 1, "the first line is too long"


async def test_a_compressed_file_that_stays_cut_off(tmp_path: Path) -> None:
    site = FileSite(tmp_path)
    (site.logs / "a.gz").write_bytes(gzip.compress(LONG.encode())[:-9])
    site.make_old("a.gz")
    await site.rounds()
    assert len(site.problems.sentences()) == 1
    assert "cut off" in site.problems.sentences()[0]


async def test_equal_content_is_no_copy(tmp_path: Path) -> None:
    """Only names that start like the original's are compared."""
    site = FileSite(tmp_path, "*.log")
    site.write("a.log", LONG)
    site.write("b.log", LONG)
    assert len(await site.rounds()) == 200
    site.rename("a.log", "gone")
    site.write("c.log", LONG)
    assert len(await site.rounds()) == 100


async def test_renamed_while_nothing_runs(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "*.log")
    site.write("a.log", "one\n")
    await site.round()
    site.watcher.close()
    site.write("a.log", "two\n")
    site.rename("a.log", "a.log.1")
    site.write("a.log", "three\n")
    site.start()
    assert sorted(await site.rounds()) == ["three", "two"]


@pytest.mark.parametrize("from_end", [False, True])
async def test_where_files_start(tmp_path: Path, from_end: bool) -> None:
    site = FileSite(tmp_path, "*.log", from_end=from_end)
    site.write("a.log", "old\nhal")
    (site.logs / "z.log").write_bytes(gzip.compress(b"compressed\n"))
    assert await site.round() == ([] if from_end else ["old", "compressed"])
    site.write("a.log", "f\n")
    site.write("b.log", "new\n")
    assert await site.round() == ["half", "new"]
    site.kill()
    site.write("c.log", "while nothing ran\n")
    assert await site.rounds() == ["while nothing ran"]


async def test_positions_of_logstash(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("read\nnot read\n")
    status = (tmp_path / "logs" / "a.log").stat()
    text = f"{status.st_ino} 0 {status.st_dev} 5 1764000000.5 {tmp_path}/logs/a.log\n77 0 1 5\n"
    (tmp_path / "sincedb").write_text(text)
    (tmp_path / "logs" / "a.log").rename(tmp_path / "a.log")
    (tmp_path / "logs").rmdir()
    site = FileSite(tmp_path, "*.log")
    (tmp_path / "a.log").rename(site.logs / "a.log")
    assert await site.round() == ["not read"]


async def test_ignore_older(tmp_path: Path) -> None:
    site = FileSite(tmp_path, ignore_older=600)
    site.write("old.log", "old\n")
    site.make_old("old.log")
    site.write("new.log", "new\n")
    assert await site.rounds() == ["new"]
    site.write("old.log", "changed\n")
    assert await site.rounds() == ["old", "changed"]


async def test_exclude_and_patterns(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "**/*.{log,txt}", exclude=["*.tmp.log"])
    for name in ("a.log", "sub/b.txt", "sub/deeper/c.log", "sub/d.gz", "e.tmp.log"):
        site.write(name, f"{name}\n")
    assert sorted(await site.round()) == ["a.log", "sub/b.txt", "sub/deeper/c.log"]


@pytest.mark.parametrize("pattern", ["**/*.log", "**"])
def test_folders_at_any_depth(pattern: str, tmp_path: Path) -> None:
    """Links are followed, unless they lead back: each of these two would double the paths at every level."""
    folder, other = tmp_path / "logs", tmp_path / "other"
    names = ["a.log", "b/c[1]/d.log", ".hidden/e.log", "b/.f.log"]
    for path in (other / "g.log", *(folder / name for name in names)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    for name, target in {"one": folder, "b/two": folder, "b/other": other, "b/self": folder / "b/self"}.items():
        (folder / name).symlink_to(target)
    found, _ = Discovery([f"{folder}/{pattern}"], []).find()
    assert sorted(found) == [f"{folder}/{name}" for name in ("a.log", "b/c[1]/d.log", "b/other/g.log")]


async def test_more_files_than_may_be_open(tmp_path: Path) -> None:
    site = FileSite(tmp_path, max_open_files=3)
    for turn in range(3):
        for number in range(10):
            site.write(f"{number}.log", f"{turn} {number}\n")
        assert sorted(await site.round()) == [f"{turn} {number}" for number in range(10)]
        assert sum(file.is_open for file in site.watcher.files.values()) == 3
    for number in range(10):
        site.write(f"{number}.log", f"last {number}\n")
        site.rename(f"{number}.log", f"old.{number}")
    assert sorted(await site.rounds()) == [f"last {number}" for number in range(10)], "found by its inode number"


async def test_many_rotated_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their folder is listed once, though they were closed, and once more by the next process."""
    site, listed = FileSite(tmp_path, "*.log", close_older=100), list[str]()
    names = [f"{number}.log" for number in range(50)]
    for name in names:
        site.write(name, f"first of {name}\n")
    await site.rounds(2, seconds=200)
    for name in names:
        site.write(name, f"last of {name}\n")
        site.rename(name, name + ".1")
    real = os.scandir

    def listing(folder: Any) -> Any:
        listed.append(str(folder))
        return real(folder)

    monkeypatch.setattr(os, "scandir", listing)
    found = await site.round(discover=False)
    assert len(listed) == 1
    for name in names:
        site.write(name + ".1", f"very last of {name}\n")
    site.kill()
    del listed[:]
    found += await site.round()
    assert len(listed) < 10  # discovery does so as well
    assert Counter(found) == Counter(f"{which} of {name}" for name in names for which in ("last", "very last"))


async def test_renamed_while_its_folder_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, real = FileSite(tmp_path, "*.log", close_older=100), os.scandir
    for name in ("a.log", "b.log"):
        site.write(name, "first\n")
    await site.rounds(2, seconds=200)
    site.rename("a.log", "a.1")
    site.write("b.log", "last\n")

    def listing(folder: Any) -> Any:
        monkeypatch.setattr(os, "scandir", real)
        entries = list(real(folder))
        site.rename("b.log", "b.1")
        return nullcontext(entries)

    monkeypatch.setattr(os, "scandir", listing)
    assert await site.round(discover=False) == ["last"]


async def test_close_older(tmp_path: Path) -> None:
    site = FileSite(tmp_path, close_older=100)
    site.write("a.log", "one\n")
    await site.rounds(3, seconds=60)
    assert not any(file.is_open for file in site.watcher.files.values())
    site.write("a.log", "two\n")
    assert await site.round() == ["two"]


async def test_turns_are_bounded(tmp_path: Path) -> None:
    site = FileSite(tmp_path, turn_bytes=300, chunk_bytes=100)
    site.write("a.log", LONG)
    site.write("b.log", "short\n")
    lines = await site.round()
    assert "short" in lines
    assert len(lines) < 20
    while site.watcher.behind:
        lines += await site.round()
    assert sorted(lines) == sorted(["short", *LINES])


async def test_long_lines(tmp_path: Path) -> None:
    site = FileSite(tmp_path)
    site.write("a.log", "one\n" + "x" * 5000)
    assert await site.round() == ["one"]
    for _ in range(3):
        site.write("a.log", "x" * 5000)
        assert await site.round() == []
    site.write("a.log", "x\ntwo\n")
    assert await site.round() == ["two"]
    assert [(offset, raw[:3]) for _, offset, raw in site.stored.rejected] == [(4, b"xxx")]


def _grouping(flush_seconds: float) -> LineGrouping:
    return LineGrouping(
        lambda line: line.startswith(b" "),
        following=False,
        max_lines=100,
        max_bytes=1 << 20,
        longest=1000,
        flush_seconds=flush_seconds,
    )


async def test_messages_of_several_lines(tmp_path: Path) -> None:
    site = FileSite(tmp_path, grouping=_grouping(0))
    site.write("a.log", "error\n  at one\n")
    site.write("b.log", "other\n")
    assert await site.rounds() == []
    site.write("a.log", "  at two\nnext\n")
    await site.round()
    assert [data for _, _, data in site.stored.chunks] == [b"error\n  at one\n  at two\n"]
    site.kill()
    site.write("a.log", "  of next\nlast\n")
    await site.rounds()
    assert [data for _, _, data in site.stored.chunks][1:] == [b"next\n  of next\n"]


async def test_a_message_that_waits_long_enough(tmp_path: Path) -> None:
    site = FileSite(tmp_path, grouping=_grouping(5))
    site.write("a.log", "error\n  at one\n  hal")
    assert await site.rounds(2) == []
    await site.rounds(2, seconds=5)
    assert [data for _, _, data in site.stored.chunks] == [b"error\n  at one\n"]


@pytest.mark.parametrize(
    ("delimiter", "text", "expected"),
    [
        ("\0", "a\0b\nc\0d", ["a", "b\nc"]),
        ("||", "a||b|c||d|", ["a", "b|c"]),
        ("<e>", "a<e>b<e", ["a"]),
    ],
    ids=["nul", "two", "three"],
)
async def test_delimiters(tmp_path: Path, delimiter: str, text: str, expected: list[str]) -> None:
    site = FileSite(tmp_path, delimiter=delimiter.encode(), chunk_bytes=1)
    site.write("a.log", text)
    await site.rounds()
    assert [(offset, data.decode()) for _, offset, data in site.stored.chunks] == [
        (text.index(line), line + delimiter) for line in expected
    ]


async def test_a_byte_order_mark_before_another_delimiter(tmp_path: Path) -> None:
    site = FileSite(tmp_path, delimiter=b"|")
    site.write("a.log", "\ufeffone|two|")
    await site.rounds()
    assert [(offset, data) for _, offset, data in site.stored.chunks] == [(3, b"one|two|")]


async def test_the_last_line_of_a_file_that_exists_already(tmp_path: Path) -> None:
    """Who wants only what is appended gets all of the last record, if that has no end yet."""
    site = FileSite(tmp_path, delimiter=b"|", from_end=True)
    site.write("a.log", "one|t\nw")
    await site.rounds()
    site.write("a.log", "o|")
    await site.rounds()
    assert [(offset, data) for _, offset, data in site.stored.chunks] == [(4, b"t\nwo|")]


@pytest.mark.parametrize(
    ("action", "left", "logged"),
    [
        (CompletedAction(delete=True), [], False),
        (CompletedAction(delete=False), ["a.log", "b.gz"], True),
        (CompletedAction(delete=True), [], True),
    ],
    ids=["delete", "log", "log_and_delete"],
)
async def test_complete_files(tmp_path: Path, action: CompletedAction, left: list[str], logged: bool) -> None:
    log = tmp_path / "read.log"
    site = FileSite(tmp_path, action=CompletedAction(action.delete, log if logged else None))
    site.write("a.log", "one\nlast")
    (site.logs / "b.gz").write_bytes(gzip.compress(b"two\nend"))
    assert sorted(await site.rounds()) == ["end", "last", "one", "two"]
    assert sorted(path.name for path in site.logs.iterdir()) == left
    if logged:
        assert log.read_text().split() == [str(site.logs / "a.log"), str(site.logs / "b.gz")]
    await site.stop()
    site.start()
    assert await site.rounds() == []
    if logged:
        assert len(log.read_text().split()) == 2


async def test_a_file_that_was_read_before_a_kill_is_deleted_after_it(tmp_path: Path) -> None:
    site = FileSite(tmp_path, action=CompletedAction(delete=True))
    site.write("a.log", "one\n")
    await site.watcher.discover()
    await site.watcher.look()
    await site.watcher.read()
    assert site.stored.lines == ["one"]
    site.kill()
    assert await site.rounds() == []
    assert list(site.logs.iterdir()) == []


async def test_a_damaged_archive_is_not_read_at_all(tmp_path: Path) -> None:
    site = FileSite(tmp_path, action=CompletedAction(delete=True), check_archives=True)
    (site.logs / "a.gz").write_bytes(gzip.compress(LONG.encode())[:-9])
    site.make_old("a.gz")
    assert await site.rounds() == []
    assert (site.logs / "a.gz").exists()
    assert "cut off" in site.problems.sentences()[0]


async def test_what_is_no_file(tmp_path: Path) -> None:
    site = FileSite(tmp_path)
    os.mkfifo(site.logs / "fifo.log")
    (site.logs / "folder.log").mkdir()
    site.write("a.log", "one\n")
    assert await site.rounds() == ["one"]
    assert site.problems.sentences() == [f"{site.logs}/fifo.log is not a regular file and is not read"]
    (site.logs / "fifo.log").unlink()
    await site.round()
    assert site.problems.sentences() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_missing_permission(tmp_path: Path) -> None:
    site = FileSite(tmp_path)
    site.write("a.log", "one\n")
    (site.logs / "a.log").chmod(0)
    assert await site.rounds() == []
    assert site.problems.sentences() == [f"{site.logs}/a.log cannot be read: Permission denied"]
    (site.logs / "a.log").chmod(0o600)
    assert await site.round() == ["one"]
    assert site.problems.sentences() == []


async def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    """It is found again after a kill and a rotation."""
    site = FileSite(tmp_path, "*.log*")
    name, other = (os.fsdecode(text.encode("euc-kr")) for text in ("로그.log", "로크.log"))
    site.write(name, "a\n")
    site.write(other, "b\n")
    assert sorted(await site.rounds()) == ["a", "b"]
    await site.stop()
    site.start()
    assert site.errors == []
    site.write(name, "c\n")
    assert await site.rounds() == ["c"]
    site.rename(name, f"{name}.1")
    site.kill()
    site.write(f"{name}.1", "d\n")
    site.write(name, "e\n")
    assert sorted(await site.rounds()) == ["d", "e"]
    assert site.problems.sentences() == []


async def test_problems_of_a_name_that_is_not_utf8_are_text(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "*.log")
    os.mkfifo(os.fsencode(site.logs) + "/로그.log".encode("euc-kr"))
    await site.rounds()
    assert site.problems.sentences() == [rf"{site.logs}/\xb7α\xd7.log is not a regular file and is not read"]


async def test_a_file_whose_content_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a broken disk, say: the other files are read, and this one as soon as it can be."""
    site, pread = FileSite(tmp_path, "*.log"), os.pread
    for name in ("a.log", "b.log"):
        site.write(name, f"{name} 1\n")
    await site.rounds()
    site.kill()

    def failing(fd: int, size: int, offset: int) -> bytes:
        if Path(f"/proc/self/fd/{fd}").readlink().name == "a.log":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pread(fd, size, offset)

    monkeypatch.setattr(os, "pread", failing)
    for name in ("a.log", "b.log"):
        site.write(name, f"{name} 2\n")
    assert await site.rounds() == ["b.log 2"]
    assert site.problems.sentences() == [f"{site.logs}/a.log cannot be read: Input/output error"]
    monkeypatch.undo()
    assert await site.rounds() == ["a.log 2"]
    assert site.problems.sentences() == []


async def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "sub/*.log")
    site.write("sub/a.log", "one\n")
    await site.round()
    site.write("sub/a.log", "two\n")
    (site.logs / "sub").rename(tmp_path / "elsewhere")
    assert await site.rounds() == ["two"]
    (tmp_path / "elsewhere").rename(site.logs / "sub")
    site.write("sub/a.log", "three\n")
    assert await site.rounds() == ["three"]


async def test_no_event_is_stored_before_its_stream_is_in_the_sincedb(tmp_path: Path) -> None:
    site = FileSite(tmp_path)
    site.sincedb.mkdir()  # it cannot be written
    site.write("a.log", "one\n")
    assert await site.rounds() == []
    assert "sincedb cannot be written" in site.problems.sentences()[0]
    site.sincedb.rmdir()
    assert await site.rounds() == ["one"]
    assert site.problems.sentences() == []


async def test_a_line_that_was_stored_is_not_stored_again_after_a_kill(tmp_path: Path) -> None:
    """The sincedb knows the files, the journal how far they were read."""
    site = FileSite(tmp_path)
    lines: list[str] = []
    for turn in range(20):
        text = more(3, 3 * turn)
        site.write("a.log", text)
        lines += text.splitlines()
        await site.round()
        site.kill()
    await site.round()
    site.assert_once(lines)


async def test_records_of_files_that_are_gone_do_not_pile_up(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "a.log")
    for turn in range(20):
        site.write("a.log", more(1, turn))
        await site.rounds(2)
        site.rename("a.log", "old")
        await site.rounds(2, seconds=61)
    await site.stop()
    assert len(site.sincedb.read_text().splitlines()) < 8
    assert len(site.stored.ends) < 8, "nor in the journal"
    site.assert_once(more(20).splitlines())


async def test_a_file_that_came_while_nothing_ran_is_read_from_its_start(tmp_path: Path) -> None:
    site = FileSite(tmp_path, from_end=True)
    await site.round()
    await site.stop()
    site.write("a.log", "one\n")
    site.start()
    assert await site.rounds() == ["one"]


async def test_a_sincedb_that_is_damaged(tmp_path: Path) -> None:
    site = FileSite(tmp_path)
    site.write("a.log", "one\n")
    site.write("b.log", "two\n")
    await site.round()
    await site.stop()
    lines = site.sincedb.read_text().splitlines()
    site.sincedb.write_text("\n".join([lines[0], lines[1][:-5], "what is this", ""]))
    site.start()
    assert len(site.errors) == 2
    assert (tmp_path / "sincedb.damaged").exists()
    assert await site.rounds() == ["two"], "its record is lost"


async def test_compressed_files_that_are_renamed(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "a.log*")
    (site.logs / "a.log.1.gz").write_bytes(gzip.compress(LONG.encode()))
    assert len(await site.rounds()) == 100
    for number in (1, 2, 3):
        site.rename(f"a.log.{number}.gz", f"a.log.{number + 1}.gz")
        assert await site.rounds(3, seconds=10) == []
        assert not any(file.is_open for file in site.watcher.files.values())
    (site.logs / "a.log.4.gz").unlink()
    assert await site.rounds(4, seconds=70) == []
    assert site.watcher.files == {}
    assert site.problems.sentences() == []


@pytest.mark.parametrize("compressed", [False, True])
async def test_an_inode_number_of_a_compressed_file_is_used_again(tmp_path: Path, compressed: bool) -> None:
    site = FileSite(tmp_path, "a.log*")
    (site.logs / "a.log.1.gz").write_bytes(gzip.compress(LONG.encode()))
    assert len(await site.round()) == 100
    await site.stop()
    text = more(20)
    (site.logs / "a.log.1.gz").write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    site.start()
    assert await site.rounds() == text.splitlines()


@pytest.mark.parametrize("killed", [False, True], ids=["running", "killed"])
@pytest.mark.parametrize("before", [LONG, ""], ids=["long", "empty"])
@pytest.mark.parametrize("name", ["a.log.1.gz", "a.log.2.gz", "a.log"])
async def test_the_next_file_has_the_inode_number_of_a_compressed_one(
    tmp_path: Path, name: str, before: str, killed: bool
) -> None:
    """As ext4 gives it again at once, often to the next archive."""
    site = FileSite(tmp_path, "*.log*")
    (site.logs / "a.log.1.gz").write_bytes(gzip.compress(before.encode()))
    await site.round()
    if killed:
        site.kill()
    text = more(20)
    (site.logs / "a.log.1.gz").write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    if name != "a.log.1.gz":
        site.rename("a.log.1.gz", name)
    assert await site.rounds() == text.splitlines()
    site.copy_and_empty(name, "a.log.copy")
    assert await site.rounds() == []


async def test_the_next_file_has_the_inode_number_of_an_empty_one(tmp_path: Path) -> None:
    """It is no continuation of it: its lines have its own path, and a copy of it is known."""
    site = FileSite(tmp_path, "*.log*")
    site.write("web.log.1", "")
    await site.round()
    site.rename("web.log.1", "app.log")
    site.write("app.log", more(5))
    await site.round(discover=False)
    await site.rounds()
    assert {fields["path"] for fields in site.stored.fields.values()} == {str(site.logs / "app.log")}
    site.copy_and_empty("app.log", "app.log.copy")
    await site.rounds(2, seconds=70)
    site.assert_once(more(5).splitlines())


async def test_compressed_while_it_is_looked_at(tmp_path: Path) -> None:
    """The program that compresses a file creates it empty."""
    site = FileSite(tmp_path, "*.log*")
    site.write("a.log.1.gz", "")
    await site.round()
    (site.logs / "a.log.1.gz").write_bytes(gzip.compress(LONG.encode()))
    assert await site.rounds() == LONG.splitlines()


async def test_renamed_while_it_is_empty(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "*.log")
    site.write("a.log", "")
    await site.round()
    site.rename("a.log", "a.log.1")
    await site.round()
    site.write("a.log.1", "its writer has it open\n")
    assert await site.rounds() == ["its writer has it open"]


@pytest.mark.parametrize("empty", [False, True], ids=["found_with_lines", "found_empty"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
async def test_killed_right_after_the_first_lines_of_a_file(tmp_path: Path, empty: bool, compressed: bool) -> None:
    """Whatever is stored, its copy is known: the first bytes of a file are saved before."""
    site = FileSite(tmp_path, "a.log*")
    if empty:
        site.write("a.log", "")
        await site.round()
    site.write("a.log", more(20))
    await site.watcher.discover()
    await site.watcher.look()
    saved = site.sincedb.read_bytes()
    await site.watcher.read()
    assert len(site.stored.lines) == 20
    site.sincedb.write_bytes(saved)
    site.write("a.log", more(5, 20))
    site.copy_and_empty("a.log", "a.log.1")
    if compressed:
        site.compress("a.log.1")
    site.write("a.log", more(3, 25))
    site.kill()
    await site.rounds(4)
    site.assert_once(more(28).splitlines())


async def test_emptied_and_longer_at_once_after_a_kill(tmp_path: Path) -> None:
    """The sincedb is older than what the journal knows."""
    site = FileSite(tmp_path, "*.log")
    site.write("a.log", more(5))
    await site.round()
    site.kill()
    await site.round()
    (site.logs / "a.log").write_text(more(20, 5))
    assert await site.rounds() == more(20, 5).splitlines()


async def test_emptied_before_anything_was_read(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "a.log*")
    site.write("a.log", more(3))
    await site.watcher.discover()
    site.copy_and_empty("a.log", "a.log.copy")
    await site.round()
    site.write("a.log", more(9, 3))
    await site.rounds(4)
    site.assert_once(more(12).splitlines())


async def test_an_older_copy_of_a_file_that_ended(tmp_path: Path) -> None:
    site = FileSite(tmp_path, "a.log*")
    site.write("a.log", more(5))
    await site.round()
    site.kill()
    await site.round()
    site.write("a.log", more(5, 5))
    await site.round()
    text = more(5)
    (site.logs / "a.log").unlink()
    await site.rounds(2, seconds=10)
    site.kill()
    site.write("a.log.copy", text)
    assert await site.rounds(4) == []


SORTED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("path", {"by_path": True}, ["a", "b", "c"]),
    ("path_desc", {"by_path": True, "descending": True}, ["c", "b", "a"]),
    ("last_modified", {"by_path": False}, ["c", "a", "b"]),
    ("last_modified_desc", {"by_path": False, "descending": True}, ["b", "a", "c"]),
]


@pytest.mark.parametrize(("options", "expected"), [row[1:] for row in SORTED], ids=[row[0] for row in SORTED])
async def test_the_order_of_files(tmp_path: Path, options: dict[str, Any], expected: list[str]) -> None:
    site = FileSite(tmp_path, **options)
    for age, name in enumerate("bac"):
        site.write(name, f"{name}\n")
        site.make_old(name, 100 * (age + 1))
    assert await site.round() == expected


_NAMES = ("app", "web")


class _Site:
    """Programs that log and rotate in random order, and an input that is killed now and then."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.site, self._random = FileSite(folder, "*.log*"), random
        self.lines: list[str] = []
        self._copies = 0

    def log(self) -> None:
        """Write some lines, perhaps in two pieces."""
        name = self._random.choice(_NAMES)
        count = self._random.randint(1, 5)
        text = "".join(f"{name} line {len(self.lines) + number} {'x' * 60}\n" for number in range(count))
        self.lines += text.splitlines()
        self.site.write(f"{name}.log", text)

    def rotate(self) -> None:
        """Rename, as logrotate does, the oldest compressed, or deleted if it was read."""
        name = self._random.choice(_NAMES)
        logs = self.site.logs
        for old in (logs / f"{name}.log.2.gz", logs / f"{name}.log.2"):
            old.unlink(missing_ok=True)
        if (logs / f"{name}.log.1").exists():
            self.site.rename(f"{name}.log.1", f"{name}.log.2")
            if self._random.random() < 0.6:
                self.site.compress(f"{name}.log.2")
        if (logs / f"{name}.log").exists():
            self.site.rename(f"{name}.log", f"{name}.log.1")

    def copy(self) -> None:
        """Copy and empty a file, whether it was read or not."""
        name = self._random.choice(_NAMES)
        if (self.site.logs / f"{name}.log").exists():
            self._copies += 1
            self.site.copy_and_empty(f"{name}.log", f"{name}.log.copy.{self._copies}")

    async def act(self) -> None:
        """Do anything."""
        action = self._random.choices(("log", "rotate", "copy", "kill", "round", "stop"), (6, 2, 2, 2, 5, 1))[0]
        if action == "log":
            self.log()
        elif action == "rotate":
            await self.site.rounds(2, seconds=self._random.choice((1, 70)))  # else a deleted file may be unread
            self.rotate()
        elif action == "copy":
            self.copy()
        elif action == "kill":
            self.site.kill()
        elif action == "stop":
            await self.site.stop()
            self.site.start()
        else:
            await self.site.round(discover=self._random.random() < 0.5)


@pytest.mark.parametrize("row", sampled(range(60)))
async def test_every_line_once_whatever_happens(tmp_path: Path, row: int) -> None:
    random = Random(row)
    site = _Site(tmp_path, random)
    for _ in range(60):
        await site.act()
    await site.site.rounds(4)
    site.site.assert_once(site.lines)
