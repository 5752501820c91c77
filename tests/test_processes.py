"""What tests ask about processes, also of those that have ended; and the end of what a killed test run leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import processes
from tests.leftovers import folder_for_servers, has_ended, owner, remove_leftovers
from tests.waiting import wait_until

ENDED: list[tuple[Callable[[int], object], object]] = [
    (processes.children, []),
    (processes.family, []),
    (processes.command_line, ""),
    (processes.environment, []),
    (processes.name, ""),
    (processes.is_alive, False),
    (processes.start_time, ""),
    (processes.cpu_seconds, 0.0),
    (processes.peak_bytes, 0),
    (processes.resident_bytes, 0),
    (processes.pss_bytes, 0),
    (processes.open_files, []),
    (processes.niceness, None),
]


@pytest.mark.parametrize(("ask", "answer"), ENDED, ids=[ask.__name__ for ask, _ in ENDED])
def test_process_that_has_ended(ask: Callable[[int], object], answer: object) -> None:
    """Its parent has waited for it, or has not yet: then it has a name and has used time."""
    with subprocess.Popen(["true"]) as process:
        wait_until(lambda: not processes.is_alive(process.pid), "its end")
        if ask not in (processes.family, processes.name, processes.cpu_seconds):
            assert ask(process.pid) == answer
    assert ask(process.pid) == answer
    processes.send_signal(process.pid)


def test_process_that_lives() -> None:
    """This one."""
    me = os.getpid()
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as child:
        assert child.pid in processes.children(me)
        assert {me, child.pid} <= {*processes.family(me)}
        wait_until(lambda: processes.rests(child.pid, 0.1), "it to wait for its input")
        assert "stdin.read()" in processes.command_line(child.pid)
        assert 0 < processes.resident_bytes(child.pid) <= processes.peak_bytes(child.pid)
        assert len(processes.open_files(child.pid)) >= 3
        assert processes.niceness(child.pid) == os.nice(0)
        assert processes.is_alive(child.pid)
    assert 0 < processes.cpu_seconds(me) <= processes.cpu_seconds(me, waited_for=True)


LEAVE = """
import subprocess
from tests.leftovers import folder_for_servers, mark_processes
mark_processes()
left = subprocess.Popen(["sleep", "1000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(left.pid, folder_for_servers())
"""


def test_what_a_killed_test_run_leaves() -> None:
    """It is removed; what belongs to one that goes on stays."""
    folder = folder_for_servers()
    with subprocess.Popen(["sleep", "1000"]) as ours:
        pid, left = subprocess.run(
            [sys.executable, "-c", LEAVE], capture_output=True, text=True, check=True
        ).stdout.split()
        assert processes.is_alive(int(pid))
        remove_leftovers()
        assert not processes.is_alive(int(pid))
        assert not Path(left).exists()
        assert processes.is_alive(ours.pid)
        ours.kill()
    assert folder.is_dir()
    folder.rmdir()
    assert not has_ended(owner())
