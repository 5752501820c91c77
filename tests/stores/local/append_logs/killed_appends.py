"""Run as a program by ``test_own_ids``: append events that name themselves, killed at a later step each time.

A step is a call to the system that changes something. Each death leaves a store, named by its step, in a folder, the
argument. Prints the step that was not reached.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingestd.event.event_id import own_id
from ingestd.stores.local import LocalWriter

_CALLS = ("pwrite", "ftruncate", "write", "open")
_KILLED = 9


def main(work: Path) -> None:
    """Kill until there are no more steps."""
    step = 0
    while kill(step, work / str(step)):
        step += 1
    sys.stdout.write(f"{step}\n")


def kill(step: int, root: Path) -> bool:
    """Kill a process at a step; False if it finished before that step."""
    child = os.fork()
    if not child:
        die_at(step, root)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, _KILLED}, f"step {step}: exit code {code}"
    return code == _KILLED


def die_at(step: int, root: Path) -> None:
    """Append, and end the process at a step."""
    left = step

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                os._exit(_KILLED)
            return function(*arguments, **named)

        return call

    for name in _CALLS:
        setattr(os, name, counted(getattr(os, name)))
    writer = LocalWriter(root, "w0")
    writer.append_new("logstash-2026.11.22", [b"{}"] * 3, [own_id(b"file", number) for number in (1, 2, 3)])
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
