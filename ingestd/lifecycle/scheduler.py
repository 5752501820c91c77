"""Runs backup and retention when they are due, in one process, and again soon if something failed."""

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
from ingestd.lifecycle.lifecycle import Clock, Lifecycle, now
from ingestd.lifecycle.state import LifecycleLockedError, Report, State, lifecycle_lock
from ingestd.logs import get_logger
from ingestd.stores.base import StoreError

if TYPE_CHECKING:  # the cron parser takes long to import
    from ingestd.lifecycle.schedule import Schedule

log = get_logger(__name__)

CHECK_SECONDS = 60.0
"""How often the clock is checked: it may jump, and the machine may sleep."""

RETRY = datetime.timedelta(hours=1)

_CLOCK_JUMP = datetime.timedelta(days=2)
"""There is a run each day. If the last one was longer ago, the machine was off or its clock is wrong: then nothing is
deleted because of its age until the clock has advanced by `RETRY`."""


def free_bytes(path: Path) -> int:
    """Return the free bytes on the disk of a folder, or of its nearest existing parent."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def run_once(lifecycle: Lifecycle, free: int | None = None, *, by_age: bool = True) -> Report:
    """Back up what is missing, then delete what the rules say (not ``by_age``: ignore age); returns what was done.

    Raises:
        StoreError: The store or the repository does not respond, and nothing was done.
    """
    backed_up = lifecycle.back_up([info.index for info in lifecycle.missing()])
    failed = {result.index: result.error for result in backed_up if result.error}
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
        backed_up={result.index: result.snapshot.name for result in backed_up if result.snapshot},
        failed=failed | {result.decision.info.index: result.error for result in pruned if result.error},
        deleted={result.decision.info.index: result.decision.reason for result in pruned if result.deleted},
        held={result.decision.info.index: result.decision.reason for result in pruned if result.decision.held},
    )


@dataclass(slots=True)
class Scheduler:
    """Runs backup and retention when they are due.

    Attributes:
        opened: Opens the store and its lifecycle for one run: nothing stays open between runs.
        schedule: When runs are due.
        data_dir: Where the state and the lock are.
        free: Returns the free bytes of the store's disk; None: unknown, as for a server.
        keep_free: A run is due as soon as fewer bytes are free; 0: no limit.
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
        """Check the clock until ``stop``. Blocks."""
        self._restore_metrics(State.load(self.data_dir))
        while not stop.is_set():
            self.check()
            stop.wait(CHECK_SECONDS)

    def check(self) -> Report | None:
        """Start a run if one is due; returns what it did."""
        moment = self.clock()
        if not self._due(State.load(self.data_dir), moment):
            return None
        try:
            with lifecycle_lock(self.data_dir):
                report = self._run(moment)
        except LifecycleLockedError:
            return None
        self._retry = moment + RETRY if report.failed or report.unsure else None
        self._count(report)
        return report

    def _due(self, state: State, moment: datetime.datetime) -> bool:
        # If the time of the retry is far ahead, the clock was wrong.
        if self._retry is not None and moment < self._retry <= moment + RETRY:
            return False
        return self.schedule.is_due(state.done, moment) or self._disk_full(state, moment)

    def _disk_full(self, state: State, moment: datetime.datetime) -> bool:
        """Return whether space cannot wait for the schedule; no, if the last run could not free any."""
        if not self.keep_free or self.free is None or self.free() >= self.keep_free:
            return False
        last = state.report
        return last is None or bool(last.deleted) or not last.time <= moment < last.time + RETRY

    def _run(self, moment: datetime.datetime) -> Report:
        """Run and save the state; a failure is in the report."""
        last = State.load(self.data_dir).report
        unsure = last is not None and abs(moment - last.time) > _CLOCK_JUMP
        try:
            with self.opened() as lifecycle:
                report = run_once(lifecycle, self.free() if self.free else None, by_age=not unsure)
        except (StoreError, OSError) as error:
            log.error("backup and retention failed, will retry", minutes=RETRY.seconds // 60, error=error)
            report = Report(moment, failed={"": str(error)})
        except Exception as error:  # a defect must not restart the process again and again
            log.exception("backup and retention failed, will retry", minutes=RETRY.seconds // 60)
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

    def _restore_metrics(self, state: State) -> None:
        """Set the gauges to the values of the previous process, so that a start does not trigger an alert."""
        if state.report is not None:
            metrics.INDICES_OVERDUE.set(len(state.report.failed))
        if success := state.report.time if state.report and not state.report.failed else state.done:
            metrics.LIFECYCLE_SUCCESS.set(success.timestamp())
