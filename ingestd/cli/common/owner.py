"""Who runs a command, and as whom it works.

Commands that root runs on the data of a service work as the owner of the data folder: otherwise they would leave files
that the daemon cannot read or replace. Commands that change something are in the action log.
"""

from __future__ import annotations

import datetime
import os
import pwd
import shlex
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingestd.action_log import DONE, FAILED, STARTED, Action, ActionLog, new_action_id
from ingestd.event.timestamp import from_datetime
from ingestd.settings import Settings
from ingestd.supervisor.pidfile import pid_path

if TYPE_CHECKING:
    import ctypes

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

_HINT = "ingestd.permission_hint"
"""Where the context of the command has what is to be said about a missing right."""

_PR_SET_KEEPCAPS = 8  # prctl(2)
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAPABILITY_VERSION_3 = 0x20080522  # capset(2)
_CAP_DAC_READ_SEARCH = 2  # capabilities(7)


_STARTED_BY = os.getuid()


def caller() -> str:
    """Return the name of the Unix user who ran the command: with sudo, of the one who called it."""
    return os.environ.get("SUDO_USER") or _user_name(_STARTED_BY)


def act_as_owner(folder: Path) -> None:
    """If root runs the command and another user owns the data folder, become that user.

    The command, and what it starts, can still read what root can, such as logs to import; it writes as the owner only.
    A folder of root that others may write to is the daemon's: whose that is, the file with its process id says.
    """
    try:
        place, status = folder, folder.stat()
    except OSError:  # not there yet
        return
    if status.st_uid == 0 and status.st_mode & _OTHERS_WRITE and (file := _own_file(pid_path(folder))) is not None:
        place, status = pid_path(folder), file
    if os.geteuid() == 0 and status.st_uid != 0:
        _become(status.st_uid, status.st_gid)
        _note(f"the command runs as {_user_name(status.st_uid)}, the owner of {place}")
    elif os.geteuid() != status.st_uid:
        _note(_advice(folder, status.st_uid))


def _own_file(path: Path) -> os.stat_result | None:
    """Return the status of a regular file; None for a link of either kind, which another user may have put there."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 else None


def _advice(folder: Path, owner: int) -> str:
    """Return what to do for a user who does not own the folder. In a container, it may be mounted from outside."""
    name, number = _user_name(owner), os.geteuid()
    if owner == 0 or name.startswith("#"):
        return (
            f"{folder} belongs to the uid {owner}, and ingestd runs with the uid {number}: chown -R {number} {folder}"
        )
    command = shlex.join(["sudo", "-u", name, Path(sys.argv[0]).absolute().as_posix(), *sys.argv[1:]])
    return f"{folder} belongs to {name}; run: {command}"


def _note(hint: str) -> None:
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_HINT] = hint


def with_hint(error: BaseException, text: str) -> str:
    """Return the text of an error; if its cause is a missing right, with the reason and what to do."""
    context = click.get_current_context(silent=True)
    hint = context.meta.get(_HINT, "") if context is not None else ""
    return f"{text}; {hint}" if hint and any(isinstance(cause, PermissionError) for cause in _causes(error)) else text


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"  # as sudo takes it


def _become(user: int, group: int) -> None:
    import ctypes  # noqa: PLC0415 -- only for root

    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is not None:
        libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    try:
        entry = pwd.getpwuid(user)
        os.initgroups(entry.pw_name, group)
        os.environ["HOME"] = entry.pw_dir
    except KeyError:
        os.setgroups([])
    os.setgid(group)
    os.setuid(user)
    if libc is not None:
        _keep_reading(libc)


def _keep_reading(libc: ctypes.CDLL) -> None:
    """Take back the right to read every file, and give up all others; in some containers there is none."""
    import ctypes  # noqa: PLC0415

    kept = 1 << _CAP_DAC_READ_SEARCH
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)  # effective, permitted, inheritable; then those from 32 on
    libc.capset(header, data)
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_READ_SEARCH, 0, 0)


@dataclass(slots=True)
class ActionOutcome:
    """What the log gets when an action has ended."""

    text: str = ""
    failed: bool = False

    def fail(self, text: str) -> None:
        """Note that something failed, although no exception says so."""
        self.failed, self.text = True, text


@contextmanager
def recorded(settings: Settings, action: str, target: str = "") -> Iterator[ActionOutcome]:
    """Put an action of a command into the action log: its start, and at the end of the block its outcome.

    If that cannot be written, stderr says so and the command continues.
    """
    log, record = ActionLog(settings.data_dir), ActionOutcome()
    address = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    start = Action(new_action_id(), _time(), action, target, "cli", caller(), address, STARTED)
    _add(log, start)
    try:
        yield record
    except BaseException as error:
        if not isinstance(error, SystemExit) or error.code:
            record.fail(_why(error, record.text))
        raise
    finally:
        outcome = FAILED if record.failed else DONE
        _add(log, Action(start.id, _time(), action, outcome=outcome, text=record.text))


def _why(error: BaseException, text: str) -> str:
    """Return why a command ends; of one that has said it itself, ``text``."""
    if isinstance(error, SystemExit):
        return text
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return "it was interrupted"
    return error.format_message() if isinstance(error, click.ClickException) else str(error)


def _time() -> str:
    return from_datetime(datetime.datetime.now(datetime.UTC))


def _add(log: ActionLog, action: Action) -> None:
    try:
        log.add(action)
    except OSError as error:
        click.echo(f"the action log cannot be written: {error.strerror or error}", err=True)
