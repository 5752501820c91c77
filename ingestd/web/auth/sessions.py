"""Sessions of people who have signed in. Kept in memory: a restart signs everybody out. Time is a parameter."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

IDLE_SECONDS = 12 * 3600.0
"""A session that is not used for this long ends."""

MAX_SECONDS = 7 * 86_400.0
MAX_SESSIONS = 1000
"""Far more than the people who share a dashboard; the least recently used session is ended first."""


@dataclass(slots=True)
class Session:
    """One browser that has signed in. ``csrf`` must come with every request that changes something."""

    csrf: str
    started: float
    used: float


class Sessions:
    """Sessions by their cookie, of which only a hash is kept."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, Session] = {}

    def start(self, now: float) -> str:
        """Start a session at ``now`` (seconds of any clock) and return its cookie."""
        for key in [key for key, session in self._sessions.items() if _expired(session, now)]:
            del self._sessions[key]
        while len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].used)]
        cookie = secrets.token_urlsafe(32)
        self._sessions[_key(cookie)] = Session(secrets.token_urlsafe(32), now, now)
        return cookie

    def get(self, cookie: str, now: float) -> Session | None:
        """Return the session of a cookie and note that it was used; None: there is none, or it has expired."""
        session = self._sessions.get(_key(cookie))
        if session is None:
            return None
        if _expired(session, now):
            del self._sessions[_key(cookie)]
            return None
        session.used = now
        return session

    def end(self, cookie: str) -> None:
        """End a session."""
        self._sessions.pop(_key(cookie), None)


def _expired(session: Session, now: float) -> bool:
    return now - session.used > IDLE_SECONDS or now - session.started > MAX_SECONDS


def _key(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).digest()
