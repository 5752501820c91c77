"""IP addresses as logs write them: with zones, with ports, in lists of proxies."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address

MAX_CHARS = 64
"""Longer texts are no address: 45 are the most, and a zone (``%eth0``) may follow."""


def parse_address(text: str) -> Address | None:
    """Return the address that ``text`` is, None if it is none; host names are not looked up.

    Blanks around it, brackets, and the zone of an IPv6 address are dropped. An IPv4 address that is written as
    IPv6 (``::ffff:1.2.3.4``) becomes what it is: databases know it only so.
    """
    if len(text) > MAX_CHARS:
        return None
    bare = text.strip().removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def forwarded(text: str, most: int) -> Iterator[str]:
    """Yield what may be addresses in the first ``most`` parts of an ``X-Forwarded-For`` header, without ports.

    The client comes first, then the proxies on the way.
    """
    for part in text.split(",", most)[:most]:
        one = part.strip()
        if len(one) > MAX_CHARS or " " in one:
            continue
        if one.startswith("["):  # [2001:db8::1]:443
            yield one[1:].partition("]")[0]
        elif one.count(":") == 1:  # 1.2.3.4:443; an IPv6 address without brackets has no port
            yield one.partition(":")[0]
        elif "." in one or ":" in one:
            yield one
