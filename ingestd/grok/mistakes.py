"""What is probably a mistake in the references of a grok pattern, and is accepted as in Logstash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ingestd.grok.expand import find_references

_TYPES = ("int", "float")


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
