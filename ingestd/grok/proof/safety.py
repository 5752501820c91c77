"""Prove how the time of a search grows with the length of the value: linear, quadratic, ... or exponential.

The proof errs on the safe side: the true growth is never more than reported. If it cannot be found within the
budget of `automaton` and `ambiguity`, the pattern counts as exponential.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ingestd.grok.proof.ambiguity import Ambiguity, Bridge
from ingestd.grok.proof.automaton import Automaton, TooComplexError, build
from ingestd.grok.syntax.nodes import ParsedRegex


class AttackPiece(NamedTuple):
    """A part of an attack text."""

    text: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class Safety:
    """How the work of one search grows with the length of the value.

    Args:
        degree: 1 for linear, 2 for quadratic, ...; None for exponential, or unknown.
        attack: Pieces of a text that demonstrates it; empty for linear and unknown.
        reason: Why the degree is unknown; empty if it is known.
        looks_past_match: A search may read text after its match, which the next search reads again.
    """

    degree: int | None
    attack: tuple[AttackPiece, ...] = ()
    reason: str = ""
    looks_past_match: bool = False

    @property
    def degree_of_all(self) -> int | None:
        """The degree of finding all matches of a value, one after another."""
        return self.degree if self.degree is None or not self.looks_past_match else self.degree + 1

    @property
    def example(self) -> str:
        """A text that is slow to search: long enough to notice, short enough to print."""
        return self.attack_text(30 if self.degree is None else 100)

    def attack_text(self, count: int) -> str:
        """Return the attack with its repeated pieces ``count`` times."""
        return "".join(piece.text * (count if piece.repeated else 1) for piece in self.attack)

    def describe(self) -> str:
        """Return the growth in words, with the attack in short form."""
        if self.reason:
            return f"the time of a search is unknown: {self.reason}"
        growth = {1: "linear", 2: "quadratic", 3: "cubic", None: "exponential"}.get(
            self.degree, f"a polynomial of degree {self.degree}"
        )
        parts = [f"{piece.text!r} repeated" if piece.repeated else repr(piece.text) for piece in self.attack]
        return f"the time of a search is {growth}" + (f", as with {' then '.join(parts)}" if parts else "")


def analyse(tree: ParsedRegex) -> Safety:
    """Analyse a parsed pattern. Takes milliseconds, at most a few tens."""
    safety = _analyse(tree, loose=False)
    return _analyse(tree, loose=True) if safety.degree is None and safety.attack else safety


def _analyse(tree: ParsedRegex, *, loose: bool) -> Safety:
    try:
        automaton = build(tree.root, loose=loose)
        ambiguity = Ambiguity(automaton)
        if automaton.unbounded:
            return Safety(None, reason="it repeats something that may be empty a fixed number of times")
        for loop in ambiguity.loops:
            bridge = None if loop.states in automaton.scans else ambiguity.exponential(loop)
            if bridge:
                return Safety(None, _attack(automaton, ambiguity, [bridge]))
        weight, chain = _longest_chain(ambiguity)
        attack = _attack(automaton, ambiguity, chain) if weight >= 2 else ()
        return Safety(max(int(weight), 1), attack, looks_past_match=automaton.looks_past_match)
    except TooComplexError as error:
        return Safety(None, reason=str(error))
    except RecursionError:
        return Safety(None, reason="its groups are nested too deeply")


def _longest_chain(ambiguity: Ambiguity) -> tuple[float, list[Bridge]]:
    """Return the weight of the heaviest chain of loops and its bridges.

    An unbounded loop weighs 1. A counted one is a constant factor of at most `automaton.MAX_COUNTED`; but two of those
    together are as bad as an unbounded loop on values of the usual lengths.
    """
    best: list[tuple[float, list[Bridge]]] = [(0.0, [])] * len(ambiguity.loops)
    for number in reversed(range(len(ambiguity.loops))):
        loop = ambiguity.loops[number]
        own = 0.5 if loop.counted else 1.0
        best[number] = (own, [])
        # Heaviest first, then smallest: the first proof is then the best, and found soonest.
        heaviest = sorted(ambiguity.candidates(loop), key=lambda n: (-best[n][0], len(ambiguity.loops[n].states)))
        for target in heaviest:
            bridge = ambiguity.bridge(loop, ambiguity.loops[target])
            if bridge:
                best[number] = (own + best[target][0], [bridge, *best[target][1]])
                break
    return max(best, key=lambda entry: entry[0], default=(0.0, []))


def _attack(automaton: Automaton, ambiguity: Ambiguity, chain: list[Bridge]) -> tuple[AttackPiece, ...]:
    """Return a text that leads to the chain, around each of its loops, and then fails."""
    alphabet = automaton.alphabet

    def spell(masks: tuple[int, ...] | None) -> str:
        return "".join(alphabet.char(mask) for mask in masks or ())

    pieces = []
    state = automaton.start
    for bridge in chain:
        if bridge.source not in automaton.scan:  # the search starts there
            pieces.append(AttackPiece(spell(ambiguity.path(state, bridge.source)), repeated=False))
        pieces.append(AttackPiece(spell(bridge.word), repeated=True))
        state = bridge.target
    wrong = alphabet.all
    for edge in automaton.edges[state]:
        wrong &= ~edge.mask
    pieces.append(AttackPiece(alphabet.char(wrong), repeated=False))
    return tuple(piece for piece in pieces if piece.text)
