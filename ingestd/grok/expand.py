"""Replace the ``%{NAME:field:type}`` references of a grok pattern by the regular expressions they name.

The forms are those of Logstash's grok (jls-grok): ``%{NAME}``, ``%{NAME:field}``, ``%{NAME:field:int}``, and
``%{NAME=regex}``, ``%{NAME:field=regex}``, which define ``NAME`` for the rest of the pattern.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from ingestd.grok.errors import PatternError
from ingestd.grok.library import PatternLibrary

MAX_REFERENCES = 10_000  # as many as Logstash expands
MAX_LENGTH = 400_000  # characters; stops definitions that double at each level long before memory runs out

_REFERENCE = re.compile(r"%\{(?P<name>[A-Za-z0-9_]+)(?::(?P<field>[@\[\]\\^`\w:.-]+))?")
_DEFINITION_TOKEN = re.compile(r"\\.|[{}]|[^\\{}]+", re.DOTALL)


class Origin(NamedTuple):
    """Where a piece of the expanded text comes from."""

    start: int  # offset of the piece in the expanded text
    position: int  # offset in the caller's text
    chain: tuple[str, ...]  # the patterns it was found in, outermost first


class Expansion:
    """An expanded pattern that still knows where its parts come from."""

    def __init__(self, text: str, origins: list[Origin]) -> None:
        self.text = text
        self._origins = origins

    def locate(self, error: PatternError) -> PatternError:
        """Return ``error``, which points into the expanded text, as one that points into the caller's."""
        index = bisect_right(self._origins, error.position, key=lambda origin: origin.start) - 1
        origin = self._origins[max(index, 0)]
        inside = 0 if origin.chain else max(error.position - origin.start, 0)
        return PatternError(error.message, origin.position + inside, origin.chain)


def expand(pattern: str, library: PatternLibrary, named_captures_only: bool = True) -> Expansion:
    """Expand every reference of ``pattern``.

    A reference with a field becomes a group with the Ruby name ``NAME:field:type``; one without becomes a plain
    group, or with ``named_captures_only`` false one with the name ``NAME``. What does not have the form of a
    reference, as ``%{}``, stays as it is.

    Raises:
        PatternError: A name is unknown or refers to itself, or the result grows beyond all bounds.
    """
    return _Expander(library, named_captures_only).run(pattern)


class _Reference(NamedTuple):
    name: str
    field: str | None
    definition: str | None
    end: int


class _Expander:
    def __init__(self, library: PatternLibrary, named_captures_only: bool) -> None:
        self._library = library
        self._named_captures_only = named_captures_only
        self._inline: dict[str, str] = {}
        self._pieces: list[str] = []
        self._origins: list[Origin] = []
        self._length = 0
        self._references = 0

    def run(self, pattern: str) -> Expansion:
        self._expand(pattern, None, ())
        return Expansion("".join(self._pieces), self._origins or [Origin(0, 0, ())])

    def _emit(self, piece: str, position: int, chain: tuple[str, ...]) -> None:
        if not piece:
            return
        self._origins.append(Origin(self._length, position, chain))
        self._pieces.append(piece)
        self._length += len(piece)
        if self._length > MAX_LENGTH:
            raise PatternError(f"the pattern grows beyond {MAX_LENGTH} characters", position, chain)

    def _expand(self, text: str, outer: int | None, chain: tuple[str, ...]) -> None:
        """Emit ``text`` expanded; ``outer`` is the position of the reference in the caller's text that led here."""
        done = 0
        for found in _REFERENCE.finditer(text):
            if found.start() < done:
                continue  # inside a definition
            reference = _read_reference(text, found)
            if reference is None:
                continue
            self._emit(text[done : found.start()], done if outer is None else outer, chain)
            done = reference.end
            self._refer(reference, found.start() if outer is None else outer, chain)
        self._emit(text[done:], done if outer is None else outer, chain)

    def _refer(self, reference: _Reference, position: int, chain: tuple[str, ...]) -> None:
        name = reference.name
        if name in chain:
            raise PatternError(f"grok pattern '{name}' refers to itself", position, (*chain, name))
        self._references += 1
        if self._references > MAX_REFERENCES:
            raise PatternError(f"the pattern has more than {MAX_REFERENCES} references", position, chain)
        if reference.definition is not None:
            self._inline[name] = reference.definition
        text = self._inline.get(name)
        if text is None:
            text = self._library.patterns.get(name)
        if text is None:
            raise self._library.unknown(name, position, chain)
        if reference.field is not None:
            opening = f"(?<{name}:{reference.field}>"
        else:
            opening = "(?:" if self._named_captures_only else f"(?<{name}>"
        inner = (*chain, name)
        self._emit(opening, position, inner)  # if this group stays open, a parenthesis of the named pattern does
        self._expand(text, position, inner)
        self._emit(")", position, inner)


def _read_reference(text: str, found: re.Match[str]) -> _Reference | None:
    """Read the rest of a reference; what stands before its brace without a meaning is skipped, as in Logstash."""
    pos = found.end()
    definition = None
    if text.startswith("=", pos):
        end = _definition_end(text, pos + 1)
        if end is not None and end > pos + 1:
            definition, pos = text[pos + 1 : end], end
    closing = text.find("}", pos)
    return None if closing < 0 else _Reference(found["name"], found["field"], definition, closing + 1)


def _definition_end(text: str, start: int) -> int | None:
    depth = 0
    for token in _DEFINITION_TOKEN.finditer(text, start):
        if token[0] == "}" and depth == 0:
            return token.start()
        depth += {"{": 1, "}": -1}.get(token[0], 0)
    return None
