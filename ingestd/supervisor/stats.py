"""Gathers the answers of all workers to one question of the HTTP process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ingestd.supervisor.channel import Message


@dataclass(slots=True)
class _Question:
    unanswered: set[str] = field(default_factory=set)
    states: list[Message] = field(default_factory=list)


class StatsGatherer:
    """Calls ``done(number, states)`` when every worker has answered question ``number`` or has ended."""

    def __init__(self, done: Callable[[int, list[Message]], None]) -> None:
        self._done = done
        self._questions: dict[int, _Question] = {}

    def ask(self, number: int, workers: Iterable[str]) -> None:
        """Note that ``workers``, given by name, were asked question ``number``."""
        self._questions[number] = _Question(set(workers))
        self._close_if_answered(number)

    def answer(self, worker: str, number: int, state: Message) -> None:
        """Note what a worker answered."""
        question = self._questions.get(number)
        if question is not None and worker in question.unanswered:
            question.unanswered.discard(worker)
            question.states.append(state)
            self._close_if_answered(number)

    def gone(self, worker: str) -> None:
        """Note that a worker has ended: nobody waits for its answers any more."""
        for number, question in list(self._questions.items()):
            question.unanswered.discard(worker)
            self._close_if_answered(number)

    def _close_if_answered(self, number: int) -> None:
        if not self._questions[number].unanswered:
            self._done(number, self._questions.pop(number).states)
