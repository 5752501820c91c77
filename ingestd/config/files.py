"""Find and read config files."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingestd.config.errors import ConfigError, Span

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BRACES = re.compile(r"\{([^{}]*)\}")
_UTF8_MARK = b"\xef\xbb\xbf"


def find(paths: Sequence[Path]) -> Iterator[Path | ConfigError]:
    """Yield the files that ``paths`` name, in order, and an error for each path that names none.

    A folder means its ``*.conf`` files sorted by name; a path with ``*``, ``?``, ``[`` or ``{a,b}`` the files that
    match it, sorted as well. As in Logstash, ``**`` is any number of folders.
    """
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 -- Path.is_dir raises for a folder that is closed to us
            files = _files_of(path)
            yield from files
            if not files:
                yield _nothing(path, "this folder has no *.conf files")
        elif os.path.exists(path) or not is_pattern(path):  # noqa: PTH110 -- as above
            yield path
        else:
            files = matching(path)
            yield from files
            if not files:
                yield _nothing(path, "no file matches this pattern")


def _nothing(path: Path, message: str) -> ConfigError:
    """Return the error for a path without files; perhaps a folder is closed to us."""
    folders = (folder for folder in (path, *path.parents) if os.path.isdir(folder))  # noqa: PTH112 -- as above
    closed = next((folder for folder in folders if not os.access(folder, os.R_OK | os.X_OK)), None)
    return _error(path, message if closed is None else f"the folder {closed} cannot be read: Permission denied", "")


def is_pattern(path: Path) -> bool:
    """Return whether a path that does not exist as it is written names the files that match it."""
    return any(mark in str(path) for mark in "*?[{")


def matching(pattern: Path) -> list[Path]:
    """Return the files that match a pattern, each once: of folders, their ``*.conf`` files."""
    names = {name for text in _alternatives(str(pattern)) for name in glob.glob(text, recursive=True)}  # noqa: PTH207
    return list(dict.fromkeys(file for name in sorted(names) for file in _files_of(Path(name))))


def _files_of(place: Path) -> list[Path]:
    """Return a file, or the ``*.conf`` files of a folder."""
    return sorted(file for file in place.glob("*.conf") if file.is_file()) if place.is_dir() else [place]


def _alternatives(pattern: str) -> list[str]:
    """Return what a pattern with ``{a,b}`` stands for."""
    found = _BRACES.search(pattern)
    if found is None:
        return [pattern]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [text for word in found[1].split(",") for text in _alternatives(f"{before}{word}{after}")]


def read(path: Path) -> str:
    """Return the text of a file: UTF-8, line ends untouched, without a byte order mark.

    Raises:
        ConfigError: The file cannot be read, or is not UTF-8 (the error has the line).
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise _error(path, "there is no such file", "") from None
    except OSError as error:
        raise _error(path, f"the file cannot be read: {error.strerror}", "") from error
    if data.startswith(_UTF16):
        raise _error(path, "the file is UTF-16", "save it as UTF-8")
    data = data.removeprefix(_UTF8_MARK)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8")) + 1
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        raise ConfigError(message, Span(str(path), line, column), "save the file as UTF-8") from None


def _error(path: Path, message: str, hint: str) -> ConfigError:
    return ConfigError(message, Span(str(path), 1, 1), hint)
