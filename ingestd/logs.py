"""The daemon's own log: one sentence that is always the same, and what varies as key=value.

``log = get_logger(__name__)``, then ``log.info("listening for events", input="tcp", port=5959)``. WARNING: no event
was lost, but somebody may want to know. ERROR: events were lost, or somebody has to do something.
``ingestd.supervisor.logs`` decides what becomes of the messages.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

_REPEAT_SECONDS = 60.0


class Logger:
    """A thin coat over a logger of the standard library that takes fields as keywords."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, sentence: str, /, **fields: Any) -> None:
        """Say what only somebody who looks for a fault wants to read."""
        self._log(logging.DEBUG, sentence, fields)

    def info(self, sentence: str, /, **fields: Any) -> None:
        """Say what the daemon does."""
        self._log(logging.INFO, sentence, fields)

    def warning(self, sentence: str, /, **fields: Any) -> None:
        """Say what somebody may want to know; nothing was lost."""
        self._log(logging.WARNING, sentence, fields)

    def error(self, sentence: str, /, **fields: Any) -> None:
        """Say that events were lost, or that somebody has to do something."""
        self._log(logging.ERROR, sentence, fields)

    def exception(self, sentence: str, /, **fields: Any) -> None:
        """As ``error``, with the traceback of the exception that is being handled."""
        self._log(logging.ERROR, sentence, fields, exc_info=True)

    def _log(self, level: int, sentence: str, fields: dict[str, Any], *, exc_info: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, sentence, exc_info=exc_info, extra={"fields": fields})


class Outage:
    """Trouble that lasts: told when it begins, once a minute while it lasts, and when it is over.

    Args:
        tell: A method of a logger, as ``log.error``.
        begun: The sentence while it lasts.
        tell_end: As ``log.info``.
        over: The sentence at its end.
        clock: Seconds, of any origin.
    """

    def __init__(
        self,
        tell: Callable[..., None],
        begun: str,
        tell_end: Callable[..., None],
        over: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell, self._begun, self._tell_end, self._over, self._clock = tell, begun, tell_end, over, clock
        self._since: float | None = None
        self._next_word = 0.0

    @property
    def lasts(self) -> bool:
        """Whether it has begun and is not over."""
        return self._since is not None

    def goes_on(self, **fields: Any) -> None:
        """Note that there is trouble, as often as it shows."""
        now = self._clock()
        if self._since is None:
            self._since = now
        elif now < self._next_word:
            return
        else:
            fields["for_seconds"] = round(now - self._since)
        self._next_word = now + _REPEAT_SECONDS
        self._tell(self._begun, **fields)

    def ended(self, **fields: Any) -> None:
        """Note that there is none; costs next to nothing where there was none."""
        if self._since is not None:
            seconds, self._since = self._clock() - self._since, None
            self._tell_end(self._over, after_seconds=round(seconds, 1), **fields)


def get_logger(name: str) -> Logger:
    """Return the logger of a module; ``name`` is its ``__name__``."""
    return Logger(logging.getLogger(name))
