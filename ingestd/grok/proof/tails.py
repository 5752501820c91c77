"""Find the tail of a pattern that cannot fail: a run that reaches it has matched, so it is read at most once."""

from __future__ import annotations

from ingestd.grok.syntax import charset
from ingestd.grok.syntax.nodes import (
    Alternation,
    Anchor,
    Assertion,
    AtomicGroup,
    CaptureGroup,
    CaseGroup,
    Char,
    Node,
    Repeat,
    Sequence,
)


def cannot_fail(node: Node) -> bool:
    """Return whether ``node`` matches everywhere, possibly the empty text."""
    match node:
        case Repeat(body, low):
            return low == 0 or cannot_fail(body)
        case Sequence(items):
            return tail_start(items) == 0
        case Alternation(branches):
            return any(cannot_fail(branch) for branch in branches)
        case CaptureGroup(body) | CaseGroup(body) | AtomicGroup(body):
            return cannot_fail(body)
        case _:
            return False


def consumes_what_it_reads(node: Node) -> bool:
    """Return whether a part that cannot fail consumes all it reads, like ``\\d*`` but unlike ``(?:.*x)?``."""
    match node:
        case Repeat(body):
            return isinstance(body, Char)
        case Sequence(items):
            return all(consumes_what_it_reads(item) for item in items)
        case CaptureGroup(body) | CaseGroup(body):
            return consumes_what_it_reads(body)
        case _:
            return isinstance(node, Assertion)


def tail_start(items: tuple[Node, ...]) -> int:
    """Return the index of the first item from which a sequence cannot fail."""
    start = len(items)
    while start > 0:
        if cannot_fail(items[start - 1]):
            start -= 1
        elif start > 1 and _always_reaches(items[start - 1], items[start - 2]):
            start -= 2
        else:
            break
    return start


def _always_reaches(anchor: Node, loop: Node) -> bool:
    """Return whether ``loop`` always reaches ``anchor``, as ``.*`` reaches ``$``."""
    while isinstance(loop, CaptureGroup | CaseGroup) or (isinstance(loop, Sequence) and len(loop.items) == 1):
        loop = loop.items[0] if isinstance(loop, Sequence) else loop.body
    if not isinstance(loop, Repeat) or loop.low > 0 or loop.high is not None or not isinstance(loop.body, Char):
        return False
    ends = (Anchor.LINE_END, Anchor.TEXT_END, Anchor.LAST_LINE_END)
    if loop.body.expr == charset.ANY:
        return anchor in [Assertion(end) for end in ends]
    return loop.body.expr == charset.NOT_NEWLINE and anchor == Assertion(Anchor.LINE_END)
