"""IP addresses as logs write them: with ports, in lists of proxies, inside of the ``repr`` of a socket."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address

MAX_CHARS = 64
"""Longer texts are no address: 45 are the most, and a zone (``%eth0``) may follow."""

_PEER = "raddr=('"


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


def peer(text: str) -> str | None:
    """Return the remote address in the ``repr`` of a socket, None if ``text`` holds none.

    That is what Django's own server logs as ``request``: ``<socket.socket fd=9, ... raddr=('1.2.3.4', 36965)>``.
    """
    begin = text.find(_PEER)
    if begin < 0:
        return None
    begin += len(_PEER)
    end = text.find("'", begin, begin + MAX_CHARS)
    return text[begin:end] if end > 0 else None


def forwarded(text: str) -> Iterator[str]:
    """Yield the parts of an ``X-Forwarded-For`` header, the client first, without their ports."""
    for part in text.split(","):
        one = part.strip()
        if one.startswith("["):  # [2001:db8::1]:443
            yield one[1:].partition("]")[0]
        elif one.count(":") == 1:  # 1.2.3.4:443; an IPv6 address without brackets has no port
            yield one.partition(":")[0]
        else:
            yield one
