"""The daemon's own log: one sentence that is always the same, and what varies as key=value.

``log = get_logger(__name__)``, then ``log.info("listening for events", input="tcp", port=5959)``. WARNING: no event
was lost, but somebody may want to know. ERROR: events were lost, or somebody has to do something.
``ingestd.runtime.logs`` decides what becomes of the messages.
"""

from __future__ import annotations

import logging
from typing import Any


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


def get_logger(name: str) -> Logger:
    """Return the logger of a module; ``name`` is its ``__name__``."""
    return Logger(logging.getLogger(name))
