"""Limits how often a client may try a password or token. Time is a parameter."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Attempts:
    left: float
    at: float


@dataclass(slots=True)
class AttemptLimiter:
    """Limits failed attempts: each client has ``burst`` attempts, and one more every ``seconds``.

    A client is an IPv4 address or an IPv6 /64, which one machine has as a whole.
    """

    burst: int = 5
    seconds: float = 12.0
    max_clients: int = 10_000
    _attempts: dict[str, _Attempts] = field(default_factory=dict)

    def wait(self, client: str, now: float) -> float:
        """Return for how many seconds attempts of this client are rejected; 0: it may try."""
        attempts = self._attempts.get(_network(client))
        left = self.burst if attempts is None else self._left(attempts, now)
        return 0.0 if left >= 1 else (1 - left) * self.seconds

    def failed(self, client: str, now: float) -> None:
        """Count a failed attempt."""
        network = _network(client)
        attempts = self._attempts.pop(network, None)  # and back at the end: the first failed least recently
        if len(self._attempts) >= self.max_clients:
            del self._attempts[next(iter(self._attempts))]
        left = self.burst if attempts is None else self._left(attempts, now)
        self._attempts[network] = _Attempts(max(left - 1, 0), now)

    def _left(self, attempts: _Attempts, now: float) -> float:
        return min(attempts.left + (now - attempts.at) / self.seconds, self.burst)


def _network(client: str) -> str:
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, 64), strict=False))
    return client
