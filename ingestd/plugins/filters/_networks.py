"""Sets of IP networks."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from ingestd.geoip.address import Address

Network = IPv4Network | IPv6Network


def parse_network(text: str) -> Network | None:
    """Return the network in ``text``, such as ``10.0.0.0/8`` or a single address; None if it is not one."""
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None


class NetworkSet:
    """Networks; whether one contains an address takes one lookup for each length of their prefixes."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._starts: dict[tuple[int, int], set[int]] = {}
        """By IP version and number of bits after the prefix, the prefixes as numbers."""
        for network in networks:
            bits = network.max_prefixlen - network.prefixlen
            self._starts.setdefault((network.version, bits), set()).add(int(network.network_address) >> bits)

    def __contains__(self, address: Address) -> bool:
        """Return whether one of the networks contains an address."""
        version, number = address.version, int(address)
        return any(number >> bits in starts for (kind, bits), starts in self._starts.items() if kind == version)
