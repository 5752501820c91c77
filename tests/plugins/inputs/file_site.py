"""Files, and the input ``file`` on them, round by round: what it stores, and what another process would go on with."""

from __future__ import annotations

import gzip
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from ingestd.event.chunk import Stream
from ingestd.plugins.inputs._file_completion import CompletedAction, Completion
from ingestd.plugins.inputs._file_discovery import Discovery
from ingestd.plugins.inputs._file_positions import Positions
from ingestd.plugins.inputs._file_problems import Problems
from ingestd.plugins.inputs._file_records import Sincedb
from ingestd.plugins.inputs._file_settings import WatchSettings
from ingestd.plugins.inputs._file_watched import Reading
from ingestd.plugins.inputs._file_watcher import FileWatcher
from ingestd.plugins.interfaces import Piece
from ingestd.protocols.framing.lines import LINE_FEED
from tests.sinks import UnusedSink


class Stored(UnusedSink):
    """The sink, and the journal: they survive a process that is killed."""

    def __init__(self) -> None:
        self.chunks: list[tuple[str, int, bytes]] = []
        self.ends: dict[str, int] = {}
        self.fields: dict[str, dict[str, Any]] = {}
        self.rejected: list[tuple[str, int, bytes]] = []

    def put(self, data: bytes, stream: Stream, offset: int) -> bool:
        assert offset >= self.ends.get(stream.id, 0), "it was stored before"
        self.chunks.append((stream.id, offset, data))
        self.fields[stream.id] = stream.fields
        self.ends[stream.id] = offset + len(data)
        return True

    def put_all(self, pieces: Sequence[Piece]) -> bool:
        return all(self.put(data, stream, offset) for data, stream, offset, _ in pieces)

    def reject(
        self, raw: bytes, reason: str, stream: Stream, offset: int, end: int, *, size: int | None = None
    ) -> bool:
        self.rejected.append((stream.id, offset, raw))
        self.ends[stream.id] = end
        return True

    async def synced(self) -> None:
        pass

    def keep(self, stream_id: str) -> int:
        return self.ends.get(stream_id, 0)

    def forget(self, stream_id: str) -> None:
        self.ends.pop(stream_id, None)

    @property
    def lines(self) -> list[str]:
        """All lines, in the order of their storage."""
        return [line for _, _, data in self.chunks for line in data.decode().split("\n") if line]


class FileSite:
    """A folder with files, and an input that reads them.

    Args:
        folder: Of both.
        pattern: Which files are read.
        options: Of ``WatchSettings`` and ``Reading``; ``action``: at the end of a file.
    """

    made: ClassVar[list[FileSite]] = []
    """Those whose files the fixture `close_files` closes."""

    def __init__(self, folder: Path, pattern: str = "*", **options: Any) -> None:
        self.logs, self._pattern, self._options = folder / "logs", pattern, options
        self.logs.mkdir()
        self.sincedb = folder / "sincedb"
        self.stored = Stored()
        self.problems = Problems("main", "file_0")
        self.now = 1000.0
        self.made.append(self)
        self.start()

    def start(self) -> None:
        """Start a process."""
        options = dict(self._options)
        sincedb = Sincedb(self.sincedb)
        self.errors = sincedb.load()
        self.positions = Positions(sincedb, self.stored, self.stored, self.problems, 14 * 86400)
        action: CompletedAction | None = options.pop("action", None)
        self.completion = Completion(action, self.positions, self.problems)
        reading: dict[str, Any] = {
            "grouping": None,
            "delimiter": LINE_FEED,
            "chunk_bytes": 1 << 16,
            "turn_bytes": 1 << 20,
            "complete": action is not None,
            "check_archives": False,
            "max_line_bytes": 1000,
        }
        reading |= {name: options.pop(name) for name in list(options) if name in reading}
        patterns = [str(self.logs / part) for part in self._pattern.split()]
        settings: dict[str, Any] = {
            "discovery": Discovery(patterns, options.pop("exclude", [])),
            "discover_seconds": 15,
            "from_end": False,
            "ignore_older": 0,
            "close_older": 3600,
            "max_open_files": 100,
            "by_path": True,
            "delimiter": reading["delimiter"],
            "descending": False,
        }
        self.watcher = FileWatcher(
            WatchSettings(**settings | options),
            Reading(sink=self.stored, fields=lambda path: {"path": path}, **reading),
            self.positions,
            self.problems,
            self.completion,
            clock=lambda: self.now,
        )

    async def round(self, *, discover: bool = True, seconds: float = 1.0) -> list[str]:
        """Let the input look and read once; returns the lines that it stored."""
        before = len(self.stored.lines)
        self.now += seconds
        if discover:
            await self.watcher.discover()
        await self.watcher.look()
        await self.watcher.read()
        await self.completion.finish()
        return self.stored.lines[before:]

    async def rounds(self, count: int = 3, seconds: float = 1.0) -> list[str]:
        """Return what several rounds stored."""
        return [line for _ in range(count) for line in await self.round(seconds=seconds)]

    def kill(self) -> None:
        """Replace the process by another one, without a last word."""
        self.watcher.close()
        self.start()

    async def stop(self) -> None:
        """Let the process end."""
        await self.positions.checkpoint(file.record for file in self.watcher.files.values())
        self.watcher.close()

    # What programs do with files

    def write(self, name: str, text: str) -> None:
        """Append to a file."""
        path = self.logs / name
        path.parent.mkdir(exist_ok=True, parents=True)
        with path.open("a") as file:
            file.write(text)

    def rename(self, name: str, new: str) -> None:
        """Rename a file."""
        (self.logs / name).rename(self.logs / new)

    def copy_and_empty(self, name: str, new: str) -> None:
        """Rotate as logrotate's ``copytruncate`` does."""
        (self.logs / new).write_bytes((self.logs / name).read_bytes())
        os.truncate(self.logs / name, 0)

    def compress(self, name: str) -> None:
        """Compress a file as gzip(1) does."""
        path = self.logs / name
        (self.logs / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()

    def make_old(self, name: str, seconds: float = 3600) -> None:
        """Make a file look as if it was last written some time ago."""
        with suppress(FileNotFoundError):
            os.utime(self.logs / name, (time.time() - seconds,) * 2)

    def assert_once(self, lines: Sequence[str]) -> None:
        """Assert that exactly these lines are stored, each once."""
        found, expected = Counter(self.stored.lines), Counter(lines)
        assert not expected - found, f"lost: {list((expected - found).elements())[:5]}"
        assert not found - expected, f"too much: {list((found - expected).elements())[:5]}"
