"""The common part of the codecs of MessagePack: values of a stream, bytes as text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from ingestd.event.jsontext import MAX_DEPTH, mend
from ingestd.event.timestamp import from_datetime
from ingestd.protocols.framing.message_pack import value_ends

EVENT_TIME = 0
"""Type of the extension for a time in seconds and nanoseconds, of Fluentd's forward protocol."""


def unpack(data: bytes) -> Any:
    """Return a value; Fluentd's times are floats, seconds since the epoch; bytes stay bytes.

    Raises:
        ValueError: It is not MessagePack, or nested too deeply.
    """
    try:
        return msgspec.msgpack.decode(data, ext_hook=_extension)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None


def pack(value: Any) -> bytes:
    """Return a value as MessagePack."""
    try:
        return msgspec.msgpack.encode(value)
    except (OverflowError, UnicodeEncodeError, TypeError):  # integers of more than 64 bits, lone surrogates
        return msgspec.msgpack.encode(_in_range(mend(value)))


def unpack_all(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield where each value starts, and the value. Raises ValueError at what is not a value."""
    start = 0
    for end in value_ends(data):
        yield start, unpack(data[start:end])
        start = end
    if start < len(data):
        raise ValueError("the last value is not complete")


def _in_range(value: Any) -> Any:
    """Return a value with integers of more than 64 bits as floats."""
    if isinstance(value, dict):
        return {key: _in_range(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_in_range(item) for item in value]
    return value if not isinstance(value, int) or -(2**63) <= value < 2**64 else float(value)


def _extension(code: int, data: memoryview) -> Any:
    if code == EVENT_TIME and len(data) == 8:
        return int.from_bytes(data[:4], "big") + int.from_bytes(data[4:], "big") / 1e9
    return bytes(data)


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON has it: keys are text, so are bytes and times.

    Raises:
        ValueError: It is nested more deeply than JSON may be.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"a value is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {_text(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, datetime):
        return from_datetime(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _text(key: Any) -> str:
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)
