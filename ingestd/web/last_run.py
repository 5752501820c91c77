"""What ``/health`` says of the daily work on indices: what failed in its last run."""

from __future__ import annotations

from pathlib import Path

from ingestd.lifecycle.state import State

_MOST = 3


class LastRun:
    """Looks at what the scheduler, a process of its own, remembers in the data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._seen: object = None
        self._failures: tuple[str, ...] = ()

    def failures(self) -> tuple[str, ...]:
        """Return a sentence for each index that was not backed up or deleted, and for no more than a few."""
        try:
            state = State.path_in(self._data_dir).stat()
        except OSError:
            return ()
        seen = (state.st_mtime_ns, state.st_ino, state.st_size)
        if seen != self._seen:
            self._seen, self._failures = seen, self._read()
        return self._failures

    def _read(self) -> tuple[str, ...]:
        report = State.load(self._data_dir).report
        failed = report.failed if report is not None else {}
        told = [f"{index or 'backup and retention'}: {why}" for index, why in list(failed.items())[:_MOST]]
        if len(failed) > _MOST:
            told.append(f"{len(failed) - _MOST} more indices could not be backed up or deleted")
        return tuple(told)
