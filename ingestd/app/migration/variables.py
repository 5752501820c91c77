"""Environment variables that remember which ones were asked for in vain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Variables(dict[str, str]):
    """Variables for ``${NAME}``; ``unset`` has the names of those without a value and a default, each once."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self.unset: dict[str, None] = {}

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a variable, or the default."""
        if name not in self and default is None:
            self.unset[name] = None
        return super().get(name, default)


class KeptReferences(Variables):
    """The same; where a variable is not set, the reference to it stays as it is written."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a variable, the default, or the reference."""
        found = super().get(name, default)
        return f"${{{name}}}" if found is None else found
