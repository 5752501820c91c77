"""Kinds of values that only settings have: secrets, stores, durations or a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ingestd.units import AGE, DURATION, PATH, URL, Kind, mask


def _secret(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text")  # without the value: it would end up in the log
    return value


SECRET = Kind("text", _secret, lambda value: "***" if value else "")
"""Text that is never shown."""

FILE = Kind("path", PATH.parse, lambda value: "" if value == Path() else str(value))
"""The path of a file; ``Path()`` means none."""


def _store(value: Any) -> str:
    store: str = value if value == "local" else URL.parse(value)
    return store


def _shown_store(store: str) -> str:
    """Return a store without the password and the options after its URL, which may hold a key."""
    url, options, _ = store.partition("?")
    return mask(url) + ("?***" if options else "")


ECS_MODES = ("disabled", "v1", "v8")
"""The values of ``ecs_compatibility``: as before the Elastic Common Schema, or with the names of its version."""

ACCEPT, DEAD_LETTER = "accept", "dead_letter"


def _duration_or(*words: str) -> Kind:
    """Return the kind of a value that is a duration or one of ``words``."""

    def parse(value: Any) -> float | str:
        if value in words:
            return str(value)
        duration: float = AGE.parse(value)
        return duration

    def show(value: float | str) -> str:
        return value if isinstance(value, str) else DURATION.show(value)

    return Kind(" | ".join(("duration", *words)), parse, show)


LATE, FUTURE = _duration_or(ACCEPT, DEAD_LETTER), _duration_or(ACCEPT)
STORE = Kind("URL or local", _store, _shown_store)
