"""Programs that log to files, and what rotates these: ``python -m tests.e2e.chaos.file_writer FOLDER FILES EVENTS
PER_SECOND ROTATION_SECONDS``.

Each line is a JSON record with a number of its own in ``n``, from 0. Half of the files are rotated by renaming, a
quarter is renamed and compressed at the next rotation, and a quarter is copied and emptied. Nothing
else is deleted: a busy machine may be far behind.
"""

from __future__ import annotations

import gzip
import os
import random
import sys
import time
from pathlib import Path

PATTERNS = ("*.log", "*.log.*")
"""What an input has to read: also the names after a rotation, as it may not run while a file has its first name."""
_BURSTS = 20
"""How often a second lines are written."""


class LogFile:
    """A file that is written to and rotated."""

    def __init__(self, folder: Path, number: int) -> None:
        self._path, self._kind, self._turn = folder / f"f{number}.log", number % 4, 0
        self._file = self._path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        """Append; sometimes in two pieces."""
        half = len(data) // 3
        self._file.write(data[:half])
        self._file.write(data[half:])

    def rotate(self) -> None:
        """Go on with an empty file."""
        self._turn += 1
        if self._kind == 3:
            copy = Path(f"{self._path}.copy.{self._turn}")
            copy.write_bytes(self._path.read_bytes())
            os.truncate(self._path, 0)
        else:
            self._file.close()
            self._path.rename(self._rotated(self._turn))
            self._file = self._path.open("ab", buffering=0)
        if self._kind == 2 and self._turn > 1:
            before = self._rotated(self._turn - 1)
            Path(f"{before}.gz").write_bytes(gzip.compress(before.read_bytes(), 1))
            before.unlink()

    def _rotated(self, turn: int) -> Path:
        return Path(f"{self._path}.{turn}")


def run(folder: Path, count: int, events: int, per_second: int, rotation_seconds: float) -> None:
    """Write lines to all files in turn; each file is rotated about every ``rotation_seconds``."""
    rnd = random.Random(7)
    files = [LogFile(folder, number) for number in range(count)]
    due = [rnd.uniform(rotation_seconds / 2, rotation_seconds) for _ in files]
    started, done = time.monotonic(), 0
    while done < events:
        elapsed = time.monotonic() - started
        wanted = min(int(elapsed * per_second), events)
        size = max((wanted - done) // count, 3)
        while done < wanted:
            lines = [
                b'{"@timestamp":"2026-11-22T10:00:00.000Z","n":%d,"message":"GET /search?q=%d"}\n' % (n, n)
                for n in range(done, min(done + size, wanted))
            ]
            files[rnd.randrange(count)].write(b"".join(lines))
            done += len(lines)
        for number, file in enumerate(files):
            if elapsed >= due[number]:
                file.rotate()
                due[number] = elapsed + rnd.uniform(rotation_seconds / 2, rotation_seconds)
        time.sleep(1 / _BURSTS)


if __name__ == "__main__":
    folder, count, events, per_second, rotation_seconds = sys.argv[1:]
    run(Path(folder), int(count), int(events), int(per_second), float(rotation_seconds))
