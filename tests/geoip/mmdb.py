"""A writer of MaxMind DB files, for databases that hold just what a test asks for.

Follows https://maxmind.github.io/MaxMind-DB/ (version 2.0): a binary tree over the bits of an address, a data
section, the metadata. Records of 24 bits, IPv4 at ``::/96``, no aliases and no pointers.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

_MARK = b"\xab\xcd\xefMaxMind.com"
_SEPARATOR = bytes(16)
_STRING, _DOUBLE, _UINT16, _UINT32, _MAP, _INT32, _UINT64, _ARRAY, _BOOL = 2, 3, 5, 6, 7, 8, 9, 11, 14

Node = list[Any]
"""What follows a 0 and what follows a 1: a node, a `Leaf`, or None for nothing."""


class Uint16(int):
    """A number that the metadata must hold in this size."""


class Uint64(int):
    """A number that the metadata must hold in this size."""


class Leaf:
    """The end of a way through the tree: where the record begins in the data section."""

    def __init__(self, offset: int) -> None:
        self.offset = offset


def write(
    path: Path,
    networks: Mapping[str, Any],
    database_type: str,
    *,
    ip_version: int = 6,
    built: int = 1_700_000_000,
    description: str = "A test",
) -> Path:
    """Write a database of ``networks``, such as ``{"1.2.3.0/24": {"country": ...}}``, and return its path."""
    data = bytearray()
    root: Node = [None, None]
    for text in sorted(networks, key=lambda network: ip_network(network).prefixlen):
        _insert(root, _bits(text, ip_version), Leaf(len(data)))
        data += encode(networks[text])
    tree, count = _tree(root)
    meta = {
        "node_count": count,
        "record_size": Uint16(24),
        "ip_version": Uint16(ip_version),
        "database_type": database_type,
        "languages": ["en"],
        "binary_format_major_version": Uint16(2),
        "binary_format_minor_version": Uint16(0),
        "build_epoch": Uint64(built),
        "description": {"en": description},
    }
    path.write_bytes(tree + _SEPARATOR + data + _MARK + encode(meta))
    return path


def encode(value: Any) -> bytes:
    """Return a value as the data section holds it."""
    if isinstance(value, bool):
        return _control(_BOOL, int(value))
    if isinstance(value, str):
        raw = value.encode()
        return _control(_STRING, len(raw)) + raw
    if isinstance(value, float):
        return _control(_DOUBLE, 8) + struct.pack(">d", value)
    if isinstance(value, dict):
        return _control(_MAP, len(value)) + b"".join(encode(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return _control(_ARRAY, len(value)) + b"".join(map(encode, value))
    if isinstance(value, Uint16 | Uint64):
        kind, size = (_UINT16, 2) if isinstance(value, Uint16) else (_UINT64, 8)
    else:
        kind, size = (_INT32, 4) if value < 0 else (_UINT32, 4)
    return _control(kind, size) + int(value).to_bytes(size, "big", signed=value < 0)


def _control(kind: int, size: int) -> bytes:
    long, more = size, b""
    if size >= 285:
        long, more = 30, struct.pack(">H", size - 285)
    elif size >= 29:
        long, more = 29, bytes([size - 29])
    return bytes([kind << 5 | long] if kind <= 7 else [long, kind - 7]) + more


def _bits(text: str, ip_version: int) -> str:
    network = ip_network(text)
    width = network.max_prefixlen
    bits = f"{int(network.network_address):0{width}b}"[: network.prefixlen]
    return "0" * 96 + bits if (network.version, ip_version) == (4, 6) else bits


def _insert(node: Node, bits: str, leaf: Leaf) -> None:
    for bit in map(int, bits[:-1]):
        below = node[bit]
        if not isinstance(below, list):
            below = node[bit] = [below, below]  # a smaller network inside of a larger one
        node = below
    node[int(bits[-1])] = leaf


def _tree(root: Node) -> tuple[bytes, int]:
    nodes: list[Node] = [root]
    numbers = {id(root): 0}
    for node in nodes:
        for below in node:
            if isinstance(below, list):
                numbers[id(below)] = len(nodes)
                nodes.append(below)
    count = len(nodes)

    def record(below: Node | Leaf | None) -> bytes:
        if below is None:
            number = count
        elif isinstance(below, Leaf):
            number = count + len(_SEPARATOR) + below.offset
        else:
            number = numbers[id(below)]
        return number.to_bytes(3, "big")

    return b"".join(record(below) for node in nodes for below in node), count
