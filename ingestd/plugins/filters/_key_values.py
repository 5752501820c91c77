"""Find keys and values in a text, as Logstash's filter ``kv`` does.

Two ways. With sets of single characters as separators, the text is read from left to right in linear time, however it
is written. Separators that are regular expressions are part of one expression, which is run under a time limit.

A backslash keeps a separator, quote or bracket that follows it in the key or value, and stays there itself.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ingestd.grok.compile import CompiledRegex, compile_regex
from ingestd.grok.errors import PatternError

Pairs = Iterable[Sequence[str]]
"""Keys, each with its value."""
Scan = Callable[[str], Pairs]

QUOTES = {'"': '"', "'": "'"}
BRACKETS = {"(": ")", "[": "]", "<": ">"}

_MAX_ESCAPED = 8
"""How many escaped quotes before the right one are tried as its end; more would take quadratic time."""


def compiled(text: str, option: str) -> CompiledRegex:
    """Compile an expression in Ruby's syntax. Raises ValueError with the name of the option if it is wrong."""
    try:
        return compile_regex(text)
    except PatternError as error:
        raise ValueError(f"{option}: {error}") from None


def char_class(chars: str, option: str, *, negated: bool = False) -> str:
    """Return the class of ``chars``, which stand as between brackets in Ruby, in Python's syntax.

    Raises:
        ValueError: They do not form a character class.
    """
    return compiled(f"[{'^' if negated else ''}{chars}]", option).source.removeprefix("(?ms)")


def linear_pattern(source: str) -> Any:
    """Compile a pattern of possessive parts for ``re``, or for ``regex`` if it has properties of Unicode."""
    try:
        return re.compile(source)
    except re.error:
        import regex  # noqa: PLC0415 -- most configs never need it

        return regex.compile(source)


def _run(chars: str, option: str) -> str:
    """Return the pattern of a run of characters outside of ``chars``, and of those in it after a backslash."""
    inside, outside = char_class(chars, option), char_class(chars, option, negated=True)
    if linear_pattern(inside).match("\\"):
        return rf"(?:\\[^\n]|{outside})"
    plain = char_class(chars + r"\\", option, negated=True)
    return rf"(?:{plain}++|\\(?:(?!\n){inside})?)"


def char_scanner(field_split: str, value_split: str, *, lenient: bool, brackets: bool) -> Scan:
    """Return a function that yields the pairs of a text, whose separators are single characters.

    Args:
        field_split: Characters between pairs, as between the brackets of a regular expression.
        value_split: The same between key and value.
        lenient: Whether blanks around ``value_split`` belong to it.
        brackets: Whether brackets around a value are left out, as quotes are.

    Raises:
        ValueError: The characters do not form a character class.
    """
    closing = QUOTES | BRACKETS if brackets else QUOTES
    blanks, splits = " *+" if lenient else "", char_class(value_split, "value_split")
    ends = char_class(field_split, "field_split")
    key, value = _run(value_split + field_split, "value_split"), _run(field_split, "field_split")
    without_splitter = rf"(?s:{key}++(?!{blanks}{splits})|(?!{key}).)*+"
    opening = rf"(?=[{re.escape(''.join(closing))}])"
    next_pair = linear_pattern(
        rf"{without_splitter}({key}++){blanks}{splits}{blanks}(?:{opening}|({value}*+){ends}?+)"
    ).match
    plain_value, end = linear_pattern(rf"({value}*+){ends}?+").match, linear_pattern(rf"{ends}|\Z|(?=\n)").match

    key, value = (
        char_class(value_split + field_split, "value_split", negated=True),
        char_class(field_split, "field_split", negated=True),
    )
    one_pair = rf"(?s:{key}++(?!{blanks}{splits})|(?!{key}).)*+({key}++){blanks}{splits}{blanks}({value}*+){ends}?+"
    plain_pairs = linear_pattern(rf"{one_pair}|(?s:.)++").findall  # where no pair follows, the rest of the text
    has_marks = linear_pattern(rf"{splits}{blanks}{opening}|\\").search
    split = _splitter(field_split, value_split, "".join(closing), lenient=lenient)

    def scan(text: str) -> Pairs:
        if (words := split(text)) is not None:
            return words
        if has_marks(text):
            return marked_pairs(text)
        pairs: list[tuple[str, str]] = plain_pairs(text)
        if pairs and not pairs[-1][0]:
            pairs.pop()
        return pairs

    def marked_pairs(text: str) -> Pairs:
        closers: dict[str, _Closers] = {}
        position = 0
        while (pair := next_pair(text, position)) is not None:
            position = pair.end()
            if pair[2] is not None:
                yield pair[1], pair[2]
                continue
            mark = closing[text[position]]
            if mark not in closers:
                closers[mark] = _Closers(text, mark)
            for close in closers[mark].after(position + 1):
                if (after := end(text, close + 1)) is not None:
                    yield pair[1], text[position + 1 : close]
                    position = after.end()
                    break
            else:
                plain = plain_value(text, position)
                yield pair[1], plain[1]
                position = plain.end()

    return scan


