"""Sessions of people who have signed in. Time is a parameter; `session_file` keeps them over restarts."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
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

    def expired(self, now: float) -> bool:
        """Return whether it has not been used for too long, or is too old."""
        return now - self.used > IDLE_SECONDS or now - self.started > MAX_SECONDS


class Sessions:
    """Sessions by their cookie, of which only a hash is kept.

    Args:
        known: Sessions to continue with, by the hashes of their cookies.

    Attributes:
        ended: Hashes of the cookies whose sessions have ended.
        changed: Whether anything has changed; whoever saves the sessions sets it to False.
    """

    def __init__(self, known: Mapping[str, Session] | None = None) -> None:
        self._sessions: dict[str, Session] = {**known} if known else {}
        self.ended: set[str] = set()
        self.changed = False

    @property
    def all(self) -> Mapping[str, Session]:
        """All sessions, by the hashes of their cookies; not to be changed."""
        return self._sessions

    def start(self, now: float) -> str:
        """Start a session at ``now`` (seconds of any clock) and return its cookie."""
        for key in [key for key, session in self._sessions.items() if session.expired(now)]:
            self._end(key)
        while len(self._sessions) >= MAX_SESSIONS:
            self._end(min(self._sessions, key=lambda key: self._sessions[key].used))
        cookie = secrets.token_urlsafe(32)
        self._sessions[_key(cookie)] = Session(secrets.token_urlsafe(32), now, now)
        self.changed = True
        return cookie

    def get(self, cookie: str, now: float) -> Session | None:
        """Return the session of a cookie and note that it was used; None: there is none, or it has expired."""
        key = _key(cookie)
        session = self._sessions.get(key)
        if session is None:
            return None
        self.changed = True
        if session.expired(now):
            self._end(key)
            return None
        session.used = now
        return session

    def end(self, cookie: str) -> None:
        """End a session."""
        self._end(_key(cookie))

    def _end(self, key: str) -> None:
        if self._sessions.pop(key, None) is not None:
            self.ended.add(key)
            self.changed = True


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).hexdigest()
