"""Messages of the DNS: questions for addresses and names, and the answers to them.

Follows RFC 1035, RFC 3596 (``AAAA``) and RFC 2181.
"""

from __future__ import annotations

import re
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

A, PTR, AAAA = 1, 12, 28
"""Types of records."""

_IN = 1
_RECURSION_DESIRED = 0x0100
_IS_RESPONSE, _IS_TRUNCATED = 0x8000, 0x0200
_POINTER = 0xC0
_MAX_LABEL, _MAX_NAME = 63, 253
_label = re.compile(rb"[A-Za-z0-9_-]{1,63}").fullmatch
"""What names of hosts are made of: RFC 1123, with the underscore that some have all the same."""

NO_ERROR, NO_SUCH_NAME = 0, 3
"""Codes of responses."""


class DnsError(ValueError):
    """A name cannot be asked for, or bytes are not a response."""


class Response(NamedTuple):
    """A response, as far as it matters here."""

    id: int
    name: str
    """The name that was asked for, in lower case."""
    type: int
    code: int
    truncated: bool
    answer: str | None
    """The first address or name among the answers, None if there is none."""


def reverse_name(address: str) -> str:
    """Return the name whose ``PTR`` record has the name of an IP address. Raises ValueError if it is not one."""
    return ip_address(address).reverse_pointer


def query(number: int, name: str, kind: int) -> bytes:
    """Return the question for one record.

    Raises:
        DnsError: There can be no such name.
    """
    return struct.pack("!6H", number, _RECURSION_DESIRED, 1, 0, 0, 0) + _encoded(name) + struct.pack("!2H", kind, _IN)


def _encoded(name: str) -> bytes:
    bare = name.removesuffix(".")
    try:
        labels = bare.encode("ascii" if bare.isascii() else "idna").split(b".")
    except UnicodeError:
        labels = []
    if not labels or not all(map(_label, labels)) or sum(map(len, labels)) + len(labels) > _MAX_NAME:
        raise DnsError(f"{name!r:.100} is not a host name")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def canonical(name: str) -> str:
    """Return a name as ``Response.name`` has it. Raises DnsError if there can be no such name."""
    return _name(_encoded(name), 0)[0]


def parse_response(data: bytes) -> Response:
    """Return the response in a datagram.

    Raises:
        DnsError: It is not the response to a single question.
    """
    try:
        number, flags, questions, answers = struct.unpack_from("!4H", data)
        if not flags & _IS_RESPONSE or questions != 1:
            raise DnsError("not a response to one question")
        name, at = _name(data, 12)
        kind, _ = struct.unpack_from("!2H", data, at)
        answer = _first(data, at + 4, answers, kind)
    except (struct.error, IndexError, UnicodeDecodeError):
        raise DnsError("a response is cut short") from None
    return Response(number, name, kind, flags & 0xF, bool(flags & _IS_TRUNCATED), answer)


def _first(data: bytes, at: int, count: int, kind: int) -> str | None:
    """Return the value of the first record of a type."""
    for _ in range(count):
        _, at = _name(data, at)
        found, _, _, size = struct.unpack_from("!2HIH", data, at)
        at += 10
        if found == kind:
            return _value(data, at, size, kind)
        at += size
    return None


def _value(data: bytes, at: int, size: int, kind: int) -> str:
    if kind == PTR:
        return _name(data, at)[0]
    if size != (4 if kind == A else 16) or len(data) < at + size:
        raise DnsError("a response has an address of the wrong length")
    raw = data[at : at + size]
    return str(IPv4Address(raw) if kind == A else IPv6Address(raw))


def _name(data: bytes, at: int) -> tuple[str, int]:
    """Return a name, which may continue elsewhere in the message, and where what follows it starts."""
    labels: list[str] = []
    end, total = -1, 0
    while length := data[at]:
        if length & _POINTER == _POINTER:
            end = at + 2 if end < 0 else end
            target = struct.unpack_from("!H", data, at)[0] & 0x3FFF
            if target >= at:  # each pointer leads further back, so there is no loop
                raise DnsError("a response points forward")
            at = target
            continue
        labels.append(data[at + 1 : at + 1 + length].decode("ascii"))
        total += length + 1
        at += 1 + length
        if length > _MAX_LABEL or total > _MAX_NAME + 1:
            raise DnsError("a response has a name that is too long")
    return ".".join(labels).lower(), at + 1 if end < 0 else end
