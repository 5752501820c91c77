"""Find the word that somebody meant."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that is most like ``word``, or None if none is near.

    Near means: at most one change (a letter added, left out, replaced, or swapped with its neighbour) for every
    three letters of the longer word. Case, and ``-`` for ``_``, do not count. Of equals the first in the alphabet.
    """
    wanted = _fold(word)
    best: tuple[int, str] | None = None
    for candidate in candidates:
        folded = _fold(candidate)
        limit = max(len(wanted), len(folded)) // 3
        if abs(len(wanted) - len(folded)) > limit:
            continue
        distance = _distance(wanted, folded)
        if distance <= limit and (best is None or (distance, candidate) < best):
            best = (distance, candidate)
    return best[1] if best else None


def _fold(word: str) -> str:
    return word.lower().replace("-", "_")


def _distance(left: str, right: str) -> int:
    """Return how many changes make one word of the other (Damerau-Levenshtein, optimal string alignment)."""
    before_last: list[int] = []
    last = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        current = [row]
        for column, other in enumerate(right, 1):
            cost = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != other))
            swapped = row > 1 and column > 1 and letter == right[column - 2] and left[row - 2] == other
            if swapped:
                cost = min(cost, before_last[column - 2] + 1)
            current.append(cost)
        before_last, last = last, current
    return last[-1]
