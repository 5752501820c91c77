"""Decoders of JSON that is of a type, for processes with several threads.

msgspec (0.22) learns the fields of a dataclass or a ``Struct`` with the first decoder of it. A thread that decodes that
type meanwhile crashes the process, so ``msgspec.json.decode`` with a type is used nowhere. Decoders that are made when
the module of their type is imported do as well: no thread has the type before.
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
