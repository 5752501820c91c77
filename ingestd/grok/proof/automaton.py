"""A pattern as an automaton without epsilon transitions, on which `ambiguity` proves its bounds.

A state is a position in the pattern that consumes one character (Glushkov's construction), so a run of the
automaton is a path that a backtracking matcher can try. Where the automaton is not exact, it has more runs than
the matcher has paths, never fewer: a bound for the automaton is a bound for the matcher.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from ingestd.grok.proof.alphabet import Alphabet, chars_of, charsets_of
from ingestd.grok.proof.tails import consumes_what_it_reads, tail_start
from ingestd.grok.syntax import charset
from ingestd.grok.syntax.charset import CharSet
from ingestd.grok.syntax.nodes import (
    Alternation,
    Anchor,
    Assertion,
    AtomicGroup,
    Backref,
    CaptureGroup,
    CaseGroup,
    Char,
    Conditional,
    GroupCall,
    Lookaround,
    Node,
    Repeat,
    Sequence,
    Special,
)

MAX_STATES = 3_000
MAX_EDGES = 30_000
MAX_UNROLLED = 4  # times; a longer counted repetition becomes a loop, unless it is
MAX_UNROLLED_CHARS = 16  # times one character
MAX_COUNTED = 100  # times, with the counted loops around it; up to this a loop is a constant factor, else unbounded

_MAYBE_WORD = charset.of_ranges([*charset.WORD.ranges, *charset.BEYOND_ASCII.ranges])
_MAYBE_NO_WORD = charset.complement(charset.WORD)

# A condition on the characters around a position: one of these pairs (mask before, mask after) must match.
Conditions: TypeAlias = tuple[tuple[tuple[int, int], ...], ...]


class TooComplexError(Exception):
    """The pattern is too complex for the analysis."""


class Edge(NamedTuple):
    """A transition to ``target`` on a character in ``mask``; ``counted``: it closes a counted loop."""

    target: int
    mask: int
    counted: bool


class BorderState(NamedTuple):
    """An entry or exit state of a fragment, and the conditions for getting there."""

    state: int
    conditions: Conditions


class Fragment(NamedTuple):
    """The automaton of a part: its entry and exit states, and the conditions under which it matches nothing."""

    first: list[BorderState]
    last: list[BorderState]
    empty: list[Conditions]


NOTHING = Fragment([], [], [()])


@dataclass(slots=True)
class Automaton:
    """The finished automaton.

    Args:
        edges: The transitions out of each state.
        parts: Number of the part of the tail that each state is in, 0 before the tail. The tail cannot fail: a run
            that reaches it has matched, and never returns to a part that it has left.
        start: The state before the first character.
        scan: States in which a search skips characters before an attempt; empty if it cannot.
        scans: The loops that read any text, in which the state depends only on the last character.
        looks_past_match: The tail may read text without consuming it, so the next search reads it again.
        unbounded: A counted repetition of something that may be empty has exponentially many readings.
    """

    alphabet: Alphabet
    edges: list[list[Edge]]
    parts: list[int]
    start: int = 0
    scan: list[int] = field(default_factory=list)
    scans: list[frozenset[int]] = field(default_factory=list)
    looks_past_match: bool = False
    unbounded: bool = False


def build(root: Node, *, loose: bool = False) -> Automaton:
    """Return the automaton of a search for ``root``.

    ``loose``: repetitions in the tail are built as a single one that may start anywhere. That has more runs, but for
    those that go through several repetitions: as the rest cannot fail, a matcher never returns to an earlier one.

    Raises:
        TooComplexError: It is too large, or the pattern calls its own groups.
    """
    alphabet = Alphabet([*charsets_of(root), charset.NEWLINE, _MAYBE_WORD, _MAYBE_NO_WORD])
    builder = _AutomatonBuilder(alphabet, loose)
    fragment = builder.whole(root)
    builder.add_scan(fragment.first)
    return builder.automaton


class _AutomatonBuilder:
    def __init__(self, alphabet: Alphabet, loose: bool) -> None:
        self._alphabet, self._loose = alphabet, loose
        self._labels: list[int] = []
        self._edge_count = 0
        self._part = self._last_part = 0
        self._times = 1  # how often the counted loops around a node repeat it
        self._anchors = self._anchor_conditions()
        self.automaton = Automaton(alphabet, [], [])

    def _anchor_conditions(self) -> dict[Anchor, Conditions]:
        every, start = self._alphabet.all, self._alphabet.start
        anywhere = every | start
        newline = self._alphabet.mask(charset.NEWLINE)
        word, other = self._alphabet.mask(_MAYBE_WORD), self._alphabet.mask(_MAYBE_NO_WORD)
        return {
            Anchor.LINE_START: (((newline | start, every),),),
            Anchor.LINE_END: (((anywhere, newline),),),
            Anchor.TEXT_START: (((start, every),),),
            Anchor.TEXT_END: (((anywhere, 0),),),
            Anchor.LAST_LINE_END: (((anywhere, newline),),),
            Anchor.WORD_EDGE: (((word, other), (other | start, word)),),
            Anchor.NO_WORD_EDGE: (((word, word), (other | start, other)),),
            Anchor.SEARCH_START: (((start, every),),),
        }

    def whole(self, node: Node) -> Fragment:
        """Build a part after which nothing can fail. Its own tail, which cannot fail either, is marked."""
        match node:
            case Alternation(branches):
                return _either([self.whole(branch) for branch in branches])
            case CaptureGroup(body) | CaseGroup(body):
                return self.whole(body)
            case Sequence(items) if items:
                cut = tail_start(items)
                return self._with_tail(items[:cut], Sequence(items[cut:]))
            case Repeat(body, low, high, mode) if low <= MAX_UNROLLED_CHARS:
                more = None if high is None else high - low
                return self._with_tail((body,) * low, Repeat(body, 0, more, mode))
            case _:
                return self._fragment(node)

    def _with_tail(self, items: tuple[Node, ...], tail: Node) -> Fragment:
        """Build ``items`` and then ``tail``, which cannot fail."""
        self.automaton.looks_past_match |= not consumes_what_it_reads(tail)
        head = self._join(self._sequence(items[:-1]), self.whole(items[-1])) if items else NOTHING
        return self._join(head, self._tail(tail))

    def _tail(self, node: Node) -> Fragment:
        """Build a node of the tail: of a sequence, no item is entered again once it has been left."""
        match node:
            case Sequence(items):
                whole = NOTHING
                for item in items:
                    whole = self._join(whole, self._tail(item))
                return whole
            case CaptureGroup(body) | CaseGroup(body):
                return self._tail(body)
        self._last_part += 1
        self._part = self._last_part
        loose = self._loose and isinstance(node, Repeat) and node.low == 0 and node.high != 1
        fragment = self._anywhere(node.body) if loose and isinstance(node, Repeat) else self._fragment(node)
        self._part = 0
        return fragment

    def _anywhere(self, body: Node) -> Fragment:
        """Build any text, which ``body`` may follow."""
        fragment = self._fragment(body)
        states = self._any_text(fragment.first)
        return Fragment([*states, *fragment.first], [*states, *fragment.last], [()])

    def add_scan(self, first: list[BorderState]) -> None:
        """Add the states of the search itself."""
        scan = self._any_text(first)
        start = BorderState(self._state(self._alphabet.start), ())
        for target in (*scan, *first):
            self._link(start, target)
        self.automaton.start, self.automaton.scan = start.state, [entry.state for entry in scan]

    def _any_text(self, first: list[BorderState]) -> list[BorderState]:
        """Add states that read any text before ``first``: one for each class of characters that it distinguishes."""
        states = [BorderState(self._state(mask), ()) for mask in self._kinds(first)]
        for source in states:
            for target in (*states, *first):
                self._link(source, target)
        self.automaton.scans.append(frozenset(entry.state for entry in states))
        return states

    def _kinds(self, first: list[BorderState]) -> list[int]:
        """Return the masks of the characters that the conditions of ``first`` distinguish."""
        befores = {before for entry in first for alternatives in entry.conditions for before, _ in alternatives}
        kinds: dict[tuple[bool, ...], int] = {}
        for number in range(self._alphabet.size):
            bit = 1 << number
            kind = tuple(bool(before & bit) for before in befores)
            kinds[kind] = kinds.get(kind, 0) | bit
        return list(kinds.values())

    def _state(self, label: int) -> int:
        if len(self._labels) >= MAX_STATES:
            raise TooComplexError(f"the pattern has more than {MAX_STATES} positions for a character")
        self._labels.append(label)
        self.automaton.edges.append([])
        self.automaton.parts.append(self._part)
        return len(self._labels) - 1

    def _link(self, source: BorderState, target: BorderState, counted: bool = False) -> None:
        before, mask = self._labels[source.state], self._labels[target.state]
        for alternatives in source.conditions + target.conditions:
            allowed = 0
            for prev, following in alternatives:
                if prev & before:
                    allowed |= following
            mask &= allowed
        if mask:
            self._edge_count += 1
            if self._edge_count > MAX_EDGES:
                raise TooComplexError(f"the pattern has more than {MAX_EDGES} transitions")
            self.automaton.edges[source.state].append(Edge(target.state, mask, counted))

    def _join(self, left: Fragment, right: Fragment) -> Fragment:
        """Return ``left`` followed by ``right``."""
        for source in left.last:
            for target in right.first:
                self._link(source, target)
        first = left.first + [BorderState(e.state, c + e.conditions) for c in left.empty for e in right.first]
        last = right.last + [BorderState(e.state, e.conditions + c) for c in right.empty for e in left.last]
        # Two ways to match nothing stay separate: in a loop they are two readings of the same text.
        return Fragment(first, last, [a + b for a in left.empty[:2] for b in right.empty[:2]][:2])

    def _sequence(self, items: tuple[Node, ...]) -> Fragment:
        whole = NOTHING
        for item in items:
            whole = self._join(whole, self._fragment(item))
        return whole

    def _fragment(self, node: Node) -> Fragment:  # noqa: PLR0911  one case for each kind
        match node:
            case Char():
                entry = BorderState(self._state(self._alphabet.mask(chars_of(node))), ())
                return Fragment([entry], [entry], [])
            case Sequence(items):
                return self._sequence(items)
            case Alternation(branches):
                return _either([self._fragment(branch) for branch in branches])
            case Repeat():
                return self._repeat(node)
            case CaptureGroup(body) | CaseGroup(body):
                return self._fragment(body)
            case AtomicGroup(body):
                return self._atomic(body)
            case Assertion(anchor):
                return Fragment([], [], [self._anchors[anchor]])
            case Lookaround():
                return self._look(node)
            case Conditional(_, _, yes, no):
                return _either([self._fragment(yes), self._fragment(no)])
            case _:
                return self._other(node)

    def _other(self, node: Node) -> Fragment:
        if isinstance(node, GroupCall):
            raise TooComplexError("the pattern calls one of its groups")
        if node == Special(r"\K"):
            return NOTHING
        return self._repeat(Repeat(Char(charset.ANY), 0, None))  # a backreference or \X: text of any length

    def _repeat(self, node: Repeat) -> Fragment:
        if node.high == 0:
            return NOTHING
        before, times = len(self._labels), self._times
        self._times *= node.high or 1
        body = self._fragment(node.body)
        most, self._times = self._times, times
        single = len(self._labels) - before <= 1
        if node.high == 1:
            return _optional(body) if node.low == 0 else body
        if node.high is not None and node.high <= (MAX_UNROLLED_CHARS if single else MAX_UNROLLED):
            return self._unrolled(node, body)
        if body.empty and node.low > 3:
            self.automaton.unbounded = True
        counted = node.high is not None and most <= MAX_COUNTED
        for source in body.last:
            for target in body.first:
                self._link(source, target, counted)
        loop = _optional(body) if node.low == 0 else body
        return self._sealed(node, loop) if node.mode == "possessive" else loop

    def _unrolled(self, node: Repeat, body: Fragment) -> Fragment:
        whole = NOTHING
        copies = [body] + [self._fragment(node.body) for _ in range(1, node.high or 1)]
        for index in reversed(range(len(copies))):
            whole = self._join(copies[index], whole)
            if index >= node.low:
                whole = _optional(whole)
        return whole

    def _sealed(self, loop: Repeat, fragment: Fragment) -> Fragment:
        """Restrict the exits of ``fragment``, which ends with ``loop`` and is never re-entered by backtracking.

        An unbounded greedy loop has consumed all it can: no character of its own follows.
        """
        if loop.high is not None or loop.mode == "lazy" or not isinstance(loop.body, Char) or not _is_exact(loop.body):
            return fragment
        outside = self._alphabet.all & ~self._alphabet.mask(chars_of(loop.body))
        sealed: Conditions = (((self._alphabet.all | self._alphabet.start, outside),),)
        last = [BorderState(entry.state, entry.conditions + sealed) for entry in fragment.last]
        return Fragment(fragment.first, last, [sealed] if fragment.empty else [])

    def _atomic(self, body: Node) -> Fragment:
        fragments = []
        for branch in body.branches if isinstance(body, Alternation) else (body,):
            fragment = self._fragment(branch)
            last = branch.items[-1] if isinstance(branch, Sequence) and branch.items else branch
            fragments.append(self._sealed(last, fragment) if isinstance(last, Repeat) else fragment)
        return _either(fragments)

    def _look(self, node: Lookaround) -> Fragment:
        condition = self._single_char_look(node)
        if condition is not None:
            return Fragment([], [], [condition])
        if not node.ahead or not _has_loop(node.body):
            return NOTHING
        # A look-ahead scans the text and returns: runs into the body that end there, and one past it.
        return Fragment(self._fragment(node.body).first, [], [()])

    def _single_char_look(self, node: Lookaround) -> Conditions | None:
        body = node.body
        while isinstance(body, Sequence) and len(body.items) == 1:
            body = body.items[0]
        if not isinstance(body, Char) or (node.negative and not _is_exact(body)):
            return None
        every, start = self._alphabet.all, self._alphabet.start
        mask = self._alphabet.mask(chars_of(body))
        if node.ahead:
            return (((every | start, every & ~mask if node.negative else mask),),)
        return (((every & ~mask | start if node.negative else mask, every),),)


def _is_exact(node: Char) -> bool:
    return isinstance(node.expr, CharSet) and not node.ignore_case


def _either(fragments: list[Fragment]) -> Fragment:
    first = [entry for fragment in fragments for entry in fragment.first]
    last = [entry for fragment in fragments for entry in fragment.last]
    return Fragment(first, last, [conditions for fragment in fragments for conditions in fragment.empty][:2])


def _optional(fragment: Fragment) -> Fragment:
    return Fragment(fragment.first, fragment.last, [*fragment.empty, ()][:2])


def _has_loop(node: Node) -> bool:
    match node:
        case Repeat(body, _, high):
            return high is None or high > MAX_COUNTED or _has_loop(body)
        case Sequence(items) | Alternation(items):
            return any(_has_loop(item) for item in items)
        case CaptureGroup(body) | CaseGroup(body) | AtomicGroup(body) | Lookaround(body):
            return _has_loop(body)
        case Conditional(_, _, yes, no):
            return _has_loop(yes) or _has_loop(no)
        case Backref() | GroupCall() | Special():
            return True
        case _:
            return False
