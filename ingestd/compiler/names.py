"""Names for the values that generated code refers to."""

from __future__ import annotations

import re
from typing import Any

_UNSAFE = re.compile(r"[^a-z0-9_]+")


class Names:
    """The global names of generated code: identifiers of our own making only, never the user's text."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = dict(values or {})

    def add(self, stem: str, value: Any) -> str:
        """Bind ``value`` to a new name that starts with ``stem`` and return the name."""
        safe = _UNSAFE.sub("_", stem.lower()).strip("_") or "value"
        number = 0
        while (name := f"{safe}_{number}") in self.values:
            number += 1
        self.values[name] = value
        return name
