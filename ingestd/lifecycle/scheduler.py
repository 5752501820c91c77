"""The daily work in the daemon: when it is due, once, by one process, and again soon if something failed."""

from __future__ import annotations

import datetime
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingestd.lifecycle.schedule import Schedule
from ingestd.lifecycle.state import BusyError, Report, only_one
from ingestd.lifecycle.work import Clock, Lifecycle
from ingestd.logs import get_logger
from ingestd.stores.base import StoreError

log = get_logger(__name__)

LOOK_SECONDS = 60.0
"""How often the clock is looked at: it may jump, and a machine may sleep."""

RETRY = datetime.timedelta(hours=1)


def free_bytes(path: Path) -> int:
    """Return what is free on the disk of a folder, or of the nearest one above it that exists."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def work_once(lifecycle: Lifecycle, free: int | None = None) -> Report:
    """Back up what is missing, then delete what may go; returns what was done.

    Raises:
        StoreError: The store or the repository does not answer.
    """
    backed_up = lifecycle.back_up([one.index for one in lifecycle.missing()])
    pruned = lifecycle.prune(free)
    return Report(
        lifecycle.clock(),
        backed_up={one.index: one.snapshot.name for one in backed_up if one.snapshot},
        failed={one.index: one.error for one in backed_up if one.error}
        | {one.decision.info.index: one.error for one in pruned if one.error},
        deleted={one.decision.info.index: one.decision.why for one in pruned if one.deleted},
        held={one.decision.info.index: one.decision.why for one in pruned if one.decision.held},
    )


@dataclass(slots=True)
class Scheduler:
    """Does the work of ``lifecycle`` when ``schedule`` says so.

    Attributes:
        lifecycle: What to do.
        schedule: When.
        data_dir: Where the state and the lock are.
        free: Returns the free bytes of the store's disk; None: not known, as of a server.
        clock: Returns the time, aware.
    """

    lifecycle: Lifecycle
    schedule: Schedule
    data_dir: Path
    free: Callable[[], int] | None
    clock: Clock
    _retry: datetime.datetime | None = None

    def run(self, stop: threading.Event) -> None:
        """Look at the clock until ``stop``. Blocks."""
        while not stop.is_set():
            self.look()
            stop.wait(LOOK_SECONDS)

    def look(self) -> Report | None:
        """Do the work if it is due; returns what was done."""
        now = self.clock()
        # A moment to try again that lies far ahead comes from a clock that was wrong.
        wait = self._retry is not None and now < self._retry <= now + RETRY
        if wait or not (self._disk_fills() or self.schedule.due(self.lifecycle.state.done, now)):
            return None
        try:
            with only_one(self.data_dir):
                report = work_once(self.lifecycle, self.free() if self.free else None)
        except BusyError:
            return None
        except (StoreError, OSError) as error:
            log.error("backup and retention failed; they are tried again", minutes=RETRY.seconds // 60, error=error)
            report = Report(now, failed={"": str(error)})
        self._retry = now + RETRY if report.failed else None
        self._remember(report, now)
        return report

    def _remember(self, report: Report, now: datetime.datetime) -> None:
        state = self.lifecycle.state
        state.report = report
        if not report.failed:
            state.done = self.schedule.last(now)
        try:
            state.save()
        except OSError as error:
            log.error("the state of backup and retention cannot be written", path=state.path, error=error)

    def _disk_fills(self) -> bool:
        """Tell whether ``keep_free`` cannot wait for the schedule."""
        least = self.lifecycle.rules.keep_free
        return least is not None and self.free is not None and self.free() < least and not self._held_up()

    def _held_up(self) -> bool:
        """Tell whether the last run has freed what it could: what is left may not go."""
        report = self.lifecycle.state.report
        return report is not None and not report.deleted and self.clock() < report.time + RETRY
