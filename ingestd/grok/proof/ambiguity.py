"""How many runs an automaton can have on one text: a bound on what a backtracking matcher may try.

The theory is that of Weber and Seidl (On the degree of ambiguity of finite automata, 1991). Runs grow

- exponentially, if a state has two different cycles that read the same text;
- polynomially with degree d, if there is a chain of d + 1 loops, and no longer one, such that some text v leads
  around each loop as well as from it to the next.

A failing match tries every run over every prefix, so its work is one degree higher. The search for a
start is a loop like any other: the first of `Automaton.scans`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, TypeAlias, TypeVar

from ingestd.grok.proof.automaton import Automaton, Edge, TooComplexError

_Pair: TypeAlias = tuple[int, int]
_Triple: TypeAlias = tuple[int, int, int]
_State = TypeVar("_State")  # of one automaton, or of a product of several

MAX_STEPS = 100_000  # transitions of the product automata; tens of milliseconds


class Bridge(NamedTuple):
    """``word`` leads from ``source`` to itself, from ``source`` to ``target``, and from ``target`` to itself."""

    source: int
    target: int
    word: tuple[int, ...]  # masks, one per character


@dataclass(frozen=True, slots=True)
class Loop:
    """A strongly connected component. ``counted``: it repeats a bounded number of times."""

    states: frozenset[int]
    letters: int
    counted: bool


class Ambiguity:
    """The loops of an automaton and the proofs about them. All methods raise `TooComplexError` past the budget."""

    def __init__(self, automaton: Automaton) -> None:
        self._automaton = automaton
        self._edges = automaton.edges
        self._steps = 0
        self._sources = self._reversed()
        self.loops = self._find_loops()
        self._leading: dict[Loop, set[int]] = {}

    def _spend(self, steps: int) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise TooComplexError("the pattern has too many ways to match to check them all")

    def _reversed(self) -> list[list[Edge]]:
        sources: list[list[Edge]] = [[] for _ in self._edges]
        for state, edges in enumerate(self._edges):
            for edge in edges:
                sources[edge.target].append(Edge(state, edge.mask, edge.counted))
        return sources

    def _find_loops(self) -> list[Loop]:
        """Return the loops in the order of the pattern: a loop comes before those it leads to."""
        loops = []
        for states in reversed(_components(self._edges)):
            members = frozenset(states)
            inner = [edge for state in states for edge in self._edges[state] if edge.target in members]
            if not inner:
                continue
            letters = 0
            for edge in inner:
                letters |= edge.mask
            loops.append(Loop(members, letters, self._is_counted(members)))
        return loops

    def _is_counted(self, members: frozenset[int]) -> bool:
        """Whether there is no cycle without the edges that close counted loops."""
        index = {state: number for number, state in enumerate(members)}
        uncounted = []
        for state in members:
            inner = [edge for edge in self._edges[state] if edge.target in members and not edge.counted]
            uncounted.append([Edge(index[edge.target], edge.mask, counted=False) for edge in inner])
        own = any(edge.target == number for number, edges in enumerate(uncounted) for edge in edges)
        return not own and (len(members) == 1 or all(len(component) == 1 for component in _components(uncounted)))

    def exponential(self, loop: Loop) -> Bridge | None:
        """Return a state of ``loop`` and a text that leads around it in two ways, or None."""
        parents: dict[_Pair, tuple[_Pair | None, int]] = {}
        origin: dict[_Pair, int] = {}
        queue: deque[_Pair] = deque()
        for state in loop.states:
            inner = self._inside(state, loop)
            for number, left in enumerate(inner):
                for right in inner[number + 1 :]:
                    self._spend(1)
                    mask = left.mask & right.mask
                    pair = (left.target, right.target)
                    if not mask or pair in parents:
                        continue
                    if left.target == right.target:
                        return self._around(loop, state, left.target, (mask,))
                    parents[pair] = (None, mask)
                    origin[pair] = state
                    queue.append(pair)
        while queue:
            pair = queue.popleft()
            for left in self._inside(pair[0], loop):
                for right in self._inside(pair[1], loop):
                    self._spend(1)
                    mask = left.mask & right.mask
                    reached = (left.target, right.target)
                    if not mask or reached in parents:
                        continue
                    parents[reached] = (pair, mask)
                    origin[reached] = origin[pair]
                    if left.target == right.target:
                        return self._around(loop, origin[pair], left.target, _trace(parents, reached))
                    queue.append(reached)
        return None

    def _around(self, loop: Loop, state: int, reached: int, word: tuple[int, ...]) -> Bridge:
        back = self.path(reached, state, loop.states) if reached != state else ()
        return Bridge(state, state, word + (back or ()))

    def _inside(self, state: int, loop: Loop) -> list[Edge]:
        return [edge for edge in self._edges[state] if edge.target in loop.states]

    def candidates(self, left: Loop) -> list[int]:
        """Return the numbers in `loops` of those that may form a chain with ``left``, by the letters they read."""
        reached = _reachable(self._edges, left)
        return [
            number
            for number, right in enumerate(self.loops)
            if right is not left
            and left.letters & right.letters
            and right.states & reached
            and not self._enters_for_good(left, right)
            and left.states & self._lead_to(right)
        ]

    def _lead_to(self, right: Loop) -> set[int]:
        if right not in self._leading:
            self._leading[right] = _reachable(self._sources, right)
        return self._leading[right]

    def _enters_for_good(self, left: Loop, right: Loop) -> bool:
        """Whether ``right`` is in a part of the tail that ``left`` is not in: ``left`` is never tried again then."""
        parts = self._automaton.parts
        return parts[min(right.states)] not in (0, parts[min(left.states)])

    def bridge(self, left: Loop, right: Loop) -> Bridge | None:
        """Prove that ``left`` and ``right`` form a chain, or return None.

        That is a path from (p, p, q) to (p, q, q) in the product of three automata.
        """
        if left.states in self._automaton.scans:
            return self._scan_bridge(left, right)
        for source in left.states:
            for target in right.states:
                word = self._product_path(source, target, left, right)
                if word is not None:
                    return Bridge(source, target, word)
        return None

    def _product_path(self, source: int, target: int, left: Loop, right: Loop) -> tuple[int, ...] | None:
        start, goal = (source, source, target), (source, target, target)
        parents: dict[_Triple, tuple[_Triple | None, int]] = {start: (None, 0)}
        queue = deque([start])
        useful = self._lead_to(right)
        while queue:
            state = queue.popleft()
            around = list(product(self._inside(state[0], left), self._inside(state[2], right)))
            middle = [edge for edge in self._edges[state[1]] if edge.target in useful]
            self._spend(len(middle) * len(around))
            for edge in middle:
                for first, last in around:
                    mask = edge.mask & first.mask & last.mask
                    reached = (first.target, edge.target, last.target)
                    if not mask or reached in parents:
                        continue
                    parents[reached] = (state, mask)
                    if reached == goal:
                        return _trace(parents, reached)[1:]
                    queue.append(reached)
        return None

    def _scan_bridge(self, left: Loop, right: Loop) -> Bridge | None:
        """Do the same for the search: it reads any text, and its state depends only on the last character.

        As it reads any text, it reaches all states of a loop if it reaches one.
        """
        target = min(right.states)
        any_letter = self._automaton.alphabet.all
        if self._scan_path(list(left.states), target, right, any_letter) is None:
            return None
        for source in left.states:
            own = next(edge.mask for edge in self._edges[source] if edge.target == source)
            word = self._scan_path([source], target, right, own)
            if word is not None:
                return Bridge(source, target, word)
        return None

    def _scan_path(self, sources: list[int], target: int, right: Loop, last: int) -> tuple[int, ...] | None:
        """Return a text from (p, q) to (q, q), p one of ``sources``, that ends with a character in ``last``."""
        goal = (target, target)
        parents: dict[_Pair, tuple[_Pair | None, int]] = {(source, target): (None, 0) for source in sources}
        queue = deque(parents)
        useful = self._lead_to(right)
        while queue:
            state = queue.popleft()
            around = self._inside(state[1], right)
            middle = [edge for edge in self._edges[state[0]] if edge.target in useful]
            self._spend(len(middle) * len(around))
            for edge in middle:
                for other in around:
                    mask = edge.mask & other.mask
                    reached = (edge.target, other.target)
                    if reached == goal and mask & last:
                        return (*_trace(parents, state)[1:], mask & last)
                    if mask and reached not in parents:
                        parents[reached] = (state, mask)
                        queue.append(reached)
        return None

    def path(self, source: int, target: int, within: frozenset[int] | None = None) -> tuple[int, ...] | None:
        """Return the masks of a shortest text that leads from one state to another, or None."""
        parents: dict[int, tuple[int | None, int]] = {source: (None, 0)}
        queue = deque([source])
        while queue:
            state = queue.popleft()
            if state == target:
                return _trace(parents, state)[1:]
            for edge in self._edges[state]:
                if edge.target not in parents and (within is None or edge.target in within):
                    self._spend(1)
                    parents[edge.target] = (state, edge.mask)
                    queue.append(edge.target)
        return None


def _trace(parents: dict[_State, tuple[_State | None, int]], state: _State | None) -> tuple[int, ...]:
    """Return the masks along the path to ``state``, that of the first entry included."""
    masks = []
    while state is not None:
        state, mask = parents[state]
        masks.append(mask)
    return tuple(reversed(masks))


def _reachable(edges: list[list[Edge]], loop: Loop) -> set[int]:
    """Return the states that a text of the letters of ``loop`` leads to along ``edges``, with those of the loop."""
    seen = set(loop.states)
    todo = list(loop.states)
    while todo:
        for edge in edges[todo.pop()]:
            if edge.mask & loop.letters and edge.target not in seen:
                seen.add(edge.target)
                todo.append(edge.target)
    return seen


def _components(edges: list[list[Edge]]) -> list[list[int]]:
    """Return the strongly connected components, each after those it leads to: Tarjan's algorithm without recursion."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    components: list[list[int]] = []
    for root in range(len(edges)):
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            state, rest = work[-1]
            for edge in rest:
                if edge.target not in index:
                    index[edge.target] = low[edge.target] = len(index)
                    stack.append(edge.target)
                    on_stack.add(edge.target)
                    work.append((edge.target, iter(edges[edge.target])))
                    break
                if edge.target in on_stack:
                    low[state] = min(low[state], index[edge.target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[state])
                if low[state] == index[state]:
                    component: list[int] = []
                    while not component or component[-1] != state:
                        component.append(stack.pop())
                        on_stack.discard(component[-1])
                    components.append(component)
    return components
