"""Bloom filters of trigrams: which words the texts of a field cannot have, and how those that they may have are spelt.

A trigram is three bytes next to each other in a text, in UTF-8: of letters of ASCII, in their case, and of characters
outside of ASCII. Digits are left out first, as texts that differ in numbers alone are most of all texts, and any three
digits are somewhere anyway. All other characters part trigrams. A text that contains another has its trigrams, too.

A filter has a bit for each value of a hash, and 16 bits for each trigram: 6 % of those that no text has seem to be
there. So a word is nearly always found to be missing if no text has it, and the spellings of one that texts have, such
as ``Error`` and ``ERROR``, are nearly always the only ones that are left of all: then texts need not be made lower case
to be searched.
"""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_SPELLINGS = 4
"""To search for more spellings takes longer than to make texts lower case."""

_MAX_STATES = 64
_MAX_TRIGRAMS, _BITS_PER_TRIGRAM, _MIN_BITS = 1 << 14, 16, 1 << 10
_HASH_BITS = 18
_MAX_BYTES = 1 << 20
"""Distinct words that take more than this are not natural language: their filter would be full, and slow to make."""

_MAX_SHARE = 0.25
"""A filter in which more bits are set is of little use."""

_DIGITS = b"0123456789"
_FOLDED = bytes(code if code in b"\n" or code >= 0x80 or chr(code).isalpha() else 0x20 for code in range(256))
_LOWERED_TO_ASCII = ("\u212a".encode(), "\u0130".encode())
"""The characters outside of ASCII whose lower case is a letter of ASCII."""


@dataclass(frozen=True, slots=True)
class TrigramFilter:
    """The trigrams of texts. ``bits``: a power of two of them, 1,024 to 2**18; the lowest bit of a byte comes first."""

    bits: bytes

    def may_hold(self, word: str) -> bool:
        """Return whether a text may contain a word of lower case, in any case."""
        return all(any(map(self._has, hashes)) for hashes in _hashes(word))

    def spellings(self, word: str) -> tuple[str, ...] | None:
        """Return how texts may spell a word of lower case, nothing if they cannot have it; None: in any way.

        A text whose lower case contains the word contains one of them.
        """
        states = [("", b"")]
        for options, parts in map(_options, word):
            states = [
                (spelling + option, run[-2:])
                for spelling, last in states
                for option, kept in options
                if self._has_all(run := kept if parts else last + kept)
            ]
            if len(states) > _MAX_STATES:
                return None
        if any(not options for options, _ in map(_options, word)) or len(states) > MAX_SPELLINGS:
            return None
        return tuple(spelling for spelling, _ in states)

    @property
    def is_useful(self) -> bool:
        """Whether few enough bits are set."""
        return int.from_bytes(self.bits).bit_count() <= _MAX_SHARE * 8 * len(self.bits)

    def _has_all(self, run: bytes) -> bool:
        return all(self._has(_hash(*trigram)) for trigram in zip(run, run[1:], run[2:], strict=False))

    def _has(self, hashed: int) -> bool:
        at = hashed & (8 * len(self.bits) - 1)
        return bool(self.bits[at >> 3] >> (at & 7) & 1)


def union(filters: Sequence[TrigramFilter]) -> TrigramFilter:
    """Return the filter of all texts of others, at least one."""
    size = max(len(other.bits) for other in filters)
    repeated = (int.from_bytes(other.bits * (size // len(other.bits))) for other in filters)
    return TrigramFilter(functools.reduce(int.__or__, repeated).to_bytes(size))


class TrigramCollector:
    """Collects the trigrams of texts."""

    def __init__(self) -> None:
        self._trigrams: set[tuple[int, int, int]] = set()
        self._words: set[bytes] = set()
        self._size = 0
        self.is_full = False
        """Whether there are too many of them for a filter, or the case of a text is not that of its letters."""

    def add(self, texts: Iterable[str]) -> None:
        """Add texts; the words that most of them share cost next to nothing."""
        joined = "\n".join(texts).encode()
        lines = set(joined.translate(_FOLDED, _DIGITS).split(b"\n"))
        words = set(b" ".join(lines).split()) - self._words
        self._words |= words
        run = b" ".join(words)
        self._size += len(run)
        self.is_full |= self._size > _MAX_BYTES or any(char in joined for char in _LOWERED_TO_ASCII)
        if not self.is_full:
            self._trigrams |= {found for found in zip(run, run[1:], run[2:], strict=False) if 0x20 not in found}
            self.is_full = len(self._trigrams) > _MAX_TRIGRAMS

    def filter(self) -> TrigramFilter | None:
        """Return the filter of all texts; None: there is none."""
        if self.is_full:
            return None
        size = max(_MIN_BITS, 1 << (len(self._trigrams) * _BITS_PER_TRIGRAM - 1).bit_length())
        bits = bytearray(size >> 3)
        for trigram in self._trigrams:
            at = _hash(*trigram) & (size - 1)
            bits[at >> 3] |= 1 << (at & 7)
        return TrigramFilter(bytes(bits))


def _hash(first: int, second: int, third: int) -> int:
    return ((first << 16 | second << 8 | third) * 0x9E3779B1 >> 14) & ((1 << _HASH_BITS) - 1)


@functools.lru_cache(64)
def _hashes(word: str) -> tuple[tuple[int, ...], ...]:
    """Return the hashes of each trigram of a word, in each case."""
    runs: list[list[list[bytes]]] = [[]]
    for options, parts in map(_options, word):
        if parts:
            runs.append([])
        runs[-1] += ([bytes([code]) for code in codes] for codes in zip(*(kept for _, kept in options), strict=True))
    return tuple(
        tuple(_hash(*b"".join(trigram)) for trigram in itertools.product(*three))
        for run in runs
        for three in zip(run, run[1:], run[2:], strict=False)
    )


@functools.lru_cache(1024)
def _options(char: str) -> tuple[tuple[tuple[str, bytes], ...], bool]:
    """Return the characters with a lower case, each with what trigrams have of it, and whether it parts trigrams.

    No characters: it may be any of some outside of ASCII.
    """
    if char.isascii():
        is_letter = char.isalpha()
        cases = (char, char.upper()) if is_letter else (char,)
        return tuple((case, case.encode() if is_letter else b"") for case in cases), not char.isalnum()
    has_no_case = unicodedata.category(char) == "Lo" and char.upper() == char.lower() == char
    return ((char, char.encode()),) if has_no_case else (), not has_no_case
