"""How the filter ``translate`` finds the translation of a text in a dictionary."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ingestd.event.table import ABSENT
from ingestd.plugins.filters._dictionaries import Dictionary
from ingestd.plugins.filters._ruby import to_s
from ingestd.plugins.filters._trees import copied

Find = Callable[[str], Any]
"""Returns the translation of a text, ``ABSENT`` if there is none."""

_CACHED_TEXTS = 4096
_CACHED_CHARS = 256


def finder(entries: Dictionary, *, exact: bool, regex: bool) -> Find:
    """Return the lookup in a dictionary.

    Args:
        entries: The dictionary.
        exact: A text is translated as a whole; else each key that occurs in it is replaced.
        regex: The keys are regular expressions in Ruby's syntax, of which the first that matches counts.

    Raises:
        ValueError: A key is not a regular expression.
    """
    find = _replacing(entries) if not exact else _matching(entries) if regex else _whole(entries)
    if not any(type(value) in (dict, list) for value in entries.values()):
        return find
    return lambda text: copied(find(text))  # events share no containers


def _whole(entries: Dictionary) -> Find:
    get = entries.get
    return lambda text: get(text, ABSENT)


def _matching(entries: Dictionary) -> Find:
    searches = [(_search(key), value) for key, value in entries.items()]

    def find(text: str) -> Any:
        return next((value for search, value in searches if search(text)), ABSENT)

    return _cached(find)


def _search(key: str) -> Callable[[str], Any]:
    from ingestd.grok.compile import compile_regex  # noqa: PLC0415 -- most dictionaries have no regular expressions
    from ingestd.grok.errors import PatternError  # noqa: PLC0415

    try:
        return compile_regex(key).matcher().search
    except PatternError as error:
        raise ValueError(f"dictionary: the key {key!r} is not a regular expression: {error}") from None


def _replacing(entries: Dictionary) -> Find:
    if not entries:
        return lambda text: ABSENT
    substitute = re.compile("|".join(map(re.escape, entries))).sub
    texts = {key: to_s(value) for key, value in entries.items()}

    def find(text: str) -> Any:
        translated = substitute(lambda match: texts[match[0]], text)
        return ABSENT if translated == text else translated

    return _cached(find)


def _cached(find: Find) -> Find:
    cached = lru_cache(_CACHED_TEXTS)(find)
    return lambda text: cached(text) if len(text) <= _CACHED_CHARS else find(text)
