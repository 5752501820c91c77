"""Words of a text, as a full-text search sees them.

They are the segments of Unicode's UAX #29 ("word boundaries") that hold a letter, a digit or an emoji, in lower
case, as Lucene's standard tokenizer takes them: what Elasticsearch and OpenSearch keep of a ``text`` field. A
run of Thai, Lao, Khmer or Burmese, which write without blanks, is one word.
"""

from __future__ import annotations

from collections.abc import Sequence

import regex

MAX_WORD_CHARS = 255  # the standard tokenizer cuts longer ones

_SEGMENT = regex.compile(r"(?ws)\p{LB=SA}[\p{LB=SA}\p{WB=Extend}]*|.+?\b")
_WORD = regex.compile(
    r"[\p{WB=ALetter}\p{WB=Hebrew_Letter}\p{WB=Katakana}\p{WB=Numeric}\p{Script=Han}\p{Script=Hiragana}"
    r"\p{LB=SA}\p{Extended_Pictographic}\p{Regional_Indicator}\u20E3]"
)


def words(text: str) -> list[str]:
    """Return the words of ``text`` in order, in lower case."""
    found: list[str] = []
    for segment in _SEGMENT.findall(text):
        if _WORD.search(segment):
            word = _lower(segment)
            found += [word] if len(word) <= MAX_WORD_CHARS else _cut(word)
    return found


def holds(text: str, wanted: Sequence[str]) -> bool:
    """Return whether ``text`` holds the words ``wanted`` in the sense of `query.Text`."""
    if not wanted:
        return False
    there = words(text)
    if len(wanted) == 1:
        return any(wanted[0] in word for word in there)
    first, *middle, last = wanted
    for at in range(len(there) - len(wanted) + 1):
        stop = at + len(wanted) - 1
        if there[at].endswith(first) and there[stop].startswith(last) and there[at + 1 : stop] == middle:
            return True
    return False


def _lower(word: str) -> str:
    """Lower-case character by character, as Lucene does: no final sigma, no dot beside an i."""
    return word.lower() if word.isascii() else "".join(char.lower()[0] for char in word)


def _cut(word: str) -> list[str]:
    return [word[at : at + MAX_WORD_CHARS] for at in range(0, len(word), MAX_WORD_CHARS)]
