"""An upgrade: the installed code proves itself in a process of its own, then it is executed in place of this one."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import orjson

from ingestd.logs import get_logger
from ingestd.supervisor.connections.acceptor import UPGRADE_VARIABLE, Acceptor
from ingestd.supervisor.connections.manifest import memory_file, read_and_close
from ingestd.supervisor.connections.sockets import Listener
from ingestd.supervisor.control.plan import Plan
from ingestd.supervisor.notify import LISTEN_VARIABLES
from ingestd.supervisor.state import CHECK_FLAG

log = get_logger(__name__)

_CHECK_SECONDS = 60.0
_READ_BYTES = 1 << 16
_MAX_REASON = 2000


class UpgradeCheck:
    """Runs the command line of this process once more, with ``--check-upgrade``, while the event loop continues.

    Args:
        selector: Where the process is watched; the ``data`` of a ready key is to be called.
        done: Called with the reason why the code cannot be used, empty if it can, and what it is going to listen on.
    """

    def __init__(self, selector: selectors.BaseSelector, done: Callable[[str, Sequence[Listener]], None]) -> None:
        self._selector, self._done = selector, done
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = -1
        self._output = bytearray()
        self._deadline: float | None = None

    @property
    def running(self) -> bool:
        """Whether the process is running."""
        return self._process is not None

    def start(self) -> None:
        """Start the process; none is running.

        Raises:
            OSError: It cannot be started.
        """
        self._output.clear()
        self._errors = memory_file(b"")
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- the command line of this process
                [sys.executable, *sys.orig_argv[1:], CHECK_FLAG],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._errors,
            )
        except BaseException:
            os.close(self._errors)
            raise
        assert self._process.stdout is not None  # noqa: S101 -- it is a pipe
        self._deadline = time.monotonic() + _CHECK_SECONDS
        self._selector.register(self._process.stdout, selectors.EVENT_READ, self._read)

    def tick(self) -> None:
        """Give up a check that takes too long."""
        if self._deadline is not None and self._deadline <= time.monotonic():
            self.cancel()
            self._done(f"the check of the new code did not end within {_CHECK_SECONDS:.0f} s", ())

    def next_deadline(self) -> float | None:
        """Return when ``tick`` kills the process, on the monotonic clock; None: none is running."""
        return self._deadline

    def cancel(self) -> None:
        """Kill the process, if it runs; ``done`` is not called."""
        if self._process is not None:
            self._process.kill()
            self._end()

    def _read(self) -> None:
        assert self._process is not None  # noqa: S101 -- it is watched while it runs
        assert self._process.stdout is not None  # noqa: S101
        data = os.read(self._process.stdout.fileno(), _READ_BYTES)
        if data:
            self._output += data
            return
        code, errors = self._end()
        if code:
            self._done(_reason(errors) or f"its check ended with {_how(code)}", ())
            return
        try:
            listeners = [Listener(**listener) for listener in orjson.loads(self._output)]
        except (ValueError, TypeError) as error:
            self._done(f"its check cannot be understood: {error}", ())
            return
        self._done("", listeners)

    def _end(self) -> tuple[int, str]:
        process, self._process, self._deadline = self._process, None, None
        assert process is not None  # noqa: S101 -- the callers know
        assert process.stdout is not None  # noqa: S101
        self._selector.unregister(process.stdout)
        process.stdout.close()
        return process.wait(), read_and_close(self._errors).decode("utf-8", "replace")


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _reason(errors: str) -> str:
    """Return the end of what a program wrote to stderr; of a traceback, where it happened and what."""
    lines = errors.strip().splitlines()
    places = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    if "Traceback (most recent call last):" in lines and places:
        lines = lines[places[-1] :]
    return "\n".join(lines)[-_MAX_REASON:].strip()


def execute_installed(sockets: str) -> None:
    """Execute the installed code in place of this process; ``sockets``: see ``Acceptor.for_exec``.

    Raises:
        OSError: That is not possible; everything is as before.
    """
    environ = {name: value for name, value in os.environ.items() if name not in LISTEN_VARIABLES}
    arguments = [sys.executable, *sys.orig_argv[1:]]
    os.execve(sys.executable, arguments, environ | {UPGRADE_VARIABLE: sockets})  # noqa: S606 -- what it is for


def listen_at_start(acceptor: Acceptor, plan: Plan, *, upgraded: bool) -> None:
    """Listen on what a plan needs.

    After an upgrade, the daemon continues with the sockets that it has: its check knows only addresses of connections.

    Raises:
        OSError: An address cannot be used.
    """
    try:
        acceptor.listen(plan.listeners, plan.datagrams)
    except OSError as error:
        if not upgraded:
            raise
        log.error("an address of the new config cannot be used; its sockets stay as they were", error=error)
        acceptor.listen(plan.listeners)
