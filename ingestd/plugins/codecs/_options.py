"""Options that several codecs share."""

from __future__ import annotations

from typing import Any

from ingestd.plugins.ecs import ecs_option
from ingestd.plugins.registry import option


def charset_option() -> Any:
    """Return the option ``charset``."""
    return option("UTF-8", "Encoding of the input.")


def fallback_charset_option() -> Any:
    """Return the option ``fallback_charset``."""
    text = "Encoding of what is not valid UTF-8, e.g. `CP949`; empty: none, bytes are written as `\\\\xBC`."
    return option("", text + " Not in Logstash.")


def original_option() -> Any:
    """Return the option ``ecs_compatibility`` of a codec that keeps the text of an event."""
    return ecs_option("With `v1` or `v8`, the original text is kept in `[event][original]`.")
