"""Requests to the supervisor: what is done with each, now or later, as the table ``REPLIES`` says."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from ingestd.logs import get_logger
from ingestd.supervisor.control.request_results import RequestResults
from ingestd.supervisor.state import REPLIES, Reply, Request, SupervisorState

log = get_logger(__name__)

Answer = Callable[[str, str], None]
"""Called with what became of a request: why it was not done, or empty, and what was done."""


def _no_answer(_error: str, _text: str) -> None:
    """Answer nobody."""


def _answer_all(answers: Iterable[Answer], error: str, text: str) -> None:
    for answer in answers:
        answer(error, text)


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
        self._postponed: dict[Request, tuple[str, list[Answer]]] = {}  # see Reply.LATER; with the first cause
        self._unanswered: dict[Request, list[Answer]] = {}
        """Whom to answer when what was started is finished."""
        self.checking_upgrade: Callable[[], bool] = lambda: False
        """Says whether the installed code is being checked: it may have changed since, so that is done once more."""

    def add(self, request: Request, cause: str, answer: Answer = _no_answer) -> None:
        """Add a request; ``answer`` is called when it is finished."""
        self._waiting.append((request, cause, answer))

    def handle(self) -> None:
        """Do what was asked for."""
        while self._waiting:
            self._do(*self._waiting.pop(0))

    def finish(self, request: Request, *, error: str = "", text: str = "") -> None:
        """Note and answer what became of all requests of a kind that were started."""
        self._results.finish(request, error=error, text=text)
        self.answer(request, error, text)

    def answer(self, request: Request, error: str, text: str = "") -> None:
        """Answer whoever waits for requests of a kind, without noting a result."""
        _answer_all(self._unanswered.pop(request, []), error, text)

    def _start(self, request: Request, answer: Answer) -> None:
        self._results.start(request)
        self._unanswered.setdefault(request, []).append(answer)

    def _do(self, request: Request, cause: str, answer: Answer) -> None:
        state = self._state()
        reply = REPLIES[state][request]
        if request is Request.UPGRADE and self.checking_upgrade():
            reply = Reply.LATER
        match reply:
            case Reply.NOW:
                self._start(request, answer)
                if error := self._actions[request](cause):
                    self.finish(request, error=error)
            case Reply.LATER:
                self._postponed.setdefault(request, (cause, []))[1].append(answer)
            case Reply.REFUSE:
                text = "a request is refused because the daemon is about to end"
                log.warning(text, request=request.value, cause=cause, state=state.value)
                self._start(request, answer)
                self.finish(request, error=f"the daemon is {state.value}")
            case Reply.IGNORE:
                self._start(request, answer)  # it ends with what is being done

    def resume(self, *requests: Request) -> None:
        """Do now what was postponed, if it was."""
        for request in requests:
            if (postponed := self._postponed.pop(request, None)) is not None:
                cause, answers = postponed
                self.add(request, cause, partial(_answer_all, answers))

    def leave_to_next(self) -> None:
        """Leave what is still asked for to the supervisor that is executed in place of this one."""
        asked = {request for request, *_ in self._waiting} | self._postponed.keys()
        self._waiting, self._postponed = [], {}
        if Request.STOP in asked:
            os.kill(os.getpid(), signal.SIGTERM)
        for request in asked - {Request.STOP}:  # it does them by starting
            self._results.start(request)
