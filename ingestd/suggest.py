"""Suggestions for a misspelt word."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate most similar to ``word``, or None if none is close.

    Close means at most one edit (a letter added, removed, replaced, or swapped with its neighbour) for every three
    letters of the longer word. Case is ignored, and ``-`` equals ``_``. Of equally close ones the alphabetically first.
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


_SAME = (
    ("user", "username", "login"),
    ("password", "pass", "passwd", "pw"),
    ("hosts", "host", "server", "servers", "address", "addresses", "url", "urls", "bootstrap_servers", "brokers"),
    ("path", "file", "filename", "files"),
    ("topics", "topic", "topic_id"),
    ("index", "index_name", "indices"),
    ("ssl_enabled", "ssl", "tls", "use_ssl", "use_tls", "ssl_enable"),
    ("target", "destination", "dest"),
    ("source", "field", "src"),
    ("match", "pattern", "patterns", "regex"),
)
"""Words that programs use for the same thing."""


def option_meant(word: str, candidates: Iterable[str]) -> str | None:
    """Return the option that ``word`` probably stands for, None if there is none.

    That is one written like it (``did_you_mean``), one that other programs call so (`username`: `user`), the
    shortest one with the same word among its own (`group`: `group_id`), or one that is a word of it
    (`rename_field`: `rename`, not `remove_field`).
    """
    candidates = sorted(candidates, key=lambda name: (len(name), name))
    wanted = _fold(word)
    part = next((part for part in wanted.split("_") if len(part) > 3 and part in candidates), None)
    near = did_you_mean(word, candidates)
    if near is not None and (part is None or part in _fold(near).split("_")):
        return near
    same = {name for names in _SAME if wanted in names for name in names}
    words = (
        name for name in candidates if len(wanted) > 3 and wanted.rstrip("s") in map(_singular, _fold(name).split("_"))
    )
    return next((name for name in candidates if name in same), next(words, part))


def settings_meant(word: str, also: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Return the settings that ``word`` probably stands for; ``also``: other words for each of them, by its name.

    Several if the word is said of each (`threshold`: `above`, `below`); of others the one that is written like it.
    """
    wanted = _fold(word)
    said = tuple(name for name, words in also.items() if wanted in words)
    if said:
        return said
    if near := did_you_mean(word, also):
        return (near,)
    near = did_you_mean(word, [other for words in also.values() for other in words])
    return tuple(name for name, words in also.items() if near in words)


def _singular(word: str) -> str:
    return word.rstrip("s")


def _fold(word: str) -> str:
    return word.lower().replace("-", "_")


def _distance(left: str, right: str) -> int:
    """Return the edit distance of two words (Damerau-Levenshtein, optimal string alignment)."""
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
