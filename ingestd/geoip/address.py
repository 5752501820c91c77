"""IP addresses as they appear in logs: with zones, with ports, in lists of proxies."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address

MAX_CHARS = 64
"""Longer texts are not addresses: those have 45 characters at most, and a zone (``%eth0``) may follow."""


def parse_address(text: str) -> Address | None:
    """Return the address in ``text``, None if it is not one; host names are not resolved.

    Surrounding spaces, brackets, and the zone of an IPv6 address are removed. An IPv4-mapped IPv6 address
    (``::ffff:1.2.3.4``) becomes an IPv4 address, because databases only have that.
    """
    if len(text) > MAX_CHARS:
        return None
    bare = text.strip().removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def forwarded(text: str, max_parts: int) -> Iterator[str]:
    """Yield what may be addresses in the first ``max_parts`` parts of an ``X-Forwarded-For`` header, without ports.

    The client comes first, then the proxies on the way.
    """
    for part in text.split(",", max_parts)[:max_parts]:
        candidate = part.strip()
        if len(candidate) > MAX_CHARS or " " in candidate:
            continue
        if candidate.startswith("["):  # [2001:db8::1]:443
            yield candidate[1:].partition("]")[0]
        elif candidate.count(":") == 1:  # 1.2.3.4:443; an IPv6 address without brackets has no port
            yield candidate.partition(":")[0]
        elif "." in candidate or ":" in candidate:
            yield candidate