def _splitter(
    field_split: str, value_split: str, marks: str, *, lenient: bool
) -> Callable[[str], list[Sequence[str]] | None]:
    """Return a function that finds the pairs by splitting, in a third of the time, or None if the text needs more.

    That is a text with blanks around ``value_split``, with a value in ``marks``, without a key, or with a backslash.
    """
    if not (_is_plain(field_split) and _is_plain(value_split)) or value_split in (field_split, " "):
        return lambda text: None
    blanks = (f" {value_split}", f"{value_split} ") if lenient else ()
    needs_more = (f"{field_split}{value_split}", *blanks)
    marked = [(mark, f"{value_split}{mark}") for mark in marks]

    def split(text: str) -> list[Sequence[str]] | None:
        if "\\" in text or text.startswith(value_split):
            return None
        for sign in needs_more:
            if sign in text:
                return None
        for mark, start in marked:
            if mark in text and start in text:  # a single character is found faster
                return None
        return [word.split(value_split, 1) for word in text.split(field_split) if value_split in word]

    return split


def _is_plain(chars: str) -> bool:
    """Return whether these characters, as between the brackets of an expression, are one that stands for itself."""
    return len(chars) == 1 and chars not in "\\^-[]&"


class _Closers:
    """The places of a closing quote or bracket in a text."""

    def __init__(self, text: str, mark: str) -> None:
        places = [match.start() for match in re.finditer(re.escape(mark), text)]
        self._escaped = [place for place in places if place and text[place - 1] == "\\"]
        self._plain = [place for place in places if not place or text[place - 1] != "\\"]
        self._end = len(text)

    def after(self, start: int) -> Iterator[int]:
        """Yield the places where a value that starts at ``start`` may end, best first."""
        number = bisect_left(self._plain, start)
        last = self._plain[number] if number < len(self._plain) else self._end
        if last < self._end:
            yield last
        if self._escaped:
            first, end = bisect_left(self._escaped, start), bisect_left(self._escaped, last)
            yield from reversed(self._escaped[max(first, end - _MAX_ESCAPED) : end])


def pattern_scanner(
    field_split: str, value_split: str, *, lenient: bool, brackets: bool, field_pattern: bool, timeout_s: float | None
) -> Scan:
    """Return a function that yields the pairs of a text, whose separators are regular expressions in Ruby's syntax.

    Args:
        field_split: The separator of pairs: an expression if ``field_pattern``, else characters as between brackets.
        value_split: The separator of key and value: an expression.
        lenient: Whether blanks around ``value_split`` belong to it.
        brackets: Whether brackets around a value are left out, as quotes are.
        field_pattern: See ``field_split``.
        timeout_s: Time limit of a text in seconds, None: no limit.

    Raises:
        ValueError: An expression is wrong. The function raises GrokTimeoutError.
    """
    ends = f"(?:{field_split})" if field_pattern else f"[{field_split}]"
    splitter = f" *(?:{value_split}) *" if lenient else f"(?:{value_split})"
    closing = QUOTES | BRACKETS if brackets else QUOTES
    values = [rf"\{mark}(?<value>(?:[^\{close}\\]|\\\{close}?)+)?\{close}" for mark, close in closing.items()]
    values.append(_until(ends) if field_pattern else rf"(?<value>(?:\\.?+|[^{field_split}\\])+)")
    key = _until(f"{splitter}|{ends}").replace("value", "key", 1)
    pattern = compiled(rf"{key}{splitter}(?:{'|'.join(values)})?(?:{ends}|$)", "field_split_pattern")
    names = pattern.program.translation.names
    keys, groups = names.index("key") + 1, [number for number, name in enumerate(names, 1) if name == "value"]
    find_all = pattern.matcher(timeout_s).scan

    def scan(text: str) -> Pairs:
        for match in find_all(text):
            yield match[keys], next((found for number in groups if (found := match[number])), "")

    return scan


def _until(pattern: str) -> str:
    return rf"(?<value>(?:(?!{pattern})(?:\\.?+|[^\\\n]))+)"
