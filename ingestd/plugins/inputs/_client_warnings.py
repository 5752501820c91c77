"""Warnings about what clients do: one for each address and message, once an hour: no client can fill the log."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from ingestd.logs import get_logger

log = get_logger(__name__)

_REPEAT_SECONDS = 3600.0
_MAX_REMEMBERED = 1000
"""Of how many addresses and messages a process knows when it warned of them last: some 200 kB."""


class ClientWarnings:
    """Logs warnings about clients.

    Args:
        pipeline: Its name.
        input_id: The id of the input.
        clock: Seconds since any moment.
    """

    def __init__(self, pipeline: str, input_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._pipeline, self._input, self._clock = pipeline, input_id, clock
        self._warned: OrderedDict[tuple[str, str, str], float] = OrderedDict()

    def warn(self, host: str, message: str, **fields: str) -> None:
        """Warn of a client, unless that was done within the hour.

        ``message`` is a constant sentence; if there may be several reasons for it, ``reason`` is one of a few.
        """
        now, key = self._clock(), (host, message, fields.get("reason", ""))
        if now - self._warned.get(key, float("-inf")) < _REPEAT_SECONDS:
            return
        self._warned[key] = now
        self._warned.move_to_end(key)
        if len(self._warned) > _MAX_REMEMBERED:
            self._warned.popitem(last=False)
        log.warning(message, pipeline=self._pipeline, input=self._input, client=host, **fields)
