"""Replace the ``%{NAME:field:type}`` references of a grok pattern by the regular expressions they name.

The forms are those of Logstash's grok (jls-grok): ``%{NAME}``, ``%{NAME:field}``, ``%{NAME:field:int}``, and
``%{NAME=regex}``, ``%{NAME:field=regex}``, which define ``NAME`` for the rest of the pattern.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from ingestd.grok.errors import PatternError
from ingestd.grok.library import PatternLibrary

MAX_REFERENCES = 10_000  # the limit of Logstash
MAX_LENGTH = 400_000  # characters; limits definitions that double at each level

_REFERENCE = re.compile(r"%\{(?P<name>[A-Za-z0-9_]+)(?::(?P<field>[@\[\]\\^`\w:.-]+))?")
_DEFINITION_TOKEN = re.compile(r"\\.|[{}]|[^\\{}]+", re.DOTALL)


class SourceMapping(NamedTuple):
    """Maps a piece of the expanded text to its source, as a source map does."""

    start: int  # offset of the piece in the expanded text
    position: int  # offset in the caller's text
    chain: tuple[str, ...]  # the patterns it comes from, outermost first


class Expansion:
    """An expanded pattern with the source of its pieces."""

    def __init__(self, text: str, mappings: list[SourceMapping]) -> None:
        self.text = text
        self._mappings = mappings

    def locate(self, error: PatternError) -> PatternError:
        """Return ``error``, which points into the expanded text, as one that points into the caller's."""
        index = bisect_right(self._mappings, error.position, key=lambda mapping: mapping.start) - 1
        mapping = self._mappings[max(index, 0)]
        inside = 0 if mapping.chain else max(error.position - mapping.start, 0)
        return PatternError(error.message, mapping.position + inside, mapping.chain)


def expand(pattern: str, library: PatternLibrary, named_captures_only: bool = True) -> Expansion:
    """Expand every reference of ``pattern``.

    A reference with a field becomes a group with the Ruby name ``NAME:field:type``; one without becomes a plain
    group, or with ``named_captures_only`` false one with the name ``NAME``. Text that only looks like
    a reference, such as ``%{}``, stays as it is.

    Raises:
        PatternError: A name is unknown or refers to itself, or the result is too long.
    """
    return _PatternExpander(library, named_captures_only).run(pattern)


class _Reference(NamedTuple):
    name: str
    field: str | None
    definition: str | None
    end: int


class _PatternExpander:
    def __init__(self, library: PatternLibrary, named_captures_only: bool) -> None:
        self._library = library
        self._named_captures_only = named_captures_only
        self._inline: dict[str, str] = {}
        self._pieces: list[str] = []
        self._mappings: list[SourceMapping] = []
        self._length = 0
        self._references = 0

    def run(self, pattern: str) -> Expansion:
        self._expand(pattern, None, ())
        return Expansion("".join(self._pieces), self._mappings or [SourceMapping(0, 0, ())])

    def _emit(self, piece: str, position: int, chain: tuple[str, ...]) -> None:
        if not piece:
            return
        self._mappings.append(SourceMapping(self._length, position, chain))
        self._pieces.append(piece)
        self._length += len(piece)
        if self._length > MAX_LENGTH:
            raise PatternError(f"the expanded pattern is longer than {MAX_LENGTH} characters", position, chain)

    def _expand(self, text: str, outer: int | None, chain: tuple[str, ...]) -> None:
        """Emit ``text`` expanded; ``outer`` is the position of the reference in the caller's text that led here."""
        done = 0
        for match in _REFERENCE.finditer(text):
            if match.start() < done:
                continue  # inside a definition
            reference = _parse_reference(text, match)
            if reference is None:
                continue
            self._emit(text[done : match.start()], done if outer is None else outer, chain)
            done = reference.end
            self._refer(reference, match.start() if outer is None else outer, chain)
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
        self._emit(opening, position, inner)  # if this group is not closed, the fault is in the named pattern
        self._expand(text, position, inner)
        self._emit(")", position, inner)


class FoundReference(NamedTuple):
    """A reference from ``start`` to ``end`` of a pattern; ``ignored`` is other text before its closing brace."""

    start: int
    end: int
    field: str | None
    ignored: str
    closed: bool


def find_references(pattern: str) -> Iterator[FoundReference]:
    """Yield the references of a pattern, those in inline definitions left out."""
    done = 0
    for match in _REFERENCE.finditer(pattern):
        if match.start() < done:
            continue
        reference = _parse_reference(pattern, match)
        if reference is None:
            yield FoundReference(match.start(), match.end(), match["field"], "", closed=False)
            continue
        done = reference.end
        ignored = "" if reference.definition is not None else pattern[match.end() : done - 1]
        yield FoundReference(match.start(), done, match["field"], ignored, closed=True)


def _parse_reference(text: str, match: re.Match[str]) -> _Reference | None:
    """Parse the rest of a reference; other text before its closing brace is ignored, as in Logstash."""
    pos = match.end()
    definition = None
    if text.startswith("=", pos):
        end = _definition_end(text, pos + 1)
        if end is not None and end > pos + 1:
            definition, pos = text[pos + 1 : end], end
    closing = text.find("}", pos)
    return None if closing < 0 else _Reference(match["name"], match["field"], definition, closing + 1)


def _definition_end(text: str, start: int) -> int | None:
    depth = 0
    for token in _DEFINITION_TOKEN.finditer(text, start):
        if token[0] == "}" and depth == 0:
            return token.start()
        depth += {"{": 1, "}": -1}.get(token[0], 0)
    return None
