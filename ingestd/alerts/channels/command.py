"""Commands: a program that gets a notification as JSON on stdin."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from typing import BinaryIO

from ingestd.alerts.config import AlertChannel, ChannelError
from ingestd.alerts.messages import document
from ingestd.alerts.state import Notification
from ingestd.event.jsontext import dumps

_ERROR_CHARS = 200
_ERROR_BYTES = 4 * _ERROR_CHARS
_CHUNK_BYTES = 1 << 16
_SECRET_PREFIX = "INGESTD_"  # noqa: S105 -- variables of our settings, which may be secrets


def run_command(channel: AlertChannel, notification: Notification, page_url: str) -> None:
    """Run the program; it and what it has started are killed when its time is over.

    It gets our environment without our own variables.

    Raises:
        ChannelError: It cannot be started, did not end in time, or its exit code is not 0.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_SECRET_PREFIX)}
    program = channel.command[0]
    try:
        with _input(dumps(document(notification, page_url)) + b"\n") as body:
            process = subprocess.Popen(  # noqa: S603 -- of the settings, without a shell
                channel.command,
                stdin=body,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environ,
                start_new_session=True,
            )
    except (OSError, ValueError) as error:
        raise ChannelError(f"{program} cannot be started: {getattr(error, 'strerror', error)}") from None
    with process:
        try:
            errors = _ended(process, channel.timeout_s)
        except subprocess.TimeoutExpired:
            _kill_group(process)
            raise ChannelError(f"{program} did not end within {channel.timeout_s:g} s") from None
        except BaseException:
            _kill_group(process)
            raise
    if process.returncode:
        reason = " ".join(errors.decode(errors="replace").split())[-_ERROR_CHARS:]
        raise ChannelError(f"{program} failed with {process.returncode}" + (f": {reason}" if reason else ""))


def _input(body: bytes) -> BinaryIO:
    """Return a file in memory to be read from its start: a program may leave its input unread."""
    file = os.fdopen(os.memfd_create("notification"), "w+b")
    file.write(body)
    file.seek(0)
    return file


def _ended(process: subprocess.Popen[bytes], timeout_s: float) -> bytes:
    """Wait for the end of a program; returns the end of what it wrote to stderr, which may be without end.

    Raises:
        subprocess.TimeoutExpired: It runs, or something that it has started holds stderr.
    """
    assert process.stderr is not None  # noqa: S101 -- it is a pipe
    fd, end, until = process.stderr.fileno(), b"", time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while (left := until - time.monotonic()) > 0:
            if selector.select(left):
                if not (chunk := os.read(fd, _CHUNK_BYTES)):
                    process.wait(left)
                    return end
                end = (end + chunk)[-_ERROR_BYTES:]
    raise subprocess.TimeoutExpired(process.args, timeout_s)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
