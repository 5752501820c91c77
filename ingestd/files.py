"""Files that survive a crash: locks, writes that reach the disk, and replacing a file in one step.

A file's content is durable once the file was synced, its name once the folder was: fsync(2),
https://man7.org/linux/man-pages/man2/fsync.2.html. All functions raise OSError.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_POLL_S = 0.05

IMPOSSIBLE_NAME = frozenset({errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ELOOP})
"""Errors of a file's name and not of the disk: waiting does not help."""


def readable_path(path: str | Path) -> str:
    """Return a path as valid text: bytes of it that are not UTF-8 as ``\\xb7``, which ``os`` has as surrogates."""
    return os.fsencode(path).decode(errors="backslashreplace")


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Lock an open file unless another process has locked it; return whether we hold the lock now.

    The kernel releases it when the descriptor is closed, also when the process is killed: flock(2). A ``shared`` lock
    is refused only while another process holds one that is not shared.
    """
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_for_lock(fd: int) -> None:
    """Lock an open file, waiting until no other process holds the lock."""
    fcntl.flock(fd, fcntl.LOCK_EX)


def release_lock(fd: int) -> None:
    """Release the lock of a file that stays open."""
    fcntl.flock(fd, fcntl.LOCK_UN)


def lock_file(
    path: Path, busy: Exception, *, mode: int = 0o640, timeout_s: float = 0, for_all_writers: bool = True
) -> int:
    """Lock a file, created with its folders if missing; return the descriptor, which holds the lock until closed.

    A symbolic link is not followed. ``for_all_writers``: if root makes it, all who may create files there can open it.

    Raises:
        busy: Another process still holds the lock after ``timeout_s`` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    fd = _open_lock(path, mode, for_all_writers=for_all_writers)
    deadline = time.monotonic() + timeout_s
    while not try_lock(fd):
        if time.monotonic() >= deadline:
            os.close(fd)
            raise busy
        time.sleep(_POLL_S)
    return fd


def _open_lock(path: Path, mode: int, *, for_all_writers: bool) -> int:
    flags = os.O_RDWR | os.O_CREAT
    try:
        fd = _open_itself(path, flags | os.O_EXCL, mode)
    except FileExistsError:
        return _open_itself(path, flags, mode)
    if os.geteuid() == 0:
        _give_to_folder(fd, path.parent.stat(), for_all_writers=for_all_writers)
    return fd


def _open_itself(path: Path, flags: int, mode: int) -> int:
    """Open a file and no symbolic link, with which another user could choose what is made or written."""
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno == errno.ELOOP and path.is_symlink():
            text = "it is a symbolic link, which is not followed: remove it"
            raise OSError(errno.ELOOP, text, str(path)) from None
        raise


def _give_to_folder(fd: int, folder: os.stat_result, *, for_all_writers: bool) -> None:
    """Give a lock that root has just made in a folder to the folder's owner; others who may write there can open it."""
    writers = folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH) if for_all_writers else 0
    os.fchown(fd, folder.st_uid, folder.st_gid)
    os.fchmod(fd, stat.S_IMODE(os.fstat(fd).st_mode) | writers | writers << 1)


def overwrite(path: Path, content: bytes, size: int) -> None:
    """Write a file in place, padded with blanks to its usual ``size``, so that a full disk is in the way only once.

    A symbolic link is not followed. Not for what must survive a crash: use `write_atomic` for that.
    """
    fd = _open_itself(path, os.O_WRONLY | os.O_CREAT, 0o640)
    try:
        content = content.ljust(max(size, os.fstat(fd).st_size))
        if os.pwrite(fd, content, 0) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(fd)


@contextlib.contextmanager
def locked_file(path: Path, busy: Exception) -> Iterator[None]:
    """Hold the lock of a file, created with its folders if missing.

    Raises:
        busy: Another process holds the lock.
    """
    fd = lock_file(path, busy)
    try:
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which must exist.

    Raises:
        BlockingIOError: Another process holds the lock.
    """
    fd = open_folder(folder)
    try:
        if not try_lock(fd):
            raise BlockingIOError(errno.EWOULDBLOCK, "locked by another process", str(folder))
        yield
    finally:
        os.close(fd)


Version = tuple[int, int, int]
"""Inode, size and time of modification in ns: of two versions of a file, one of them differs."""


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """Return the content of a regular file. Never waits, as a pipe would make it.

    Raises:
        OSError: It cannot be read, is not a regular file, or has more than ``max_bytes`` bytes.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it has more than {max_bytes:,} bytes", str(path))
    return content


MAX_SECRET_BYTES = 65_536
"""Of a file with a password, a token or a URL: a larger one is not what was meant."""


def read_secret(path: Path) -> str:
    """Return the secret in a file, without space around it.

    Raises:
        ValueError: It cannot be read, is too large, not UTF-8 or empty; the text says so and quotes nothing of it.
    """
    try:
        text = read_bounded(path, MAX_SECRET_BYTES).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {read_failure(error, path)}") from None
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def read_failure(error: OSError | UnicodeDecodeError, file: Path) -> str:
    """Return why a file cannot be read. In a container, it may be mounted from outside: then only uids are known."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    reason = error.strerror or str(error)
    if isinstance(error, PermissionError):
        reason += f"; ingestd runs with the uid {os.geteuid()}"
        with contextlib.suppress(OSError):
            reason += f", the file belongs to the uid {file.stat().st_uid}"
    return reason


def file_version(path: Path, *, follow_symlinks: bool = True) -> Version | None:
    """Return the version of a file; None if it cannot be looked at."""
    try:
        found = path.stat(follow_symlinks=follow_symlinks)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: of files that were created, renamed or deleted."""
    fd = open_folder(folder)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def open_folder(folder: Path) -> int:
    """Return a descriptor of a folder, to lock or sync it. Raises OSError."""
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def sync_file(path: Path) -> None:
    """Make the content of a file durable, whoever wrote it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data``. When this raises, a part of it may be written."""
    done = os.write(fd, data)
    while done < len(data):  # a disk that is nearly full takes a part; the next call raises
        done += os.write(fd, data[done:])


@contextlib.contextmanager
def open_synced(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Open a file for writing from scratch; when the block ends without an exception, its content is durable.

    ``mode``: the rights of a new file, less those that the umask takes away.
    """
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and make its content durable. After a crash it may hold only a part."""
    with open_synced(path) as file:
        file.write(data)


def rename_synced(source: Path, target: Path) -> None:
    """Rename a file or folder within its parent folder or into another, replacing a file ``target``; durable.

    The content must have been synced before.
    """
    source.replace(target)
    sync_folder(target.parent)


@contextlib.contextmanager
def open_atomic(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Open a temporary file that replaces ``path`` when the block ends without an exception; otherwise it is deleted.

    After a crash ``path`` holds all of the old content or all of the new, and the new once the block has ended.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        with open_synced(temporary, mode) as file:
            yield file
        rename_synced(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_atomic(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Replace the content of a file, which is created if missing: after a crash it is the old or the new one, whole.

    ``mode``: its rights from then on, less those that the umask takes away.
    """
    with open_atomic(path, mode) as file:
        file.write(data)


def folder_problem(folder: Path) -> str:
    """Return why a folder cannot be there, or be made, a sentence; empty: it is there, or can be made.

    Whether this process may write there is not looked at: another user may run the daemon.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists() or path.parent == path)
    return "" if existing.is_dir() else f"{existing} is not a folder"
