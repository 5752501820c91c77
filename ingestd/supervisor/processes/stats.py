"""Gathers the answers of all workers to one question of the HTTP process, and the latest ones of the helpers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Set
from dataclasses import dataclass, field

from ingestd.supervisor.processes.channel import Message
from ingestd.supervisor.processes.children import Child, Children
from ingestd.supervisor.processes.workers import Workers


@dataclass(slots=True)
class _Question:
    unanswered: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)
    """The workers that were being replaced meanwhile, and did not answer."""
    states: list[Message] = field(default_factory=list)


class StatsGatherer:
    """Calls ``send`` with the answer to a question when every worker has answered it or has ended.

    Args:
        children: All processes.
        workers: The workers among them.
        helpers: The names of the helpers.
        send: Sends a message to the HTTP process.
        describe: Returns what the supervisor itself adds to an answer.
        absent: Returns the workers that do not read because they are being replaced.
    """

    def __init__(
        self,
        children: Children,
        workers: Workers,
        helpers: Collection[str],
        send: Callable[[Message], None],
        describe: Callable[[], Message],
        absent: Callable[[], Set[str]],
    ) -> None:
        self._children, self._workers, self._helpers = children, workers, helpers
        self._send, self._describe, self._absent = send, describe, absent
        self._questions: dict[int, _Question] = {}
        self._helper_states: dict[str, Message] = {}  # the latest answer of each

    def ask(self, number: int) -> None:
        """Ask all workers and helpers; ``number`` is that of the question."""
        asked = self._workers.reading()
        self._children.send_all(asked, {"type": "ask", "number": number})
        helpers = [helper for name in self._helpers if (helper := self._children.get(name)) is not None]
        self._children.send_all(helpers, {"type": "ask"})  # nobody waits for them: their latest answer counts
        self._questions[number] = _Question({child.name for child in asked}, set(self._absent()))
        self._send_if_answered(number)

    def answer(self, child: Child, message: Message) -> None:
        """Note what a worker or a helper answered."""
        if message["type"] == "state":
            self._helper_states[child.name] = message["state"]
            return
        question = self._questions.get(message["number"])
        if question is not None and child.name in question.unanswered:
            question.unanswered.discard(child.name)
            question.states.append(message["state"])
            self._send_if_answered(message["number"])

    def gone(self, child: Child) -> None:
        """Note that a process has ended: nobody waits for its answers any more."""
        self._helper_states.pop(child.name, None)
        for number, question in list(self._questions.items()):
            if child.name in question.unanswered:
                question.unanswered.discard(child.name)
                question.replaced |= self._absent() & {child.name}
            self._send_if_answered(number)

    def _send_if_answered(self, number: int) -> None:
        if not self._questions[number].unanswered:
            question, helpers = self._questions.pop(number), list(self._helper_states.values())
            answer = {"type": "states", "number": number, "states": question.states, "helpers": helpers}
            self._send(answer | {"replaced": len(question.replaced)} | self._describe())
