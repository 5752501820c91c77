"""The process that runs one manual action: it may take hours, and delays neither pages nor queries.

It reads settings and action as JSON from stdin, because they may hold passwords, and writes lines of JSON to stdout:
``done`` and ``total`` as it progresses, ``alive`` every few seconds, ``result`` or ``error`` at the end. It exits as
soon as stdin ends: every step may be interrupted.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from ingestd.decoders import decoder
from ingestd.lifecycle.manual_actions import ManualAction, run_action
from ingestd.settings import load_settings
from ingestd.stores.base import StoreError
from ingestd.web.protocol import take_stdout

_NICE = 10
_PROGRESS_SECONDS = 0.2
_ALIVE_SECONDS = 5.0


class ActionRequest(msgspec.Struct):
    """What the process does: the action, and settings as texts by name."""

    settings: dict[str, str]
    action: ManualAction


class ActionMessage(msgspec.Struct, omit_defaults=True):
    """A line that the process writes: progress, that it is ``alive``, or the end with a ``result`` or an ``error``."""

    done: int = 0
    total: int = 0
    alive: bool = False
    result: str | None = None
    error: str | None = None


def main() -> None:
    """Run the action that stdin holds."""
    messages = take_stdout(buffering=0)

    def send(**fields: Any) -> None:
        messages.write(msgspec.json.encode(ActionMessage(**fields)) + b"\n")

    reported = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal reported
        if time.monotonic() - reported >= _PROGRESS_SECONDS:
            reported = time.monotonic()
            send(done=done, total=total)

    try:
        request = decoder(ActionRequest).decode(sys.stdin.buffer.readline())
        threading.Thread(target=_exit_with_stdin, args=(lambda: send(alive=True),), daemon=True).start()
        with contextlib.suppress(OSError):
            os.nice(_NICE)
        send(result=run_action(request.action, load_settings(environ={}, flags=request.settings), progress))
    except (StoreError, ValueError) as error:
        send(error=str(error))
    except Exception as error:  # noqa: BLE001 -- the process ends, and this is where the reason is known
        send(error=f"the action failed: {type(error).__name__}: {error}")
    os._exit(0)  # without waiting for threads that still send something


def _exit_with_stdin(send_alive: Callable[[], None]) -> None:
    try:
        while True:
            send_alive()
            if select.select([0], [], [], _ALIVE_SECONDS)[0] and not os.read(0, 1):
                return
    finally:  # also if stdin cannot be read: the process must not outlive its parent
        os._exit(1)
