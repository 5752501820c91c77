"""The wire format of protobuf, https://protobuf.dev/programming-guides/encoding/: fields of messages in, and out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingestd.protocols.otlp.records import MODULUS, OtlpError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""The types of values on the wire."""


def tag_of(number: int, wire_type: int) -> int:
    """Return a field's number and the type of its value, as they are on the wire."""
    return number << 3 | wire_type


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a message: number and wire type as on the wire, and the value, an int or bytes."""
    at, end = 0, len(data)
    while at < end:
        tag, at = data[at], at + 1
        if tag > 127:
            tag, at = _varint(data, at - 1)
        kind = tag & 7
        if kind == BYTES:
            size, at = data[at], at + 1
            if size > 127:
                size, at = _varint(data, at - 1)
            start, at = at, at + size
        elif kind == VARINT:
            value, at = _varint(data, at)
            yield tag, value
            continue
        elif kind in (FIXED64, FIXED32):
            start, at = at, at + (8 if kind == FIXED64 else 4)
        else:
            raise OtlpError(f"the body is not a message of protobuf: there is no wire type {kind}")
        if at > end:
            raise IndexError
        yield tag, data[start:at]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number, and where the data continues."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value % MODULUS, at
        shift += 7
        if shift > 63:
            raise OtlpError("the body is not a message of protobuf: a number has more than 64 bits")


def encoded_bytes(number: int, data: bytes) -> bytes:
    """Return a field of bytes, such as a text or a message."""
    return bytes([tag_of(number, BYTES)]) + encoded_varint(len(data)) + data


def encoded_varint(value: int) -> bytes:
    """Return a number, which is not negative."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
