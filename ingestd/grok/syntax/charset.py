"""Sets of characters: exact ranges of code points, and Unicode properties known only by name.

Ruby's ``\\w \\d \\s \\h`` are ASCII, so nearly every class of a log pattern is exact and can be
complemented and intersected here. Properties such as ``\\p{Han}`` stay symbols (`UnicodeProperty`) inside a
small expression tree (`SetOperation`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

Range: TypeAlias = tuple[int, int]
LAST = 0x10FFFF


class CharSet(NamedTuple):
    """An exact set: sorted, disjoint, non-adjacent ``(low, high)`` code point ranges, both ends included."""

    ranges: tuple[Range, ...]

    @property
    def is_open(self) -> bool:
        """Whether the set reaches to the last code point: such sets are written as a complement."""
        return bool(self.ranges) and self.ranges[-1][1] == LAST

    def contains(self, char: str) -> bool:
        """Return whether ``char`` is a member."""
        code = ord(char)
        return any(low <= code <= high for low, high in self.ranges)


class UnicodeProperty(NamedTuple):
    """A Unicode property.

    Args:
        outside: ParsedRegex text that matches one member.
        inside: The same for use between brackets; empty if there is none.
        superset: An exact superset.
        needs_regex: Whether only the ``regex`` package knows it.
    """

    outside: str
    inside: str
    superset: CharSet
    needs_regex: bool = False


class SetOperation(NamedTuple):
    """A combination that is not exact, because it involves a `UnicodeProperty`. ``not`` has one part."""

    operator: Literal["or", "and", "not"]
    parts: tuple[CharExpr, ...]


CharExpr: TypeAlias = CharSet | UnicodeProperty | SetOperation


def of_ranges(ranges: Iterable[Range]) -> CharSet:
    """Return the union of ``ranges``, which may come in any order and overlap."""
    merged: list[Range] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return CharSet(tuple(merged))


def of_chars(text: str) -> CharSet:
    """Return the set of the characters of ``text``."""
    return of_ranges((ord(char), ord(char)) for char in text)


def complement(charset: CharSet) -> CharSet:
    """Return every code point that is not in ``charset``."""
    gaps: list[Range] = []
    start = 0
    for low, high in charset.ranges:
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        gaps.append((start, LAST))
    return CharSet(tuple(gaps))


def meet(left: CharSet, right: CharSet) -> CharSet:
    """Return the common members of two exact sets."""
    outside = complement(left).ranges + complement(right).ranges
    return complement(of_ranges(outside))


def union(parts: Iterable[CharExpr]) -> CharExpr:
    """Return the union; exact parts become one exact part."""
    ranges: list[Range] = []
    rest: list[CharExpr] = []
    for part in parts:
        if isinstance(part, CharSet):
            ranges += part.ranges
        elif isinstance(part, SetOperation) and part.operator == "or":
            ranges += (r for inner in part.parts if isinstance(inner, CharSet) for r in inner.ranges)
            rest += (inner for inner in part.parts if not isinstance(inner, CharSet))
        else:
            rest.append(part)
    exact = of_ranges(ranges)
    if not rest:
        return exact
    if len(rest) == 1 and not exact.ranges:
        return rest[0]
    return SetOperation("or", ((exact, *rest) if exact.ranges else tuple(rest)))


def intersection(left: CharExpr, right: CharExpr) -> CharExpr:
    """Return the common members."""
    if isinstance(left, CharSet) and isinstance(right, CharSet):
        return meet(left, right)
    return SetOperation("and", (left, right))


def negation(expr: CharExpr) -> CharExpr:
    """Return what is not in ``expr``."""
    if isinstance(expr, CharSet):
        return complement(expr)
    if isinstance(expr, SetOperation) and expr.operator == "not":
        return expr.parts[0]
    return SetOperation("not", (expr,))


def superset(expr: CharExpr) -> CharSet:
    """Return an exact set that contains at least the members of ``expr``."""
    if isinstance(expr, CharSet):
        return expr
    if isinstance(expr, UnicodeProperty):
        return expr.superset
    if expr.operator == "or":
        return of_ranges(r for part in expr.parts for r in superset(part).ranges)
    if expr.operator == "and":
        return meet(superset(expr.parts[0]), superset(expr.parts[1]))
    return ANY


def both_cases(charset: CharSet) -> CharSet:
    """Return the set with the other case of its ASCII letters added, and all non-ASCII if it has letters there."""
    ranges = list(charset.ranges)
    for low, high in charset.ranges:
        for first, last, shift in ((0x41, 0x5A, 32), (0x61, 0x7A, -32)):
            if low <= last and high >= first:
                ranges.append((max(low, first) + shift, min(high, last) + shift))
        if high > 0x7F:
            ranges.append((0x80, LAST))
    return of_ranges(ranges)


ANY = CharSet(((0, LAST),))
NEWLINE = of_chars("\n")
NOT_NEWLINE = complement(NEWLINE)
DIGIT = of_ranges([(0x30, 0x39)])
WORD = of_ranges([(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])
SPACE = of_chars("\t\n\v\f\r ")
HEX = of_ranges([(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)])
BEYOND_ASCII = CharSet(((0x80, LAST),))

_WIDE_BLANK = [(0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x202F, 0x202F)]
_WIDE_BLANK += [(0x205F, 0x205F), (0x3000, 0x3000)]


def _beyond(*ascii_ranges: Range) -> CharSet:
    return of_ranges([*ascii_ranges, (0x80, LAST)])


# ``re`` knows letters and digits only together, as \w. So letters here include the few numerals that are not
# decimal digits, and exclude combining marks; Ruby differs slightly in both.
_DIGITS, _UPPER, _LOWER = (0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)
UNICODE_WORD = UnicodeProperty(r"\w", r"\w", _beyond(*WORD.ranges))
UNICODE_ALNUM = UnicodeProperty(r"[^\W_]", "", _beyond(_DIGITS, _UPPER, _LOWER))
POSIX: dict[str, CharExpr] = {
    "alnum": UNICODE_ALNUM,
    "alpha": UnicodeProperty(r"[^\W\d_]", "", _beyond(_UPPER, _LOWER)),
    "ascii": CharSet(((0, 0x7F),)),
    "blank": of_ranges([(9, 9), *_WIDE_BLANK]),
    "cntrl": of_ranges([(0, 0x1F), (0x7F, 0x9F)]),
    "digit": UnicodeProperty(r"\d", r"\d", _beyond(_DIGITS)),
    "graph": UnicodeProperty(r"[[:graph:]]", "[:graph:]", _beyond((0x21, 0x7E)), needs_regex=True),
    "lower": UnicodeProperty(r"\p{Lower}", r"\p{Lower}", _beyond(_LOWER), needs_regex=True),
    "print": UnicodeProperty(r"[[:print:]]", "[:print:]", _beyond((0x20, 0x7E)), needs_regex=True),
    "punct": UnicodeProperty(
        r"[\p{P}$+<=>\^`\|\~]",
        r"\p{P}$+<=>\^`\|\~",
        _beyond((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
        needs_regex=True,
    ),
    "space": of_ranges([(9, 13), (0x85, 0x85), (0x2028, 0x2029), *_WIDE_BLANK]),
    "upper": UnicodeProperty(r"\p{Upper}", r"\p{Upper}", _beyond(_UPPER), needs_regex=True),
    "word": UNICODE_WORD,
    "xdigit": HEX,
}
