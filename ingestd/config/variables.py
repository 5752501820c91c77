"""Replace ``${NAME}`` and ``${NAME:default}``.

Follows https://www.elastic.co/docs/reference/logstash/environment-variables. Where Logstash replaces:

- in the values of plugin options, also inside arrays, the values of hashes, and codecs: anywhere in a string;
- in a condition: only a string, or an element of an array, that is exactly one reference;
- never in the names of plugins and options, the keys of hashes, and regexes.

The replacement stays a string, and is not searched again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\{([A-Za-z_.][A-Za-z0-9_.]*+)(?::([^}]*+))?\}")


class UndefinedVariableError(Exception):
    """``names``: the variables of a text without a value and a default, each once, in order."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names


def has_reference(text: str) -> bool:
    """Return whether ``text`` contains at least one ``${NAME}`` or ``${NAME:default}``."""
    return "${" in text and _REFERENCE.search(text) is not None


def is_reference(text: str) -> bool:
    """Return whether ``text`` is one reference and nothing else."""
    return _REFERENCE.fullmatch(text) is not None


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Return ``text`` with every reference replaced by its variable's value, else by its default (may be empty).

    Raises:
        UndefinedVariableError: A variable is not in ``variables`` and the reference has no default.
    """
    if "${" not in text:
        return text
    undefined: dict[str, None] = {}

    def value(match: re.Match[str]) -> str:
        name, default = match.groups()
        found: str | None = variables.get(name, default)
        if found is None:
            undefined[name] = None
            return ""
        return found

    result = _REFERENCE.sub(value, text)
    if undefined:
        raise UndefinedVariableError(list(undefined))
    return result
