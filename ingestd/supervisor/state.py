"""What the supervisor is doing, and what it does with a request meanwhile: one table instead of flags."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from enum import Enum


class SupervisorState(Enum):
    """What the supervisor is doing."""

    RUNNING = "running"
    RELOADING = "reloading"
    """Workers leave one after the other and make way for those with the new config."""
    STOPPING = "stopping"
    """Nothing is accepted any more; the workers deliver what was received."""
    UPGRADING = "upgrading"
    """The workers leave; when the last one has gone, the installed code is executed in place of this process."""

    @property
    def final(self) -> bool:
        """Whether the supervisor ends once its last child has gone."""
        return self in (SupervisorState.STOPPING, SupervisorState.UPGRADING)


class Request(Enum):
    """What a signal, or the HTTP process, asks for."""

    STOP = "stop"
    RELOAD = "reload"
    UPGRADE = "upgrade"


class Reply(Enum):
    """What is done with a request."""

    NOW = "now"
    LATER = "later"
    """After the reload; a stop that comes during an upgrade is passed on to the new supervisor."""
    REFUSE = "refuse"
    IGNORE = "ignore"
    """It is being done already."""


SIGNALS: Mapping[signal.Signals, Request] = {
    signal.SIGTERM: Request.STOP,
    signal.SIGINT: Request.STOP,
    signal.SIGHUP: Request.RELOAD,
    signal.SIGUSR2: Request.UPGRADE,
}

REPLIES: Mapping[SupervisorState, Mapping[Request, Reply]] = {
    # Workers that leave to make way for others do not drain: a stop waits until those others have come.
    SupervisorState.RUNNING: {Request.STOP: Reply.NOW, Request.RELOAD: Reply.NOW, Request.UPGRADE: Reply.NOW},
    SupervisorState.RELOADING: {Request.STOP: Reply.LATER, Request.RELOAD: Reply.LATER, Request.UPGRADE: Reply.NOW},
    SupervisorState.STOPPING: {Request.STOP: Reply.IGNORE, Request.RELOAD: Reply.REFUSE, Request.UPGRADE: Reply.REFUSE},
    SupervisorState.UPGRADING: {Request.STOP: Reply.LATER, Request.RELOAD: Reply.REFUSE, Request.UPGRADE: Reply.IGNORE},
}

CHECK_FLAG = "--check-upgrade"
"""What the installed code is started with before an upgrade, to say whether it can take over: see
``ingestd.app.upgrade_check``."""


class UpgradeError(Exception):
    """The installed code cannot take over."""
