"""What to change in a grok pattern: what looks like a mistake, and advice, tried, for one whose time is not linear.

``%{DATA:a}: `` reads on past each ``:`` for one that fits, ``(?<a>[^:]*): `` stops at the first. That is advised where
it makes the pattern linear; never a class that also reads what ends the value, as ``%{NOTSPACE}`` does.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ingestd.grok.compile import GrokPattern, compile_grok, compile_regex
from ingestd.grok.errors import PatternError
from ingestd.grok.expand import find_references
from ingestd.grok.library import PatternLibrary

_TYPES = ("int", "float")


_REFERENCE = re.compile(r"%\{(\w+)(?::[^{}]*)?\}")
_WIDE = re.compile(r"%\{(?P<pattern>DATA|GREEDYDATA)(?::(?P<field>[\w@.\-\[\]]+)(?::\w+)?)?\}")
_GROUP = re.compile(r"\((?:\?:)?(?!\?)")
_LITERAL = re.compile(r"\\(?P<escaped>[^\w\s]|[ts])|(?P<plain>[^\\.^$*+?{}\[\]|()%])")
_ESCAPES = {"t": "\t", "s": " "}
_MEMBERS = {"\t": r"\t"} | {character: f"\\{character}" for character in '\\]^-["&'}
_BRACKETS = {"]": "[", ")": "(", ">": "<", "}": "{"}
_MAX_CHANGES = 3
_ANCHOR = "start the pattern with {}, if all values start with it"


class _Change(NamedTuple):
    """A reference in a pattern, from ``start`` to ``end``, and what to write for it."""

    start: int
    end: int
    old: str
    new: str


def advise(pattern: GrokPattern, library: PatternLibrary, own: Collection[str]) -> str:
    """Return what to change in a pattern whose time grows faster than the value, as a sentence; empty: nothing helps.

    A pattern that is nothing but one stock pattern gets no advice.

    Args:
        pattern: The pattern.
        library: The patterns that it refers to.
        own: Names that the config defines.
    """
    text = pattern.text
    reference = _REFERENCE.fullmatch(text)
    if reference is not None and reference[1] not in own:
        return ""
    anchored = text.startswith(("^", "\\A"))
    line, start = ("", "") if anchored else ("^", "\\A")  # a class reads on past the end of a line
    every = list(_changes(text))
    lazy = [change for change in every if not change.old.startswith("%{GREEDY")]
    for prefix, changes in (("", lazy), (line, []), ("", every), (start, lazy), (start, every)):
        if (prefix or changes) and _is_linear(prefix + _changed(text, changes), library):
            needed = _needed(prefix, text, changes, library)
            return _sentence(prefix, needed) if len(needed) <= _MAX_CHANGES else ""
    return ""


def advise_regex(text: str) -> str:
    """Return what to change in a regular expression that is slow to search; empty: nothing helps."""
    if "|" in text:  # an anchor would belong to the first of the alternatives
        return ""
    inner = text.removeprefix("^")
    for anchor in ("\\A",) if inner != text else ("^", "\\A"):
        try:
            if compile_regex(anchor + inner).safety.degree == 1:
                return f"start the regex with {anchor}, if all values start with it"
        except PatternError:
            return ""
    return ""


def _changes(text: str) -> Iterator[_Change]:
    """Yield a change for each reference to anything that is followed by a text that ends it."""
    for match in _WIDE.finditer(text):
        body = _body(text, match.end())
        if body:
            name = match["field"]
            yield _Change(match.start(), match.end(), match[0], f"(?<{name}>{body})" if name else body)


def _body(text: str, start: int) -> str:
    """Return an expression that ends where the text from ``start`` begins; empty: values may contain it."""
    first, after = _first_characters(text, start)
    if not first or any(character.isalnum() for character in first):
        return ""
    if first == [" "]:
        second, _ = _first_characters(text, after)
        if not second:
            return r"\S*" if text.startswith("%{", after) else ""
        return "" if any(character.isalnum() or character == " " for character in second) else f"{_outside(second)}?"
    return _outside(first)


def _outside(characters: Sequence[str]) -> str:
    """Return the repetition of what is none of the characters, nor the brackets that they close."""
    opened = [_BRACKETS[character] for character in characters if character in _BRACKETS]
    members = dict.fromkeys([*opened, *characters])
    return f"[^{''.join(_MEMBERS.get(character, character) for character in members)}]*"


def _first_characters(text: str, start: int) -> tuple[list[str], int]:
    """Return the characters that what follows may start with, none if they are not a few literal ones, and its end."""
    literal = _LITERAL.match(text, start)
    if literal is not None:
        optional = text[literal.end() : literal.end() + 1] in ("?", "*", "{")
        character = literal["escaped"] or literal["plain"]
        return [] if optional else [_ESCAPES.get(character, character)], literal.end()
    group = _GROUP.match(text, start)
    end = _end_of_group(text, start) if group is not None else 0
    if group is None or not end or "|" in text[group.end() : end]:
        return [], start
    inside, _ = _first_characters(text, group.end())
    if not inside or text[end : end + 1] in ("*", "{"):
        return [], end
    if text[end : end + 1] != "?":
        return inside, end
    after, end = _first_characters(text, end + 1)
    return inside + after if after else [], end


def _end_of_group(text: str, start: int) -> int:
    """Return the index after the group that starts at ``start``; 0: it is not simple."""
    depth, index = 0, start
    while index < len(text):
        if text[index] == "[":
            return 0
        if text[index] == "(":
            depth += 1
        elif text[index] == ")":
            depth -= 1
            if depth == 0:
                return index + 1
        index += 2 if text[index] == "\\" else 1
    return 0


def _changed(text: str, changes: Sequence[_Change]) -> str:
    for change in reversed(changes):
        text = text[: change.start] + change.new + text[change.end :]
    return text


def _needed(prefix: str, text: str, changes: list[_Change], library: PatternLibrary) -> list[_Change]:
    """Return those of the changes that the pattern is not linear without."""
    for change in list(changes):
        others = [other for other in changes if other is not change]
        if (prefix or others) and _is_linear(prefix + _changed(text, others), library):
            changes = others
    return changes


def _sentence(prefix: str, changes: Sequence[_Change]) -> str:
    parts = [_ANCHOR.format(prefix)] if prefix else []
    if changes:
        parts.append("write " + " and ".join(f"{change.new} for {change.old}" for change in changes))
    return "; ".join(parts)


def _is_linear(text: str, library: PatternLibrary) -> bool:
    try:
        return compile_grok(text, library).safety.degree == 1
    except PatternError:
        return False


class ReferenceMistake(NamedTuple):
    """What is probably a mistake: ``length`` characters at ``start`` of the pattern, and what to do."""

    start: int
    length: int
    text: str
    hint: str


def reference_mistakes(pattern: str) -> Iterator[ReferenceMistake]:
    """Yield a mistake for each reference that is not closed, has other text in it, or a type that is unknown."""
    for found in find_references(pattern):
        written = pattern[found.start : found.end]
        length = len(written)
        _, _, kind = (found.field or "").partition(":")
        if not found.closed:
            yield ReferenceMistake(found.start, length, f"{written} is not closed, so it matches this text", "add '}'")
        elif found.ignored:
            yield ReferenceMistake(
                found.start, length, f"{found.ignored!r} in {written} is ignored", "is a '}' missing?"
            )
        elif kind and kind not in _TYPES:
            hint = "write int or float; without a type it is text"
            yield ReferenceMistake(found.start, length, f"the type {kind!r} is unknown, so the value is text", hint)
