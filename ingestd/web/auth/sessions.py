"""Who has signed in, and who tries too often. Kept in memory: a restart signs everybody out. Time is a parameter."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from dataclasses import dataclass, field

IDLE_SECONDS = 12 * 3600.0
"""A session that is not used for so long ends."""

LONGEST_SECONDS = 7 * 86_400.0
MOST_SESSIONS = 1000
"""More than that many people do not share a dashboard; the longest unused goes first."""


@dataclass(slots=True)
class Session:
    """One browser that signed in. ``csrf`` goes with every order that it gives."""

    csrf: str
    begun: float
    used: float


class Sessions:
    """Sessions by their cookie; of the cookie only a hash is kept."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, Session] = {}

    def begin(self, now: float) -> str:
        """Begin a session at ``now`` (seconds of any clock) and return its cookie."""
        for key in [key for key, one in self._sessions.items() if _over(one, now)]:
            del self._sessions[key]
        while len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].used)]
        cookie = secrets.token_urlsafe(32)
        self._sessions[_key(cookie)] = Session(secrets.token_urlsafe(32), now, now)
        return cookie

    def get(self, cookie: str, now: float) -> Session | None:
        """Return the session of a cookie, which is used now; None if there is none any more."""
        session = self._sessions.get(_key(cookie))
        if session is None:
            return None
        if _over(session, now):
            del self._sessions[_key(cookie)]
            return None
        session.used = now
        return session

    def end(self, cookie: str) -> None:
        """End a session."""
        self._sessions.pop(_key(cookie), None)


def _over(session: Session, now: float) -> bool:
    return now - session.used > IDLE_SECONDS or now - session.begun > LONGEST_SECONDS


def _key(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).digest()


@dataclass(slots=True)
class _Tries:
    left: float
    at: float


@dataclass(slots=True)
class Brake:
    """Limits wrong passwords: each sender has ``burst`` tries, and one more every ``seconds``.

    A sender is an IPv4 address, or a /64 of IPv6, which one machine has as a whole.
    """

    burst: int = 5
    seconds: float = 12.0
    most_senders: int = 10_000
    _tries: dict[str, _Tries] = field(default_factory=dict)

    def wait(self, sender: str, now: float) -> float:
        """Return for how many seconds no password of this sender is looked at; 0: it may try."""
        tries = self._tries.get(_network(sender))
        left = self.burst if tries is None else self._left(tries, now)
        return 0.0 if left >= 1 else (1 - left) * self.seconds

    def failed(self, sender: str, now: float) -> None:
        """Count a wrong password."""
        network = _network(sender)
        tries = self._tries.pop(network, None)  # and at the end again: the first is the longest quiet
        if len(self._tries) >= self.most_senders:
            del self._tries[next(iter(self._tries))]
        left = self.burst if tries is None else self._left(tries, now)
        self._tries[network] = _Tries(max(left - 1, 0), now)

    def _left(self, tries: _Tries, now: float) -> float:
        return min(tries.left + (now - tries.at) / self.seconds, self.burst)


def _network(sender: str) -> str:
    try:
        address = ipaddress.ip_address(sender.partition("%")[0])
    except ValueError:
        return sender
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, 64), strict=False))
    return sender
