"""Commands: a program that gets a notification as JSON on stdin."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from ingestd.alerts.channels.errors import ChannelError
from ingestd.alerts.config import Channel
from ingestd.alerts.messages import document
from ingestd.alerts.state import Notification
from ingestd.event.jsontext import dumps

_ERROR_CHARS = 200
_SECRET_PREFIX = "INGESTD_"  # noqa: S105 -- variables of our settings, which may be secrets


def run_command(channel: Channel, notification: Notification, page_url: str) -> None:
    """Run the program; it and what it has started are killed when its time is over.

    It gets our environment without our own variables.

    Raises:
        ChannelError: It cannot be started, did not end in time, or its exit code is not 0.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_SECRET_PREFIX)}
    body = dumps(document(notification, page_url)) + b"\n"
    try:
        process = subprocess.Popen(  # noqa: S603 -- of the settings, without a shell
            channel.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environ,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ChannelError(f"{channel.command[0]} cannot be started: {getattr(error, 'strerror', error)}") from None
    with process:
        try:
            _, errors = process.communicate(body, channel.timeout_s)
        except subprocess.TimeoutExpired:
            _kill_group(process)
            raise ChannelError(f"{channel.command[0]} did not end within {channel.timeout_s:g} s") from None
        except BaseException:
            _kill_group(process)
            raise
    if process.returncode:
        reason = " ".join(errors.decode(errors="replace").split())[-_ERROR_CHARS:]
        raise ChannelError(f"{channel.command[0]} failed with {process.returncode}" + (f": {reason}" if reason else ""))


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stderr):  # a grandchild in another session may hold them open
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
