"""Locks between processes, and writes that are whole after a crash at any step."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd import files
from ingestd.stores.backups import Repository
from ingestd.stores.local.backup.backups import load_repositories, save_repositories
from ingestd.supervisor import pidfile

_KILLED = 9


class BusyError(Exception):
    """Raised instead of waiting."""


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every system call that makes something durable or changes a name, with the name of the file it is for."""
    done: list[tuple[str, str]] = []

    def recorded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(first: Any, *args: Any) -> Any:
            path = Path(f"/proc/self/fd/{first}").readlink() if isinstance(first, int) else Path(first)
            done.append((name, "temporary" if path.name.endswith(".tmp") else path.name))
            return function(first, *args)

        return call

    for name in ("fsync", "rename", "replace"):
        monkeypatch.setattr(os, name, recorded(name, getattr(os, name)))
    return done


def holder(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock of a file."""
    code = "import sys, pathlib; from ingestd import files; files.lock_file(pathlib.Path(sys.argv[1]), Exception()); "
    code += "print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    path = tmp_path / "new" / "lock"
    for process in holder(path):
        yield path, process


def test_one_process_holds_a_lock(held: tuple[Path, subprocess.Popen[bytes]]) -> None:
    path, process = held
    with pytest.raises(BusyError):
        files.lock_file(path, BusyError())
    with pytest.raises(BusyError), files.locked_file(path, BusyError()):
        pass
    with path.open("rb") as file:
        assert not files.try_lock(file.fileno())
        assert not files.try_lock(file.fileno(), shared=True)
    process.kill()
    process.wait()
    with (
        files.locked_file(path, BusyError()),
        pytest.raises(BusyError),
    ):  # per open file
        files.lock_file(path, BusyError())
    os.close(files.lock_file(path, BusyError()))


def test_waiting_for_a_lock(held: tuple[Path, subprocess.Popen[bytes]]) -> None:
    path, process = held
    start = time.monotonic()
    with pytest.raises(BusyError):
        files.lock_file(path, BusyError(), timeout_s=0.2)
    assert time.monotonic() - start >= 0.2
    process.kill()
    os.close(files.lock_file(path, BusyError(), timeout_s=60))


@pytest.mark.parametrize("there", [True, False], ids=["there", "dangling"])
@pytest.mark.parametrize(
    "write",
    [lambda path: files.lock_file(path, BusyError()), lambda path: files.overwrite(path, b"new", 3)],
    ids=["lock", "overwrite"],
)
def test_a_link_is_not_followed(write: Callable[[Path], object], there: bool, tmp_path: Path) -> None:
    """Root may write into a folder in which others can put links."""
    path, target = tmp_path / "lock", tmp_path / "target"
    path.symlink_to(target)
    if there:
        target.write_text("old")
    with pytest.raises(OSError, match="it is a symbolic link, which is not followed: remove it"):
        write(path)
    assert target.read_text() == "old" if there else not target.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed")
def test_others_cannot_write_the_pid_file_of_root(tmp_path: Path) -> None:
    """Unlike other locks that root makes where they may write."""
    tmp_path.chmod(0o1777)
    for fd in (pidfile.claim(tmp_path), files.lock_file(tmp_path / "lock", BusyError())):
        os.close(fd)
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("ingestd.pid", "lock")}
    assert modes == {"ingestd.pid": 0o644, "lock": 0o666}


def test_shared_locks_go_together(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with path.open("rb") as first, path.open("rb") as second:
        assert files.try_lock(first.fileno(), shared=True)
        assert files.try_lock(second.fileno(), shared=True)
        assert not files.try_lock(second.fileno())
        files.release_lock(first.fileno())
        files.wait_for_lock(second.fileno())
        assert not files.try_lock(first.fileno(), shared=True)


def test_lock_of_a_folder(tmp_path: Path) -> None:
    with files.locked_folder(tmp_path), pytest.raises(BlockingIOError), files.locked_folder(tmp_path):
        pass
    with files.locked_folder(tmp_path):
        pass


def test_the_content_is_durable_before_its_name(tmp_path: Path, steps: list[tuple[str, str]]) -> None:
    files.write_atomic(tmp_path / "file", b"new")
    assert steps == [("fsync", "temporary"), ("replace", "temporary"), ("fsync", tmp_path.name)]
    assert (tmp_path / "file").read_bytes() == b"new"


def test_the_list_of_repositories_is_durable(tmp_path: Path, steps: list[tuple[str, str]]) -> None:
    """Retention deletes what is in a backup, so the way to that backup must survive a power cut."""
    repositories = [Repository("nas", "fs", {"location": "/mnt/nas"})]
    save_repositories(tmp_path, repositories)
    assert steps == [("fsync", "temporary"), ("replace", "temporary"), ("fsync", tmp_path.name)]
    assert load_repositories(tmp_path) == repositories


def test_an_exception_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail() -> None:
        with files.open_atomic(path) as file:
            file.write(b"half of the new")
            raise BusyError

    with pytest.raises(BusyError):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path], "no temporary file is left"


def test_killed_at_each_step(tmp_path: Path) -> None:
    """Whichever step is the last, the file has one of the two contents."""
    seen = set()
    for step in range(1, 10):
        path = tmp_path / str(step) / "file"
        path.parent.mkdir()
        path.write_bytes(b"old")
        code = die_at(step, path)
        seen.add(path.read_bytes())
        if code == 0:
            break
    assert seen == {b"old", b"new"}
    assert step > 3


def die_at(step: int, path: Path) -> int:
    """Return the exit code of a process that replaces a file and dies before the given system call."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    left = step

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            nonlocal left
            left -= 1
            if not left:
                os._exit(_KILLED)
            return function(*args)

        return call

    for name in ("fsync", "rename", "replace"):
        setattr(os, name, counted(getattr(os, name)))
    code = 1
    try:
        files.write_atomic(path, b"new")
        code = 0
    finally:
        os._exit(code)


def test_write_all_to_a_slow_reader(tmp_path: Path) -> None:
    """A pipe takes as much as it has room for; the rest follows."""
    source, target = os.pipe()
    data = os.urandom(1 << 20)
    with subprocess.Popen(["cat"], stdin=source, stdout=subprocess.PIPE) as reader:
        os.close(source)
        writer = os.fork()
        if not writer:
            files.write_all(target, data)
            os._exit(0)
        os.close(target)
        assert reader.communicate()[0] == data
        assert os.waitpid(writer, 0)[1] == 0


def test_versions_of_a_file_differ(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    assert files.file_version(file) is None
    file.write_text("a")
    link.symlink_to(file)
    first = files.file_version(file)
    assert files.file_version(link) == first != files.file_version(link, follow_symlinks=False)
    file.write_text("ab")
    assert files.file_version(file) != first


def _fifo(path: Path) -> None:
    os.mkfifo(path)


READ: list[tuple[str, Callable[[Path], object], str]] = [  # id, what makes the file, what the error says
    ("good", lambda path: path.write_text(" hunter2\n"), ""),
    ("most", lambda path: path.write_text("x" * files.MAX_SECRET_BYTES), ""),
    ("too_large", lambda path: path.write_text("x" * (files.MAX_SECRET_BYTES + 1)), "it has more than 65,536 bytes"),
    ("missing", lambda path: None, "No such file or directory"),
    ("folder", Path.mkdir, "Is a directory"),
    ("device", lambda path: path.symlink_to("/dev/zero"), "it is not a regular file"),
    ("pipe", _fifo, "it is not a regular file"),
    ("binary", lambda path: path.write_bytes(b"\xffhunter2"), "it is not UTF-8 text"),
    ("empty", lambda path: path.write_text(" \n"), "is empty"),
]


@pytest.mark.parametrize(("make", "error"), [case[1:] for case in READ], ids=[case[0] for case in READ])
def test_a_secret_is_read_from_a_small_regular_file(make: Callable[[Path], object], error: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    make(path)
    if not error:
        assert files.read_secret(path) == path.read_text().strip()
        return
    with pytest.raises(ValueError, match=error) as found:
        files.read_secret(path)
    assert str(path) in str(found.value)
    assert "hunter2" not in str(found.value)
