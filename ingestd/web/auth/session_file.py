"""``sessions.json`` in the data folder: sessions outlive the process that serves the dashboard.

The file has hashes of cookies, so whoever reads it cannot sign in with it. It belongs to one password and token, of
which it has a salted hash: with others, the sessions in it have ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import msgspec

from ingestd.documents import Document
from ingestd.logs import Outage, get_logger
from ingestd.web.auth.access import Access
from ingestd.web.auth.sessions import MAX_SESSIONS, Session, Sessions

log = get_logger(__name__)

_NAME = "sessions.json"
_SALT_BYTES = 16
_SAVE_SECONDS = 60.0
"""How often it is noted when sessions were last used; that they start and end is saved at once."""

_RETRY_SECONDS = 5.0
"""When to try again after the file could not be written."""


class _Stored(msgspec.Struct):
    """A session; times are seconds since the epoch."""

    csrf: Annotated[str, msgspec.Meta(min_length=32)]
    started: float
    used: float


class _Content(msgspec.Struct):
    """The sessions by the hashes of their cookies, and the hash of what was needed to start them."""

    salt: str = ""
    credentials: str = ""
    sessions: dict[str, _Stored] = {}


class SessionFile:
    """Loads sessions and saves them.

    Args:
        folder: The data folder.
        wall_clock: Seconds since the epoch. The times of ``Sessions`` are those of another clock, which may start
            again when the machine does.
    """

    def __init__(self, folder: Path, wall_clock: Callable[[], float] = time.time) -> None:
        self._document = Document(folder / _NAME, _Content, mode=0o600)
        self._wall_clock = wall_clock
        self._saving = asyncio.Lock()
        self._next_save = 0.0
        text = "sessions cannot be saved: a restart will end new ones and bring ended ones back"
        self._outage = Outage(log.error, text, log.info, "sessions can be saved again")

    def load(self, access: Access, now: float) -> Sessions:
        """Return the sessions that were started with the password or token of ``access`` and have not ended.

        If the file cannot be read there are none; that is logged.
        """
        if not access.login_required:
            return Sessions()
        try:
            content = self._document.load()
        except OSError as error:
            log.error("sessions cannot be read: people have to sign in again", error=error)
            return Sessions()
        if not content.salt or not _belongs_to(content, access):
            return Sessions()
        to_now, wall_now = now - self._wall_clock(), self._wall_clock()
        known = {
            key: Session(stored.csrf, min(stored.started, wall_now) + to_now, min(stored.used, wall_now) + to_now)
            for key, stored in content.sessions.items()
        }
        return Sessions({key: session for key, session in known.items() if not session.expired(now)})

    def is_due(self, sessions: Sessions, now: float) -> bool:
        """Return whether sessions have changed and were not saved for a while."""
        return sessions.changed and now >= self._next_save and not self._saving.locked()

    async def save(self, sessions: Sessions, access: Access, now: float) -> None:
        """Save what has changed; that this fails is logged, and tried again when it ``is_due``."""
        async with self._saving:
            to_wall = self._wall_clock() - now
            stored = {
                key: _Stored(session.csrf, session.started + to_wall, session.used + to_wall)
                for key, session in sessions.all.items()
            }
            ended, sessions.ended, sessions.changed = sessions.ended, set(), False
            try:
                await asyncio.to_thread(self._write, stored, ended, access)
            except OSError as error:
                self._outage.failed(error=error)
                sessions.ended |= ended
                sessions.changed = True
                self._next_save = now + _RETRY_SECONDS
            else:
                self._outage.recovered()
                self._next_save = now + _SAVE_SECONDS

    def _write(self, sessions: Mapping[str, _Stored], ended: Collection[str], access: Access) -> None:
        with self._document.update() as content:
            if not content.salt or not _belongs_to(content, access):
                content.salt, content.credentials, content.sessions = "", "", {}
            if access.login_required and not content.salt:
                content.salt = secrets.token_hex(_SALT_BYTES)
                content.credentials = _hash(content.salt, access.password, access.token)
            kept = {key: stored for key, stored in content.sessions.items() if key not in ended}
            kept.update(sessions)
            newest = sorted(kept, key=lambda key: kept[key].used)[-MAX_SESSIONS:]
            content.sessions = {key: kept[key] for key in newest}


def _belongs_to(content: _Content, access: Access) -> bool:
    """Return whether the sessions were started with the password or token of ``access``."""
    expected = _hash(content.salt, access.password, access.token) if content.salt else ""
    return hmac.compare_digest(content.credentials.encode(), expected.encode())


@lru_cache(4)
def _hash(salt: str, password: str, token: str) -> str:
    """Return a hash that is slow to guess, about 50 ms for each try: a password may be short."""
    text = msgspec.json.encode([password, token])
    return hashlib.scrypt(text, salt=salt.encode(), n=1 << 14, r=8, p=1).hex()
