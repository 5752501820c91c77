"""The process that carries out one order: it may take hours, and holds up neither pages nor queries.

It reads settings and order as JSON from stdin, for they may hold passwords, and writes lines of JSON to stdout:
``done`` and ``total`` now and then, ``said`` or ``error`` at the end. When stdin ends, so does the process, at once:
every step can be broken off.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import Any

import msgspec

from ingestd.lifecycle.manual_actions import Order, carry_out
from ingestd.settings import load_settings
from ingestd.stores.base import StoreError

_NICE = 10
_TELL_SECONDS = 0.2


class Task(msgspec.Struct):
    """What the process is told: settings as texts by their names, and what to do."""

    settings: dict[str, str]
    order: Order


def main() -> None:
    """Carry out the order that stdin holds."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no answer
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    with contextlib.suppress(OSError):
        os.nice(_NICE)

    def say(**told: Any) -> None:
        answers.write(msgspec.json.encode(told) + b"\n")

    lately = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal lately
        if time.monotonic() - lately >= _TELL_SECONDS:
            lately = time.monotonic()
            say(done=done, total=total)

    try:
        say(said=carry_out(task.order, load_settings(environ={}, flags=task.settings), tell))
    except (StoreError, ValueError) as error:
        say(error=str(error))
    os._exit(0)  # threads that still send something are not waited for


def _end_with_stdin() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)
