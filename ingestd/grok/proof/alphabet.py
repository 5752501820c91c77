"""Partition the characters into classes that a given pattern cannot tell apart; a set becomes a bit mask."""

from __future__ import annotations

from collections.abc import Iterable

from ingestd.grok.syntax import charset
from ingestd.grok.syntax.charset import LAST, CharSet
from ingestd.grok.syntax.nodes import (
    Alternation,
    AtomicGroup,
    CaptureGroup,
    CaseGroup,
    Char,
    Conditional,
    Lookaround,
    Node,
    Repeat,
    Sequence,
)

_READABLE = (*range(0x61, 0x7B), *range(0x30, 0x3A), *range(0x41, 0x5B), *range(0x20, 0x7F), 0x0A)


class Alphabet:
    """Bit i of a mask stands for class i; `start` is one more bit, for the position before the first character."""

    def __init__(self, charsets: Iterable[CharSet]) -> None:
        known = list(dict.fromkeys(charsets))
        toggles: dict[int, int] = {0: 0}
        for index, chars in enumerate(known):
            for low, high in chars.ranges:
                toggles[low] = toggles.get(low, 0) ^ (1 << index)
                toggles[high + 1] = toggles.get(high + 1, 0) ^ (1 << index)
        classes: dict[int, int] = {}  # bit mask of the sets that contain a character -> class
        starts = sorted(start for start in toggles if start <= LAST)
        self._intervals: list[tuple[int, int, int]] = []
        signature = 0
        for start, after in zip(starts, [*starts[1:], LAST + 1], strict=True):
            signature ^= toggles[start]
            self._intervals.append((start, after - 1, classes.setdefault(signature, len(classes))))
        self._masks = [0] * len(known)
        for containing, number in classes.items():
            for index in range(len(known)):
                if containing >> index & 1:
                    self._masks[index] |= 1 << number
        self._index = {chars: index for index, chars in enumerate(known)}
        self.size = len(classes)
        self.all = (1 << self.size) - 1
        self.start = 1 << self.size

    def mask(self, chars: CharSet) -> int:
        """Return the mask of one of the sets that the alphabet was built from."""
        return self._masks[self._index[chars]]

    def char(self, mask: int) -> str:
        """Return a character in ``mask``, a readable one if possible."""
        held = [(low, high) for low, high, number in self._intervals if mask >> number & 1]
        for code in _READABLE:
            if any(low <= code <= high for low, high in held):
                return chr(code)
        return chr(held[0][0]) if held else ""


def charsets_of(root: Node) -> list[CharSet]:
    """Return the sets of characters that a pattern names."""
    found: list[CharSet] = [charset.ANY]
    todo: list[Node] = [root]
    while todo:
        match todo.pop():
            case Char() as node:
                found.append(chars_of(node))
            case Sequence(items) | Alternation(items):
                todo += items
            case Repeat(body) | CaptureGroup(body) | CaseGroup(body) | AtomicGroup(body) | Lookaround(body):
                todo.append(body)
            case Conditional(_, _, yes, no):
                todo += (yes, no)
            case _:
                pass
    return found


def chars_of(node: Char) -> CharSet:
    """Return the characters that a node matches, or more."""
    chars = charset.superset(node.expr)
    return charset.both_cases(chars) if node.ignore_case else chars
