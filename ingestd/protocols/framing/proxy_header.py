"""The header of the PROXY protocol, versions 1 (text) and 2 (binary): who the client of a proxy is. Sans-IO.

Follows https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple

_V1 = re.compile(rb"PROXY (?:TCP4|TCP6) ([0-9.]+|[0-9a-fA-F:.]+) ([0-9a-fA-F:.]+) ([0-9]{1,5}) ([0-9]{1,5})\r\n")
_V1_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")
_V1_MAX_BYTES = 107  # section 2.1, with the line end
_V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_FIXED_BYTES = 16
_V2_MAX_BYTES = 4096
"""Longer ones are none: addresses take at most 216 bytes, the rest is optional, and senders keep to one segment."""

_ADDRESS_BYTES = {1: 4, 2: 16}  # AF_INET, AF_INET6


class ProxyHeader(NamedTuple):
    """A header of ``size`` bytes; ``host`` and ``port``: of the client, empty and 0 if the proxy does not say."""

    size: int
    version: int
    host: str = ""
    port: int = 0


class MayBeProxyHeader(Exception):  # noqa: N818 -- no error
    """The bytes are the start of a header, or may be: more are needed."""


def parse_proxy_header(head: bytes) -> ProxyHeader | None:
    """Return the header that ``head`` starts with, None if it starts otherwise.

    Raises:
        MayBeProxyHeader: More bytes are needed.
    """
    if head[:1] == b"\r":
        return _parse_v2(head)
    return _parse_v1(head)


def _parse_v1(head: bytes) -> ProxyHeader | None:
    if b"\n" not in head[:_V1_MAX_BYTES]:
        if len(head) < _V1_MAX_BYTES and head[:6] == b"PROXY "[: len(head)]:
            raise MayBeProxyHeader
        return None
    if unknown := _V1_UNKNOWN.match(head, 0, _V1_MAX_BYTES):
        return ProxyHeader(unknown.end(), 1)
    if found := _V1.match(head, 0, _V1_MAX_BYTES):
        try:
            return ProxyHeader(found.end(), 1, str(ip_address(found[1].decode())), int(found[3]))
        except ValueError:
            return None
    return None


def _parse_v2(head: bytes) -> ProxyHeader | None:
    if head[: len(_V2_SIGNATURE)] != _V2_SIGNATURE[: len(head)]:
        return None
    if len(head) < _V2_FIXED_BYTES:
        raise MayBeProxyHeader
    size = _V2_FIXED_BYTES + int.from_bytes(head[14:16], "big")
    if head[12] not in (0x20, 0x21) or size > _V2_MAX_BYTES:  # version 2, commands LOCAL and PROXY
        return None
    if len(head) < size:
        raise MayBeProxyHeader
    length = _ADDRESS_BYTES.get(head[13] >> 4, 0)
    if head[12] == 0x20 or not length or size < _V2_FIXED_BYTES + 2 * length + 4:  # LOCAL: the proxy's own check
        return ProxyHeader(size, 2)
    addresses = head[_V2_FIXED_BYTES:size]
    port = int.from_bytes(addresses[2 * length : 2 * length + 2], "big")
    return ProxyHeader(size, 2, str(ip_address(addresses[:length])), port)
