"""Typed JSON decoders, for processes with several threads.

msgspec (0.22) inspects the fields of a dataclass or a ``Struct`` when its first decoder is made. A thread that decodes
that type meanwhile crashes the process, so ``msgspec.json.decode`` is never called with a type. Decoders made while the
module of their type is imported are safe as well: no thread has the type before.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

Kind = TypeVar("Kind")

_made: dict[Any, msgspec.json.Decoder[Any]] = {}
_lock = threading.Lock()


def decoder(kind: type[Kind]) -> msgspec.json.Decoder[Kind]:
    """Return the decoder of a type. It raises ``msgspec.DecodeError`` or ``UnicodeDecodeError``."""
    if (found := _made.get(kind)) is None:
        with _lock:
            found = _made[kind] = msgspec.json.Decoder(kind)
    return found
