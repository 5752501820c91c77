"""Options that several codecs share."""

from __future__ import annotations

import re
from typing import Any

from ingestd.plugins.ecs import ecs_option
from ingestd.plugins.registry import BuildContext, OptionError, option
from ingestd.protocols.framing.lines import MAX_DELIMITER_BYTES

_ESCAPE = re.compile(rb"\\(?:([nrt0\\])|x([0-9a-fA-F]{2}))")
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


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


def delimiter_option(what: str) -> Any:
    """Return the option ``delimiter``; ``what``: what it ends."""
    text = f"What ends {what}: any text; `\\n`, `\\r`, `\\t`, `\\0`, `\\\\` and `\\xNN` are escapes."
    return option("\n", text)


def delimiter_bytes(text: str) -> bytes:
    """Return a delimiter as a config has it, with its escapes replaced.

    Raises:
        OptionError: It is empty, or too long.
    """
    found = _ESCAPE.sub(
        lambda match: _ESCAPED[match[1]] if match[1] else bytes.fromhex(match[2].decode()), text.encode()
    )
    if not 0 < len(found) <= MAX_DELIMITER_BYTES:
        hint = 'the default is a line feed; for NUL write "\\0"'
        raise OptionError(f"delimiter has to have 1 to {MAX_DELIMITER_BYTES} bytes, not {len(found)}", text, hint)
    return found


def line_delimiter(text: str, context: BuildContext) -> bytes:
    """Return what ends a line: by the option of the input, else ``text``, that of the codec. Raises OptionError."""
    return context.delimiter or delimiter_bytes(text)
