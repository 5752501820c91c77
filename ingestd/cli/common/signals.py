"""Requests to the daemon of a data folder: a signal, and what becomes of it."""

from __future__ import annotations

import os
import signal
import time

import click

from ingestd.cli.common.owner import recorded
from ingestd.settings import Settings
from ingestd.supervisor.control.request_results import RequestResult, read_results
from ingestd.supervisor.pidfile import find
from ingestd.supervisor.state import SIGNALS

_WAIT_SECONDS = 120.0
_POLL_SECONDS = 0.05
_ENDED = "process {} has ended; its log says why"


def send_request(settings: Settings, number: signal.Signals) -> None:
    """Send a signal to the daemon of the data folder, wait for the result and print it.

    Ends the command with exit code 1 if no daemon is running, or if it does not do what is asked for.
    """
    pid = find(settings.data_dir)
    if pid is None:
        raise click.ClickException(f"no ingestd is running on {settings.data_dir}; does it use another --data-dir?")
    request = SIGNALS[number].value
    before = read_results(settings.data_dir, pid)
    _signal(pid, 0)  # whether we may
    with recorded(settings, request) as record:
        _signal(pid, number)
        if before is None:
            click.echo(f"sent {number.name} to process {pid}, which does not report results; see its log")
            return
        result = _wait(settings, pid, request, before.get(request, RequestResult()).started)
        if result.error:
            raise click.ClickException(f"the {request} was refused; the daemon keeps running as before: {result.error}")
        record.text = result.text
    click.echo(f"{request}: {result.text}")


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except PermissionError:
        raise click.ClickException(f"process {pid} belongs to another user") from None
    except ProcessLookupError:
        raise click.ClickException(_ENDED.format(pid)) from None


def _wait(settings: Settings, pid: int, request: str, started: int) -> RequestResult:
    """Return the result of a request that started after the number ``started``."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        results = read_results(settings.data_dir, pid) or {}
        result = results.get(request, RequestResult())
        if result.finished > started:
            return result
        if not _alive(pid):
            raise click.ClickException(_ENDED.format(pid))
        time.sleep(_POLL_SECONDS)
    raise click.ClickException(f"no result after {_WAIT_SECONDS:.0f} s; the daemon's log has more")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
