"""The daemon's own log: a constant message, and what varies as key=value.

``log = get_logger(__name__)``, then ``log.info("listening for events", input="tcp", port=5959)``. WARNING: no event
was lost, but an operator may want to know. ERROR: events were lost, or an operator has to act.
``ingestd.supervisor.logs`` formats and writes the messages.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any, TextIO

_REPEAT_SECONDS = 60.0

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
"""Minimum levels and the priorities of syslog(3)."""


class Logger:
    """Wraps a logger of the standard library; takes fields as keyword arguments."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, message: str, /, **fields: Any) -> None:
        """Log details for debugging."""
        self._log(logging.DEBUG, message, fields)

    def info(self, message: str, /, **fields: Any) -> None:
        """Log what the daemon does."""
        self._log(logging.INFO, message, fields)

    def warning(self, message: str, /, **fields: Any) -> None:
        """Log something unusual; nothing was lost."""
        self._log(logging.WARNING, message, fields)

    def note(self, message: str, /, **fields: Any) -> None:
        """Log what a start finds in configs and settings: a warning, however many there are of it."""
        self._log(logging.WARNING, message, fields, limited=False)

    def error(self, message: str, /, **fields: Any) -> None:
        """Log that events were lost, or that an operator has to act."""
        self._log(logging.ERROR, message, fields)

    def exception(self, message: str, /, **fields: Any) -> None:
        """Like ``error``, with the traceback of the exception that is being handled."""
        self._log(logging.ERROR, message, fields, exc_info=True)

    def _log(
        self, level: int, message: str, fields: dict[str, Any], *, exc_info: bool = False, limited: bool = True
    ) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, message, exc_info=exc_info, extra={"fields": fields, "limited": limited})


class Outage:
    """A failure that lasts: logged at its start, once a minute while it lasts, and at its end.

    Args:
        log_failure: A method of a logger, such as ``log.error``.
        failure: The message while it lasts.
        log_end: Such as ``log.info``.
        end: The message at its end.
        clock: Seconds since any moment.
    """

    def __init__(
        self,
        log_failure: Callable[..., None],
        failure: str,
        log_end: Callable[..., None],
        end: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log_failure, self._failure, self._log_end, self._end = log_failure, failure, log_end, end
        self._clock = clock
        self._since: float | None = None
        self._reason = ""
        self._next_report = 0.0

    @property
    def ongoing(self) -> bool:
        """Whether it has started and not ended yet."""
        return self._since is not None

    @property
    def reason(self) -> str:
        """Why it continues, empty if there is none: what ``error`` or ``reason`` of the last failure says."""
        return self._reason if self.ongoing else ""

    def failed(self, **fields: Any) -> None:
        """Note a failure; may be called as often as it occurs."""
        now = self._clock()
        self._reason = str(fields.get("error") or fields.get("reason") or self._failure)
        if self._since is None:
            self._since = now
        elif now < self._next_report:
            return
        else:
            fields["for_seconds"] = round(now - self._since)
        self._next_report = now + _REPEAT_SECONDS
        self._log_failure(self._failure, **fields)

    def recovered(self, **fields: Any) -> None:
        """Note a success; costs next to nothing if there was no failure."""
        if self._since is not None:
            seconds, self._since = self._clock() - self._since, None
            self._log_end(self._end, after_seconds=round(seconds, 1), **fields)


def get_logger(name: str) -> Logger:
    """Return the logger of a module; ``name`` is its ``__name__``."""
    return Logger(logging.getLogger(name))


def goes_to_journal(stream: TextIO) -> bool:
    """Return whether a stream goes to systemd's journal: JOURNAL_STREAM in systemd.exec(5)."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # not a file, or closed
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def with_priority(level: int, text: str) -> str:
    """Return a message with its priority before each line, as systemd's journal reads them: sd-daemon(3)."""
    priority = next(number for limit, number in _PRIORITIES if level >= limit)
    return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))
