"""What the HTTP process asks the workers, through the supervisor: the answers are gathered and given back together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ingestd.supervisor.channel import Message


@dataclass(slots=True)
class _Question:
    waiting: set[str] = field(default_factory=set)
    states: list[Message] = field(default_factory=list)


class StatsGatherer:
    """Gathers answers; ``done(number, states)`` is called when every worker has answered or gone."""

    def __init__(self, done: Callable[[int, list[Message]], None]) -> None:
        self._done = done
        self._open: dict[int, _Question] = {}

    def ask(self, number: int, workers: Iterable[str]) -> None:
        """Note that ``workers``, given by name, were asked question ``number``."""
        self._open[number] = _Question(set(workers))
        self._close_if_answered(number)

    def answer(self, worker: str, number: int, state: Message) -> None:
        """Note what a worker answered."""
        question = self._open.get(number)
        if question is not None and worker in question.waiting:
            question.waiting.discard(worker)
            question.states.append(state)
            self._close_if_answered(number)

    def gone(self, worker: str) -> None:
        """Note that a worker will answer nothing any more."""
        for number, question in list(self._open.items()):
            question.waiting.discard(worker)
            self._close_if_answered(number)

    def _close_if_answered(self, number: int) -> None:
        if not self._open[number].waiting:
            self._done(number, self._open.pop(number).states)
