"""Which files the patterns of the input ``file`` name."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

_BRACES = re.compile(r"\{([^{}]*)\}")


def with_braces(pattern: str) -> list[str]:
    """Return the patterns that one with ``{a,b}`` stands for."""
    match = _BRACES.search(pattern)
    if match is None:
        return [pattern]
    before, after = pattern[: match.start()], pattern[match.end() :]
    return [text for part in match[1].split(",") for text in with_braces(before + part + after)]


class Discovery:
    """Finds files.

    Args:
        patterns: Absolute paths with ``*``, ``?``, ``[...]``, ``{a,b}``, and ``**`` for folders at any depth.
        exclude: Patterns of names, or of whole paths, that are left out.
    """

    def __init__(self, patterns: Iterable[str], exclude: Sequence[str]) -> None:
        self._patterns = [text for pattern in patterns for text in with_braces(pattern)]
        self._exclude = [re.compile(fnmatch.translate(text)) for pattern in exclude for text in with_braces(pattern)]

    def find(self) -> tuple[dict[str, os.stat_result], dict[str, str]]:
        """Return the files by their paths, and what is wrong with other paths. Folders are left out."""
        found: dict[str, os.stat_result] = {}
        problems: dict[str, str] = {}
        for pattern in self._patterns:
            if problem := _unreadable_folder(pattern):
                problems[problem[0]] = problem[1]
            for path in _matches(pattern):
                if path not in found and not self._excludes(path):
                    _look(path, found, problems)
        return found, problems

    def _excludes(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        return any(pattern.match(name) or pattern.match(path) for pattern in self._exclude)


def _matches(pattern: str) -> Iterator[str]:
    """Yield the paths that match a pattern."""
    head, recursive, rest = (f"{pattern}/*" if pattern.endswith("/**") else pattern).partition("/**/")
    if not recursive:
        yield from glob.iglob(pattern)  # noqa: PTH207 -- a Path costs more
        return
    for top in glob.iglob(head or "/"):  # noqa: PTH207 -- see above
        for folder in _folders(top, frozenset()):
            yield from _matches(f"{glob.escape(folder.rstrip('/'))}/{rest}")


def _folders(folder: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    """Yield a folder and all that are in it, except hidden ones.

    Links are followed, but not back to a folder that the path goes through: two such links in a folder would make
    2**40 paths before the system refuses longer ones.
    """
    try:
        status = os.stat(folder)  # noqa: PTH116 -- as above
        with os.scandir(folder) as entries:
            inner = [entry.path for entry in entries if not entry.name.startswith(".") and _is_folder(entry)]
    except OSError:
        return
    if (key := (status.st_dev, status.st_ino)) not in above:
        yield folder
        for path in inner:
            yield from _folders(path, above | {key})


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):  # a link to itself
        return entry.is_dir()
    return False


def _look(path: str, found: dict[str, os.stat_result], problems: dict[str, str]) -> None:
    try:
        status = os.stat(path)  # noqa: PTH116 -- there may be thousands
    except FileNotFoundError:  # it was renamed meanwhile, or is a symbolic link to nothing
        return
    except OSError as error:
        problems[path] = f"{path} cannot be read: {error.strerror}"
        return
    if stat.S_ISREG(status.st_mode):
        found[path] = status
    elif not stat.S_ISDIR(status.st_mode):
        problems[path] = f"{path} is not a regular file and is not read"


def _unreadable_folder(pattern: str) -> tuple[str, str] | None:
    """Return the folder of a pattern that exists and cannot be listed, and what is wrong."""
    folder = Path(pattern)
    while glob.has_magic(str(folder)):
        folder = folder.parent
    folder = folder if folder != Path(pattern) else folder.parent
    try:
        with os.scandir(folder):
            return None
    except FileNotFoundError:
        return None
    except OSError as error:
        return str(folder), f"the folder {folder} cannot be read: {error.strerror}"


class Inodes:
    """The files of folders by their inode numbers. A folder is listed once: thousands may be rotated together."""

    def __init__(self) -> None:
        self._listed: dict[Path, dict[int, str]] = {}

    def find(self, folder: Path, inode: int) -> str | None:
        """Return the file that had this inode number when the folder was listed: its name after a rotation."""
        if folder not in self._listed:
            self._listed[folder] = _inodes_of(folder)
        return self._listed[folder].get(inode)

    def forget(self) -> None:
        """List folders again, as files may have been renamed meanwhile."""
        self._listed.clear()


def _inodes_of(folder: Path) -> dict[int, str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.inode(): entry.path for entry in entries}
    except OSError:
        return {}
