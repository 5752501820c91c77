"""Processes that are killed at a step, for tests of what that leaves behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

KILLED = 9
"""The exit code of a process that has died at its step."""

Function = Callable[..., Any]


def die_at(step: int, *names: str) -> Callable[[Function], Function]:
    """Let this process die at a step, from 1: each is a call of one of these functions of ``os``.

    Returns what makes steps of other functions, too.
    """
    left = step

    def counted(function: Function) -> Function:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(KILLED)
            return function(*args, **kwargs)

        return call

    for name in names:
        setattr(os, name, counted(getattr(os, name)))
    return counted


def fork(function: Callable[[], None]) -> int:
    """Run a function in a process of its own; returns its id."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    code = 1
    try:
        function()
        sys.stdout.flush()
        code = 0
    except BaseException:  # noqa: BLE001 - printed, then the child ends
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def exit_code_of(function: Callable[[], None]) -> int:
    """Run a function in a process of its own and return its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(fork(function), 0)[1])


def is_killed(step: int, function: Callable[[], None]) -> bool:
    """Run a function that may die at a step in a process of its own; False: it finished before that step."""
    code = exit_code_of(function)
    assert code in {0, KILLED}, f"step {step}: exit code {code}"
    return code == KILLED
