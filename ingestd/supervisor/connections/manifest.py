"""What is known about each connection, in a file in memory that outlives the supervisor as its sockets do.

systemd passes the names of stored descriptors in one variable of the environment, and Linux limits a variable to
128 KiB (MAX_ARG_STRLEN, execve(2)): with everything in the names, 3,000 connections kept the daemon from starting. So
the descriptor of a connection has a short name, ``c1a``, and the rest is a line of the manifest, a memfd_create(2)
file that systemd stores beside the connections, or that ``exec`` passes on.
"""

from __future__ import annotations

import heapq
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import orjson

from ingestd.files import write_all
from ingestd.supervisor.notify import Notifier

_SPARE_LINES = 1000
"""Lines of connections that have ended, beyond as many as there are connections, before the manifest is rewritten."""

_FILE_NAME = re.compile("m[0-9a-f]+")

Entry = dict[str, Any]
"""What is known about a connection: ``name``, that of its descriptor, and what the acceptor adds."""


class ShortNames:
    """Names for descriptors: ``c`` and a hexadecimal number, the lowest that is free."""

    def __init__(self) -> None:
        self._free: list[int] = []  # a heap
        self._unused = itertools.count()

    def reserve(self, names: Iterable[str]) -> None:
        """Do not return these names before they are released; call it before the first ``take``."""
        taken = {int(name[1:], 16) for name in names}
        limit = max(taken, default=-1) + 1
        self._unused = itertools.count(limit)
        self._free = sorted(set(range(limit)) - taken)

    def take(self) -> str:
        """Return a free name."""
        return f"c{heapq.heappop(self._free) if self._free else next(self._unused):x}"

    def release(self, name: str) -> None:
        """Make a name free again."""
        heapq.heappush(self._free, int(name[1:], 16))


class Manifest:
    """Gets a line for each connection, and is replaced by a new file when most lines are of connections that ended.

    Args:
        notifier: systemd, which stores the file.
    """

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._number, self._lines = 0, 0
        self._fd = -1
        self._stale: list[str] = []  # names of files that are still stored

    @property
    def name(self) -> str:
        """The name of the descriptor; those of later files have higher numbers."""
        return f"m{self._number:x}"

    def fileno(self) -> int:
        """Return the descriptor, -1 if there is no file yet."""
        return self._fd

    def adopt(self, files: Sequence[tuple[str, int]]) -> dict[str, Entry]:
        """Read the files that an earlier supervisor left, close them, and return the entries by the names in them.

        There are two if it was killed while it replaced one by the other; the newest line of a name counts. Both stay
        stored until ``rewrite``.
        """
        entries: dict[str, Entry] = {}
        for number, name, fd in sorted((int(name[1:], 16), name, fd) for name, fd in files):
            entries |= {entry["name"]: entry for entry in _parse(read_and_close(fd))}
            self._stale.append(name)
            self._number = max(number, self._number)
        return entries

    def rewrite(self, entries: Iterable[Entry]) -> None:
        """Start a new file with these entries.

        Raises:
            OSError: There is no memory or no descriptor left; then everything is as before.
        """
        lines = [orjson.dumps(entry) + b"\n" for entry in entries]
        fd = memory_file(b"".join(lines))
        if self._fd >= 0:
            os.close(self._fd)
            self._stale.append(self.name)
        self._number, self._lines, self._fd = self._number + 1, len(lines), fd
        self._notifier.store(self.name, fd)
        while self._stale:
            self._notifier.forget(self._stale.pop())

    def append(self, entry: Entry) -> None:
        """Add an entry, before its connection is stored.

        Raises:
            OSError: There is no memory left.
        """
        if self._fd < 0:
            self.rewrite(())
        write_all(self._fd, b"\n" + orjson.dumps(entry) + b"\n")  # the line before may be cut
        self._lines += 1

    def needs_rewriting(self, connections: int) -> bool:
        """Return whether most lines are of connections that have ended; ``connections``: how many have not."""
        return self._lines > 2 * connections + _SPARE_LINES

    def close(self) -> None:
        """Close the file here; it stays stored."""
        if self._fd >= 0:
            os.close(self._fd)


def is_manifest(name: str) -> bool:
    """Return whether a descriptor of this name is a manifest."""
    return _FILE_NAME.fullmatch(name) is not None


def memory_file(data: bytes) -> int:
    """Return the descriptor of a new file without a name; without memfd_create(2) it is on disk.

    Raises:
        OSError: There is no memory or no descriptor left.
    """
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("ingestd")
    else:
        import tempfile  # noqa: PLC0415 -- takes long to import

        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    try:
        write_all(fd, data)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_and_close(fd: int) -> bytes:
    """Return the content of a file of ``memory_file``, from its start."""
    with os.fdopen(fd, "rb") as file:
        file.seek(0)
        return file.read()


def passed_on_descriptors(variable: str) -> list[tuple[str, int]]:
    """Return names and numbers of the descriptors that ``Acceptor.for_exec`` passed to this process."""
    pairs = read_and_close(int(variable)).decode() if variable.isdigit() else variable
    found = [(name, int(number)) for name, _, number in (pair.rpartition("=") for pair in pairs.split())]
    for _, fd in found:
        os.set_inheritable(fd, False)
    return found


def _parse(content: bytes) -> Iterator[Entry]:
    """Yield the entries of a manifest. A line may be cut, if there was no memory left for all of it."""
    for line in content.splitlines():
        with suppress(orjson.JSONDecodeError):
            yield orjson.loads(line)
