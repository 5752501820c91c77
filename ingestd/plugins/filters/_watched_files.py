"""Files that filters read at start, and again when they change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Generic, TypeVar

from ingestd.files import file_version
from ingestd.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")


class ReloadedFile(Generic[T]):
    """What is made of a file. A file that is gone or invalid does not change it.

    Args:
        path: The file, which must be readable now.
        read: Makes the value of the path and of the value so far (None: there is none); it raises ValueError if the
            file cannot be used.
        interval_s: How often to check for changes; 0 or less: never.

    Raises:
        ValueError: What ``read`` raises.
    """

    def __init__(self, path: Path, read: Callable[[Path, T | None], T], interval_s: float) -> None:
        self._path, self._read = path, read
        self._interval_s = interval_s if interval_s > 0 else float("inf")
        self._seen = file_version(path)
        self._value = read(path, None)
        self._next_check = monotonic() + self._interval_s

    def current(self) -> T:
        """Return the value; the file is read again if it is time and it has changed."""
        now = monotonic()
        if now >= self._next_check:
            self._next_check = now + self._interval_s
            seen = file_version(self._path)
            if seen != self._seen:
                self._seen = seen
                self._read_again()
        return self._value

    def _read_again(self) -> None:
        try:
            self._value = self._read(self._path, self._value)
        except ValueError as error:
            log.warning("a file cannot be read again, what it held before stays in use", error=error)
        else:
            log.info("file read again", path=self._path)
