"""A backtracking matcher that counts its steps: the plain model of ``re`` that proofs are tested against."""

from __future__ import annotations

from collections.abc import Callable

from ingestd.grok.syntax import charset
from ingestd.grok.syntax.nodes import (
    Alternation,
    Anchor,
    Assertion,
    AtomicGroup,
    CaptureGroup,
    CaseGroup,
    Char,
    Lookaround,
    Node,
    Repeat,
    Sequence,
)
from ingestd.grok.syntax.parser import parse

Next = Callable[[int], bool]
LIMIT = 80_000


class ExhaustedError(Exception):
    """More than `LIMIT` steps."""


class Backtracker:
    def __init__(self, pattern: str, text: str) -> None:
        self.root, self.text, self.steps = parse(pattern).root, text, 0

    def search(self) -> int:
        """Return the number of steps that a search takes, at most `LIMIT`."""
        try:
            for start in range(len(self.text) + 1):
                if self.run(self.root, start, lambda _: True):
                    break
        except ExhaustedError:
            return LIMIT
        return self.steps

    def run(self, node: Node, at: int, then: Next) -> bool:  # noqa: PLR0911
        self.steps += 1
        if self.steps >= LIMIT:
            raise ExhaustedError
        match node:
            case Char(expr):
                matched = at < len(self.text) and charset.superset(expr).contains(self.text[at])
                return matched and then(at + 1)
            case Assertion(anchor):
                return self.matches_at(anchor, at) and then(at)
            case Sequence(items):
                if not items:
                    return then(at)
                rest = Sequence(items[1:])
                return self.run(items[0], at, lambda end: self.run(rest, end, then))
            case Alternation(branches):
                return any(self.run(branch, at, then) for branch in branches)
            case CaptureGroup(body) | CaseGroup(body):
                return self.run(body, at, then)
            case AtomicGroup(body):
                end = self.end_of(body, at)
                return end is not None and then(end)
            case Lookaround(body, True, negative):
                return (self.end_of(body, at) is None) == negative and then(at)
            case Repeat(_, _, _, "possessive"):
                end = self.end_of(Repeat(node.body, node.low, node.high), at)
                return end is not None and then(end)
            case Repeat():
                return self.repeat(node, at, 0, -1, then)
        raise NotImplementedError(node)

    def end_of(self, body: Node, at: int) -> int | None:
        ends: list[int] = []
        self.run(body, at, lambda end: not ends.append(end))  # type: ignore[func-returns-value]
        return ends[0] if ends else None

    def repeat(self, node: Repeat, at: int, count: int, last: int, then: Next) -> bool:
        """Like ``re``: an iteration may take nothing, but none follows one that did."""

        def again() -> bool:
            if (node.high is not None and count >= node.high) or (count >= node.low and at == last):
                return False
            return self.run(node.body, at, lambda end: self.repeat(node, end, count + 1, at, then))

        if count < node.low:
            return again()
        return (again() or then(at)) if node.mode == "greedy" else (then(at) or again())

    def matches_at(self, anchor: Anchor, at: int) -> bool:
        before, after = self.text[at - 1 : at], self.text[at : at + 1]
        word = (before.isalnum() or before == "_") != (after.isalnum() or after == "_")
        return {
            Anchor.LINE_START: before in ("", "\n"),
            Anchor.LINE_END: after in ("", "\n"),
            Anchor.TEXT_START: not before,
            Anchor.TEXT_END: not after,
            Anchor.WORD_EDGE: word,
            Anchor.NO_WORD_EDGE: not word,
        }[anchor]
