"""The daily work in the daemon: when it is due, once, by one process, and again soon if something failed."""

from __future__ import annotations

import datetime
import shutil
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ingestd import metrics
from ingestd.lifecycle.state import LifecycleLockedError, Report, State, lifecycle_lock
from ingestd.lifecycle.work import Clock, Lifecycle, now
from ingestd.logs import get_logger
from ingestd.stores.base import StoreError

if TYPE_CHECKING:  # what reads cron's syntax takes long to import
    from ingestd.lifecycle.schedule import Schedule

log = get_logger(__name__)

LOOK_SECONDS = 60.0
"""How often the clock is looked at: it may jump, and a machine may sleep."""

RETRY = datetime.timedelta(hours=1)

_LEAP = datetime.timedelta(days=2)
"""The clock is looked at each minute, the work is done each day. If so much time has gone since, the machine was off,
or its clock is wrong: then nothing is deleted on account of its age before the clock has gone on for `RETRY`."""


def free_bytes(path: Path) -> int:
    """Return what is free on the disk of a folder, or of the nearest one above it that exists."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def work_once(lifecycle: Lifecycle, free: int | None = None, *, by_age: bool = True) -> Report:
    """Back up what is missing, then delete what may go, unless ``by_age`` of age alone; returns what was done.

    Raises:
        StoreError: The store or the repository does not answer, and nothing was done.
    """
    backed_up = lifecycle.back_up([one.index for one in lifecycle.missing()])
    failed = {one.index: one.error for one in backed_up if one.error}
    if not by_age:
        lifecycle.rules = replace(lifecycle.rules, max_age=None)
    try:
        pruned = lifecycle.prune(free)
    except StoreError as error:
        log.error("retention failed", error=error)
        pruned = []
        if str(error) not in failed.values():
            failed[""] = str(error)
    return Report(
        lifecycle.clock(),
        backed_up={one.index: one.snapshot.name for one in backed_up if one.snapshot},
        failed=failed | {one.decision.info.index: one.error for one in pruned if one.error},
        deleted={one.decision.info.index: one.decision.why for one in pruned if one.deleted},
        held={one.decision.info.index: one.decision.why for one in pruned if one.decision.held},
    )


@dataclass(slots=True)
class Scheduler:
    """Does the daily work when it is due.

    Attributes:
        opened: Opens the store and gives the work on it, for one run: between two runs nothing is held.
        schedule: When it is due.
        data_dir: Where the state and the lock are.
        free: Returns the free bytes of the store's disk; None: not known, as of a server.
        keep_free: So many of them are to stay free, and if they are not, the work is due; 0: any.
        clock: Returns the time, aware.
    """

    opened: Callable[[], AbstractContextManager[Lifecycle]]
    schedule: Schedule
    data_dir: Path
    free: Callable[[], int] | None = None
    keep_free: int = 0
    clock: Clock = now
    _retry: datetime.datetime | None = None

    def run(self, stop: threading.Event) -> None:
        """Look at the clock until ``stop``. Blocks."""
        self._recall(State.load(self.data_dir))
        while not stop.is_set():
            self.look()
            stop.wait(LOOK_SECONDS)

    def look(self) -> Report | None:
        """Do the work if it is due; returns what was done."""
        moment = self.clock()
        if not self._due(State.load(self.data_dir), moment):
            return None
        try:
            with lifecycle_lock(self.data_dir):
                report = self._work(moment)
        except LifecycleLockedError:
            return None
        self._retry = moment + RETRY if report.failed or report.unsure else None
        self._count(report)
        return report

    def _due(self, state: State, moment: datetime.datetime) -> bool:
        # A moment to try again that lies far ahead comes from a clock that was wrong.
        if self._retry is not None and moment < self._retry <= moment + RETRY:
            return False
        return self.schedule.due(state.done, moment) or self._disk_fills(state, moment)

    def _disk_fills(self, state: State, moment: datetime.datetime) -> bool:
        """Tell whether space cannot wait for the schedule; not if the last run freed nothing: then nothing may go."""
        if not self.keep_free or self.free is None or self.free() >= self.keep_free:
            return False
        last = state.report
        return last is None or bool(last.deleted) or not last.time <= moment < last.time + RETRY

    def _work(self, moment: datetime.datetime) -> Report:
        """Do the work and remember it; a failure is in the report."""
        last = State.load(self.data_dir).report
        unsure = last is not None and abs(moment - last.time) > _LEAP
        try:
            with self.opened() as lifecycle:
                report = work_once(lifecycle, self.free() if self.free else None, by_age=not unsure)
        except (StoreError, OSError) as error:
            log.error("backup and retention failed; they are tried again", minutes=RETRY.seconds // 60, error=error)
            report = Report(moment, failed={"": str(error)})
        except Exception as error:  # a fault of ours must not make the process start again and again
            log.exception("backup and retention failed; they are tried again", minutes=RETRY.seconds // 60)
            report = Report(moment, failed={"": f"the daemon failed: {error!r}"})
        report = msgspec.structs.replace(report, unsure=unsure)
        state = State.load(self.data_dir)
        state.report = report
        if not (report.failed or unsure):
            state.done = self.schedule.last(moment)
        try:
            state.save()
        except OSError as error:
            log.error("the state of backup and retention cannot be written", path=state.path, error=error)
        return report

    def _count(self, report: Report) -> None:
        metrics.INDICES_BACKED_UP.add(len(report.backed_up))
        metrics.INDICES_DELETED.add(len(report.deleted))
        metrics.INDICES_FAILED.add(len(report.failed))
        metrics.INDICES_OVERDUE.set(len(report.failed))
        if not report.failed:
            metrics.LIFECYCLE_SUCCESS.set(report.time.timestamp())

    def _recall(self, state: State) -> None:
        """Set the gauges to what the process before this one left, lest an alarm goes off at each start."""
        if state.report is not None:
            metrics.INDICES_OVERDUE.set(len(state.report.failed))
        if success := state.report.time if state.report and not state.report.failed else state.done:
            metrics.LIFECYCLE_SUCCESS.set(success.timestamp())
