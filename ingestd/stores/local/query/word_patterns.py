"""Words as regular expressions: what ``stores.words.holds`` decides, in a form that RE2 evaluates inside DuckDB.

Words are the segments of UAX #29 (https://www.unicode.org/reports/tr29/#Word_Boundaries). What may
separate two of them depends only on the characters on both sides: a full stop joins letters as in ``example.com`` and
digits as in ``3.14``, a comma only digits, an underscore both; every ideograph and Hiragana is a word, with nothing in
between. So each pair of neighbours has its own separator in the pattern.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from ingestd.stores.query import Gap
from ingestd.stores.words import unicode_pattern

BETWEEN_TEXTS = "\u2686"
"""A character that is in no word, and that no pattern matches: texts that are joined with it are matched at once, as if
each was matched on its own. It is one of `_EMOJI`, but no emoji."""

_EMOJI = r"\x{2600}-\x{27bf}\x{1f1e6}-\x{1f1ff}\x{1f300}-\x{1faff}"
_FORMAT = (  # \p{Cf} but U+200B, which separates words; RE2 cannot exclude a single character from a class
    r"\x{ad}\x{600}-\x{605}\x{61c}\x{6dd}\x{70f}\x{890}\x{891}\x{8e2}\x{180e}\x{200c}-\x{200f}\x{202a}-\x{202e}"
    r"\x{2060}-\x{2064}\x{2066}-\x{206f}\x{feff}\x{fff9}-\x{fffb}\x{110bd}\x{110cd}\x{13430}-\x{1343f}"
    r"\x{1bca0}-\x{1bca3}\x{1d173}-\x{1d17a}\x{e0001}\x{e0020}-\x{e007f}"
)
_MARKS = r"\p{M}" + _FORMAT  # belong to the preceding character
_JOIN = r"_\x{203f}\x{2040}\x{2054}\x{fe33}\x{fe34}\x{fe4d}-\x{fe4f}\x{ff3f}"  # ExtendNumLet
_MID_BOTH = r".'\x{2018}\x{2019}\x{2024}\x{fe52}\x{ff07}\x{ff0e}"  # MidNumLet, Single_Quote
_MID_LETTER = _MID_BOTH + r":\x{b7}\x{387}\x{55f}\x{5f4}\x{2027}\x{fe13}\x{fe55}\x{ff1a}"
_MID_NUMBER = _MID_BOTH + r",;\x{37e}\x{589}\x{60c}\x{60d}\x{66c}\x{7f8}\x{2044}\x{fe10}\x{fe14}\x{fe50}\x{ff0c}"
_JOINS = {"letter": (_MID_LETTER, r"\p{L}"), "number": (_MID_NUMBER, r"\p{N}")}  # what joins two characters of a kind
_IN_WORDS = rf"[\p{{L}}\p{{N}}{_MARKS}{_JOIN}]"
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")

_MARK = r"(?!\u200B)[\p{M}\p{Cf}]"
_KINDS = {
    "letter": r"[\p{WB=ALetter}\p{WB=Hebrew_Letter}]",
    "number": r"\p{WB=Numeric}",
    "katakana": r"\p{WB=Katakana}",
    "joint": r"\p{WB=ExtendNumLet}",
}


def text_pattern(wanted: Sequence[str]) -> str:
    """Return the RE2 pattern of adjacent lower-case words, as returned by ``stores.words.words``."""
    parts = [_escaped(wanted[0])]
    for left, right in itertools.pairwise(wanted):
        parts += [_between(_kind(left[::-1]), _kind(right)), _escaped(right)]
    return "".join(parts)


def word_pattern(pattern: Sequence[str | Gap]) -> str:
    """Return the RE2 pattern of a part of a word."""
    pieces = []
    for at, part in enumerate(pattern):
        if isinstance(part, Gap):
            before = next((piece for piece in pattern[:at][::-1] if not isinstance(piece, Gap)), "")
            after = next((piece for piece in pattern[at + 1 :] if not isinstance(piece, Gap)), "")
            pieces.append(_gap(part, _kind(before[::-1]), _kind(after)))
        else:
            pieces.append(_escaped(part.lower()))
    return "".join(pieces)


def _gap(gap: Gap, left: str, right: str) -> str:
    """Return the pattern between two pieces of a word; a sign needs characters that it joins on both sides."""
    joint = f"[{_JOINS[left][0]}]" if left == right and left in _JOINS else ""
    if gap is Gap.ONE:
        return f"(?:{_IN_WORDS}|{joint})" if joint else _IN_WORDS
    chains = [f"{member}(?:[{signs}]{member})+" for signs, member in _JOINS.values()]
    inside = f"(?:{'|'.join([*chains, _IN_WORDS])})*"
    start = end = ""
    if left in _JOINS:
        signs, member = _JOINS[left]
        start = f"(?:[{signs}]{member})*"
    if right in _JOINS:
        signs, member = _JOINS[right]
        end = f"(?:{member}(?:[{signs}]{member})*[{signs}])?"
    return f"(?:{start}{inside}{end}" + (f"|{start}{joint})" if joint else ")")


def _kind(chars: str) -> str:
    """Return the kind of the first character that is not a mark."""
    base = next((char for char in chars if not unicode_pattern(_MARK).match(char)), "")
    return next((kind for kind, members in _KINDS.items() if unicode_pattern(members).match(base)), "alone")


def _between(left: str, right: str) -> str:
    """Return the pattern that separates two words: no letter, and nothing that extends either word.

    With few large classes: RE2 takes a millisecond for each, in each query.
    """
    no_letter = rf"^\p{{L}}\p{{N}}{_EMOJI}"
    start = no_letter + _MARKS + ("" if left == "alone" else _JOIN)
    end = no_letter + _MARKS + ("" if right == "alone" else _JOIN)
    # What else may be between two characters of `end`.
    between = _MARKS + ("" if right == "alone" else _JOIN)
    # A single character is enough unless it joins these two.
    joins = _JOINS[left][0] if left == right and left in _JOINS else ""
    if left == right == "alone":
        parted = f"[{start}][{no_letter}]*"
    elif start == end and not joins:
        parted = f"[{start}](?:[{between}]*[{end}])*[{_MARKS}]*"
    else:
        single = max(start, end, key=len) + joins
        parted = f"(?:[{single}]|[{start}](?:[{between}]*[{end}])+)[{_MARKS}]*"
    adjoin = "alone" in {left, right} or {left, right} in ({"katakana", "letter"}, {"katakana", "number"})
    return f"(?:{parted})?" if adjoin else parted


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
