"""What ``ingestd trace`` reports about the filter grok: which pattern matches, and how far the others get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingestd.event.fields import Event, FieldRef
from ingestd.grok.compile import GrokPattern
from ingestd.grok.library import PatternLibrary
from ingestd.grok.progress import progress
from ingestd.plugins.filters._ruby import to_s

_SHOWN = 60
"""Characters of the text that are shown."""
_TIMEOUT_S = 1.0


def grok_details(
    patterns: Mapping[str, Sequence[GrokPattern]], library: PatternLibrary, event: Event, *, break_on_match: bool
) -> Iterator[str]:
    """Yield a sentence for each pattern that is tried on an event.

    Args:
        patterns: The patterns of each field, in their order.
        library: What they refer to.
        event: The event.
        break_on_match: Stop at the first that matches.

    Raises:
        GrokTimeoutError: A pattern took too long.
    """
    for name, of_field in patterns.items():
        texts = _texts(FieldRef(name).get(event))
        for number, pattern in enumerate(of_field, 1):
            which = f"pattern {number} of {len(of_field)}" if len(of_field) > 1 else "the pattern"
            if any(map(pattern.matcher(_TIMEOUT_S).search, texts)):
                yield f"{name}: {which} matches: {pattern.text}"
                if break_on_match:
                    return
            else:
                yield f"{name}: {which} does not match: {pattern.text}"
                for text in texts:
                    yield f"  {_how_far(pattern.text, library, text)}"


def _texts(value: Any) -> list[str]:
    return [*map(to_s, value if type(value) is list else (value,))]


def _how_far(pattern: str, library: PatternLibrary, text: str) -> str:
    found = progress(pattern, library, text)
    if not found.matched:
        return f"not even its start {_visible(found.next)} is in {_shown(text)}"
    here = f"character {found.end + 1}, {_shown(text[found.end :])}" if found.end < len(text) else "the end of the text"
    return (
        f"it matches up to {_visible(found.matched)}, but {_visible(found.next) or 'the rest'} does not match at {here}"
    )


def _visible(part: str) -> str:
    """Return a part of a pattern, in quotes if it starts or ends with a blank."""
    return part if part == part.strip() else f'"{part}"'


def _shown(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."
