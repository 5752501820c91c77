"""Find the end of a pattern that cannot fail: whoever gets there has matched, so that it costs one walk at most."""

from __future__ import annotations

from ingestd.grok import charset
from ingestd.grok.nodes import At, Atomic, Case, Char, Choice, Group, Node, Place, Repeat, Sequence


def cannot_fail(node: Node) -> bool:
    """Return whether ``node`` matches everywhere, if only by taking nothing."""
    match node:
        case Repeat(body, low):
            return low == 0 or cannot_fail(body)
        case Sequence(items):
            return tail_start(items) == 0
        case Choice(branches):
            return any(cannot_fail(branch) for branch in branches)
        case Group(body) | Case(body) | Atomic(body):
            return cannot_fail(body)
        case _:
            return False


def takes_what_it_reads(node: Node) -> bool:
    """Return whether a part that cannot fail only reads what it then takes, as ``\\d*``, and not ``(?:.*x)?``."""
    match node:
        case Repeat(body):
            return isinstance(body, Char)
        case Sequence(items):
            return all(takes_what_it_reads(item) for item in items)
        case Group(body) | Case(body):
            return takes_what_it_reads(body)
        case _:
            return isinstance(node, Place)


def tail_start(items: tuple[Node, ...]) -> int:
    """Return the index from which on the items of a sequence cannot fail."""
    start = len(items)
    while start > 0:
        if cannot_fail(items[start - 1]):
            start -= 1
        elif start > 1 and _runs_to(items[start - 1], items[start - 2]):
            start -= 2
        else:
            break
    return start


def _runs_to(place: Node, loop: Node) -> bool:
    """Return whether ``loop`` always gets to ``place``, as ``.*`` to ``$``."""
    while isinstance(loop, Group | Case) or (isinstance(loop, Sequence) and len(loop.items) == 1):
        loop = loop.items[0] if isinstance(loop, Sequence) else loop.body
    if not isinstance(loop, Repeat) or loop.low > 0 or loop.high is not None or not isinstance(loop.body, Char):
        return False
    ends = (At.LINE_END, At.TEXT_END, At.LAST_LINE_END)
    if loop.body.expr == charset.ANY:
        return place in [Place(at) for at in ends]
    return loop.body.expr == charset.NOT_NEWLINE and place == Place(At.LINE_END)
