"""Where in a config a mistake in an option is: the text itself, not only its plugin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ingestd.config.errors import Span
from ingestd.config.nodes import HashLiteral, PluginSetting, StringLiteral, texts

_QUOTED = re.compile(r"'([^']+)'")
_FIRST_WORD = re.compile(r"\w+")


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


def place_of_error(error: Exception, settings: Iterable[PluginSetting], sources: Mapping[str, str]) -> Span | None:
    """Return the place of what an error is about.

    That is its ``value``, the first text of an option that it quotes, or the value of the option that it starts with.
    """
    settings = tuple(settings)
    value = getattr(error, "value", "")
    if value and (found := place_of(value, settings, sources)) is not None:
        return found
    known = {literal.value for setting in settings for literal in _literals(setting)}
    quoted = (match[1] for match in _QUOTED.finditer(str(error)))
    if (found := next((place_of(text, settings, sources) for text in quoted if text in known), None)) is not None:
        return found
    name = _FIRST_WORD.match(str(error))
    values = (setting.value.span for setting in reversed(settings) if name is not None and setting.name == name[0])
    return next(values, None)


def _literals(setting: PluginSetting) -> Iterator[StringLiteral]:
    if isinstance(setting.value, HashLiteral):
        yield from (key for key, _ in setting.value.items if isinstance(key, StringLiteral))
    yield from texts(setting)
