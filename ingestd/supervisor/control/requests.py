"""Requests to the supervisor: what is done with each, now or later, as the table ``REPLIES`` says."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping

from ingestd.logs import get_logger
from ingestd.supervisor.control.request_results import RequestResults
from ingestd.supervisor.control.state import REPLIES, Reply, Request, SupervisorState

log = get_logger(__name__)

Answer = Callable[[str], None]


def _no_answer(_: str) -> None:
    """Answer nobody."""


class Requests:
    """Requests in the order in which they came.

    Args:
        results: Where their results are noted.
        actions: What to do for each; called with its cause, they return why it was not done, empty if it was.
        state: Returns what the supervisor is doing.
    """

    def __init__(
        self,
        results: RequestResults,
        actions: Mapping[Request, Callable[[str], str]],
        state: Callable[[], SupervisorState],
    ) -> None:
        self._results, self._actions, self._state = results, actions, state
        self._waiting: list[tuple[Request, str, Answer]] = []
        self._postponed: dict[Request, str] = {}  # see Reply.LATER; with its cause
        self.checking_upgrade: Callable[[], bool] = lambda: False
        """Says whether the installed code is being checked: it may have changed since, so that is done once more."""

    def add(self, request: Request, cause: str, answer: Answer = _no_answer) -> None:
        """Add a request; ``answer`` is called with the reason why it was not done, empty if it was."""
        self._waiting.append((request, cause, answer))

    def handle(self) -> None:
        """Do what was asked for."""
        while self._waiting:
            request, cause, answer = self._waiting.pop(0)
            answer(self._do(request, cause))

    def _do(self, request: Request, cause: str) -> str:
        state = self._state()
        reply = REPLIES[state][request]
        if request is Request.UPGRADE and self.checking_upgrade():
            reply = Reply.LATER
        match reply:
            case Reply.NOW:
                self._results.start(request)
                if error := self._actions[request](cause):
                    self._results.finish(request, error=error)
                return error
            case Reply.LATER:
                self._postponed[request] = cause
                return f"the daemon is {state.value}; this is done after that"
            case Reply.REFUSE:
                text = "a request is refused because the daemon is about to end"
                log.warning(text, request=request.value, cause=cause, state=state.value)
                error = f"the daemon is {state.value}"
                self._results.start(request)
                self._results.finish(request, error=error)
                return error
            case Reply.IGNORE:
                self._results.start(request)  # it ends with what is being done
                return ""

    def resume(self, *requests: Request) -> None:
        """Do now what was postponed, if it was."""
        for request in requests:
            if (cause := self._postponed.pop(request, None)) is not None:
                self.add(request, cause)

    def leave_to_next(self) -> None:
        """Leave what is still asked for to the supervisor that is executed in place of this one."""
        asked = {request for request, *_ in self._waiting} | self._postponed.keys()
        self._waiting, self._postponed = [], {}
        if Request.STOP in asked:
            os.kill(os.getpid(), signal.SIGTERM)
        for request in asked - {Request.STOP}:  # it does them by starting
            self._results.start(request)
