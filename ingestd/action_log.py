"""The action log: who deleted, backed up, restored or changed what by hand, when, and from where.

NDJSON in the data folder. A line is written and synced when an action starts, so that a kill does not hide it, and
another when it has ended; both have the same ``id``. The file is bounded: a full one becomes ``actions.1.ndjson`` and
replaces the one before.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ingestd.decoders import decoder
from ingestd.files import sync_folder, wait_for_lock, write_all

STARTED, DONE, FAILED = "started", "done", "failed"

MAX_BYTES = 1_000_000
"""Size of a file; there are at most two."""

_MAX_TEXT = 500


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """An action.

    Attributes:
        id: The same for its start and its end.
        time: When it started or ended, ISO 8601 in UTC.
        action: What was done, such as ``index.delete`` or ``alert.save``.
        target: To what: an index, a day, the name of an alert.
        by: Who: ``session`` (signed in to the dashboard), ``token``, ``page`` (no password is set), or ``cli``.
        user: The Unix user of a command.
        address: Where the request came from; of a command, where its user is connected from, if that is known.
        outcome: ``started``, ``done`` or ``failed``; the last also if it was interrupted and that is known.
        text: What came of it, a sentence.
        ended: When it ended; only in what `ActionLog.read` returns.
    """

    id: str
    time: str
    action: str
    target: str = ""
    by: str = ""
    user: str = ""
    address: str = ""
    outcome: str = ""
    text: str = ""
    ended: str = ""


@dataclass(frozen=True, slots=True)
class ActionLog:
    """The action log of a data folder."""

    data_dir: Path
    max_bytes: int = MAX_BYTES

    @property
    def path(self) -> Path:
        """The file."""
        return self.data_dir / "actions.ndjson"

    def add(self, action: Action) -> None:
        """Append an entry; it is durable when this returns. Several processes may do so at the same time.

        Raises:
            OSError: It cannot be written.
        """
        line = msgspec.json.encode(Action(*(_stored(text) for text in msgspec.structs.astuple(action)))) + b"\n"
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        with self._opened() as fd:
            size = os.fstat(fd).st_size
            torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"  # by a kill amid a write, or a full disk
            write_all(fd, b"\n" * torn + line)
            os.fsync(fd)
            if size == 0:
                sync_folder(self.data_dir)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the file to append to it, locked; a full one is put aside first."""
        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                wait_for_lock(fd)
                if not self._is_current(fd):  # another process has put it aside while we waited
                    continue
                if os.fstat(fd).st_size >= self.max_bytes:
                    self.path.replace(self._older)
                    continue
                yield fd
                return
            finally:
                os.close(fd)

    def _is_current(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), self.path.stat())
        except FileNotFoundError:
            return False

    @property
    def _older(self) -> Path:
        return self.path.with_name("actions.1.ndjson")

    def read(self, limit: int) -> list[Action]:
        """Return the last actions, newest first, each once, with its outcome; lines that are damaged are left out.

        Raises:
            OSError: A file cannot be read.
        """
        found: dict[str, Action] = {}
        for path in (self._older, self.path):
            for action in _lines(path):
                start = found.get(action.id)
                found[action.id] = action if start is None else _ended(start, action)
        return list(found.values())[::-1][:limit]


def _stored(text: str) -> str:
    """Return a text that can be written as UTF-8, not too long: arguments of a command may have other bytes."""
    return text[:_MAX_TEXT].encode("utf-8", "replace").decode()


def _ended(start: Action, end: Action) -> Action:
    return msgspec.structs.replace(start, outcome=end.outcome, text=end.text or start.text, ended=end.time)


def _lines(path: Path) -> Iterator[Action]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for line in content.splitlines():
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            yield decoder(Action).decode(line)


def new_action_id() -> str:
    """Return an id for an action."""
    return os.urandom(8).hex()
