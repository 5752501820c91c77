"""Where in a config a mistake in an option is: the text itself, not only its plugin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ingestd.config.errors import Span
from ingestd.config.nodes import HashLiteral, PluginSetting, StringLiteral, texts


def place_of(
    value: str, settings: Iterable[PluginSetting], sources: Mapping[str, str], start: int = 0, length: int = 0
) -> Span | None:
    """Return where ``value`` is in the texts and keys of ``settings``; None: nowhere.

    Args:
        value: A text, or a part of one.
        settings: What to look in.
        sources: The text of each file.
        start: Where in the value the mistake is, in characters.
        length: How long it is, 0: the rest of the value.
    """
    literals = [literal for setting in settings for literal in _literals(setting)]
    whole = (literal for literal in literals if literal.value == value)
    part = (literal for literal in literals if value and value in literal.value)
    literal = next(iter((*whole, *part)), None)
    if literal is None:
        return None
    span = literal.span
    found = sources[span.file].split("\n")[span.line - 1].find(value, span.column - 1)
    if found < 0:  # it has escapes, several lines or a variable
        return span
    return Span(span.file, span.line, found + start + 1, length or max(len(value), 1))


def _literals(setting: PluginSetting) -> Iterator[StringLiteral]:
    if isinstance(setting.value, HashLiteral):
        yield from (key for key, _ in setting.value.items if isinstance(key, StringLiteral))
    yield from texts(setting)
