"""What every match of a pattern has: found in the syntax tree, to rule most patterns out without running them.

``text in value`` takes a tenth of the time of a search that fails, so a long list of patterns costs little more than
those that are likely to match.
"""

from __future__ import annotations

from collections.abc import Iterator

from ingestd.grok.syntax.charset import CharExpr, CharSet
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

_MIN_CHARS = 2
"""Nearly every value has a certain blank or quote."""


def required_text(root: Node) -> str:
    """Return the longest text that every match contains; empty if none is known, or none that is worth a look."""
    runs = [""]
    for piece in _pieces(root):
        if piece:
            runs[-1] += piece
        else:
            runs.append("")
    longest = max(runs, key=len)
    return longest if len(longest) >= _MIN_CHARS else ""


def _pieces(node: Node) -> Iterator[str]:
    """Yield the characters that a match has one after another, and "" wherever anything may be between them."""
    match node:
        case Char(expr, ignore_case):
            yield "" if ignore_case else _only_char(expr)
        case Sequence(items):
            for item in items:
                yield from _pieces(item)
        case CaptureGroup(body) | AtomicGroup(body) | CaseGroup(body, False):
            yield from _pieces(body)
        case Repeat(body, low, high) if low:
            yield from _pieces(body)
            if high != 1:
                yield ""
        case Assertion() | Lookaround():  # they consume nothing
            return
        case _:
            yield ""


def _only_char(expr: CharExpr) -> str:
    """Return the only character of a set, empty if it has more."""
    match expr:
        case CharSet(((low, high),)) if low == high:
            return chr(low)
    return ""


def starts_a_line(node: Node) -> bool:
    """Return whether every match begins at the start of a line: a value of one line needs no search."""
    match node:
        case Assertion(anchor):
            return anchor in (Anchor.LINE_START, Anchor.TEXT_START)
        case Sequence(items):
            return bool(items) and starts_a_line(items[0])
        case Alternation(branches):
            return all(map(starts_a_line, branches))
        case CaptureGroup(body) | AtomicGroup(body) | CaseGroup(body):
            return starts_a_line(body)
        case Repeat(body, low):
            return low > 0 and starts_a_line(body)
    return False
