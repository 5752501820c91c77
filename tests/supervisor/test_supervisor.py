"""The exit code of the supervisor: what a stop gave up, and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import selectors
import signal
from itertools import count
from pathlib import Path

import pytest

from ingestd.supervisor.control.plan import Plan
from ingestd.supervisor.control.request_results import RequestResults
from ingestd.supervisor.processes.channel import Channel
from ingestd.supervisor.processes.children import LOSS_EXIT_CODE
from ingestd.supervisor.supervisor import Supervisor
from tests.waiting import WAIT_SECONDS

EXITS = [  # id, exit code of the worker that a reload replaces, of the one that is stopped, of the supervisor
    ("nothing_lost", 0, 0, 0),
    ("lost_by_the_reload", LOSS_EXIT_CODE, 0, 0),
    ("lost_by_the_stop", 0, LOSS_EXIT_CODE, 1),
]


def supervise(data_dir: Path, codes: tuple[int, int]) -> None:
    """Be a daemon with one worker, which asks for a reload; the next one in its place asks for the stop."""

    def work(number: int, channel: Channel) -> int:
        first = not (data_dir / "reloaded").exists()
        (data_dir / "reloaded").touch()
        channel.send({"type": "ready"})
        os.kill(os.getppid(), signal.SIGHUP if first else signal.SIGTERM)
        with selectors.DefaultSelector() as selector:
            selector.register(channel, selectors.EVENT_READ)
            while not any(message["type"] == "stop" for message, _ in channel.receive()):
                selector.select()
        return codes[0] if first else codes[1]

    plan = Plan((), workers=1, journals=1, worker_main=work, http_main=None)
    ids = map(str, count())
    os._exit(Supervisor(plan, lambda: plan, lambda: next(ids), {}, RequestResults(data_dir)).run())


@pytest.mark.parametrize(("of_reload", "of_stop", "code"), [row[1:] for row in EXITS], ids=[row[0] for row in EXITS])
def test_exit_code(of_reload: int, of_stop: int, code: int, tmp_path: Path) -> None:
    daemon = multiprocessing.get_context("spawn").Process(target=supervise, args=(tmp_path, (of_reload, of_stop)))
    daemon.start()
    try:
        daemon.join(WAIT_SECONDS)
        assert daemon.exitcode == code
    finally:
        daemon.kill()
