"""``ingestd`` with a defect: INGESTD_TEST_FAULT names it. Each one strikes once, in the first process it gets to.

The file INGESTD_TEST_FAULT_FILE must exist for a fault to strike, and is deleted by it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ingestd.app.daemon
import ingestd.app.helpers
from ingestd.cli.main import main
from ingestd.pipeline.pipeline import RunningPipeline
from ingestd.supervisor import supervisor
from ingestd.supervisor.connections.acceptor import Acceptor
from ingestd.supervisor.processes import worker
from ingestd.supervisor.processes.helpers import Helper, run_beside

FILE = Path(os.environ["INGESTD_TEST_FAULT_FILE"])


class InjectedFaultError(Exception):
    """What a defect raises."""


def strikes() -> bool:
    """Return whether the fault is to happen now."""
    try:
        FILE.unlink()
    except FileNotFoundError:
        return False
    return True


def break_method(owner: Any, name: str, error: type[Exception] = InjectedFaultError) -> None:
    """Let a function raise where it is called next."""
    sound = getattr(owner, name)

    def faulty(*arguments: Any, **options: Any) -> Any:
        if strikes():
            raise error(name)
        return sound(*arguments, **options)

    setattr(owner, name, faulty)


def hang_method(owner: Any, name: str) -> None:
    """Let a function never return where it is called next."""
    sound = getattr(owner, name)

    def hanging(*arguments: Any, **options: Any) -> Any:
        while strikes():
            time.sleep(10_000)
        return sound(*arguments, **options)

    setattr(owner, name, hanging)


def idle(stop: threading.Event) -> None:
    stop.wait()


def schedule(stop: threading.Event) -> None:
    """Work on a thread beside the main one, as the scheduler of the daily work."""

    def work(stop: threading.Event) -> None:
        while not stop.wait(0.05):
            if strikes():
                raise InjectedFaultError("scheduler")

    run_beside(work, idle, stop, 0.5)


FAULTS: dict[str, Callable[[], None]] = {
    "message": lambda: break_method(Acceptor, "forget"),
    "accept": lambda: break_method(Acceptor, "_add"),
    "loop": lambda: break_method(supervisor.Supervisor, "_send_heartbeat"),
    "reload": lambda: break_method(ingestd.app.daemon, "make_plan"),
    "exec": lambda: break_method(supervisor, "execute_installed", OSError),
    "worker": lambda: break_method(worker.Worker, "_handle"),
    "hang": lambda: hang_method(RunningPipeline, "put"),
    "helper_thread": lambda: break_method(Helper, "_state"),
    "scheduler_thread": lambda: None,
}


if __name__ == "__main__":
    fault = os.environ["INGESTD_TEST_FAULT"]
    run = schedule if fault == "scheduler_thread" else idle
    ingestd.app.helpers.helpers = lambda settings: [Helper("test helper", run)]
    FAULTS[fault]()
    main()
