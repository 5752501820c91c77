"""Find and read config files."""

from __future__ import annotations

import glob as globbing
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingestd.config.errors import ConfigError, Span

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"


def find(paths: Sequence[Path]) -> Iterator[Path | ConfigError]:
    """Yield the files that ``paths`` name, in order, and an error for each path that names none.

    A folder means its ``*.conf`` files sorted by name; a path with ``*``, ``?`` or ``[`` the files that match it,
    sorted as well; ``**`` any folders.
    """
    for path in paths:
        if path.is_dir():
            files = _files_of(path)
            yield from files
            if not files:
                yield _error(path, "this folder has no *.conf files", "")
        elif path.exists() or not any(mark in str(path) for mark in "*?["):
            yield path
        else:
            found = map(Path, globbing.glob(str(path), recursive=True))  # noqa: PTH207 -- absolute ones too
            files = [file for place in sorted(found) for file in _files_of(place)]
            yield from files
            if not files:
                yield _error(path, "no file matches this pattern", "")


def _files_of(place: Path) -> list[Path]:
    """Return a file, or the ``*.conf`` files of a folder."""
    return sorted(file for file in place.glob("*.conf") if file.is_file()) if place.is_dir() else [place]


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
