"""Sessions outlive the process, and nothing else: not their password, not their time, not signing out."""

from __future__ import annotations

import errno
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ingestd.web.auth import session_file
from ingestd.web.auth.access import Access
from ingestd.web.auth.session_file import SessionFile
from ingestd.web.auth.sessions import IDLE_SECONDS, MAX_SECONDS, Sessions

ACCESS = Access(password="correct horse", token="battery-staple")


@dataclass
class Clock:
    """The wall clock, and the monotonic clock of a process that starts at 0."""

    wall: float = 1.8e9
    started: float = field(default=1.8e9)

    def restart(self) -> None:
        self.started = self.wall

    @property
    def now(self) -> float:
        return self.wall - self.started


class Site:
    """What keeps the sessions of one data folder."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self.clock = folder, clock
        self.start()

    def start(self, access: Access = ACCESS) -> None:
        """Be the next process."""
        self.clock.restart()
        self.access, self.file = access, SessionFile(self._folder, lambda: self.clock.wall)
        self.sessions = self.file.load(access, self.clock.now)

    async def sign_in(self) -> str:
        cookie = self.sessions.start(self.clock.now)
        await self.save()
        return cookie

    async def save(self) -> None:
        await self.file.save(self.sessions, self.access, self.clock.now)

    def knows(self, cookie: str) -> bool:
        return self.sessions.get(cookie, self.clock.now) is not None


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, Clock())


async def test_a_restart_keeps_sessions_with_their_csrf_tokens(site: Site, tmp_path: Path) -> None:
    cookie = await site.sign_in()
    session = site.sessions.get(cookie, 0)
    site.clock.wall += 100
    site.start()
    found = site.sessions.get(cookie, 0)
    assert session is not None
    assert found is not None
    assert found.csrf == session.csrf
    assert found.started == pytest.approx(-100)
    assert cookie not in (tmp_path / "sessions.json").read_text()
    assert (tmp_path / "sessions.json").stat().st_mode & 0o777 == 0o600


async def test_who_has_signed_out_stays_out(site: Site) -> None:
    first, other = await site.sign_in(), await site.sign_in()
    site.sessions.end(first)
    await site.save()
    site.start()
    assert (site.knows(first), site.knows(other)) == (False, True)


OTHERS = {
    "password": Access(password="correct horsf", token="battery-staple"),
    "token": Access(password="correct horse", token=""),
    "parts": Access(password="correct horsebattery-", token="staple"),
    "nothing": Access(),
}


@pytest.mark.parametrize("access", OTHERS.values(), ids=OTHERS.keys())
async def test_other_secrets_end_all_sessions_for_good(site: Site, access: Access) -> None:
    cookie = await site.sign_in()
    site.start(access)
    assert not site.knows(cookie)
    await site.save()
    site.start()
    assert not site.knows(cookie), "the secrets before are in force again"


async def test_a_session_is_as_old_as_it_is_after_a_restart(site: Site) -> None:
    idle, cookie = await site.sign_in(), await site.sign_in()
    for _ in range(int(MAX_SECONDS / (IDLE_SECONDS - 60))):
        site.clock.wall += IDLE_SECONDS - 60
        site.start()
        assert site.knows(cookie)
        await site.save()
    assert not site.knows(idle)
    site.clock.wall += IDLE_SECONDS - 60
    site.start()
    assert not site.knows(cookie)


async def test_a_clock_that_was_wrong_prolongs_no_session(site: Site) -> None:
    cookie = await site.sign_in()
    site.clock.wall -= 10 * MAX_SECONDS
    site.start()
    site.clock.wall += IDLE_SECONDS + 1
    assert not site.knows(cookie)


async def test_when_sessions_were_used_is_saved_once_in_a_while(site: Site) -> None:
    cookie = await site.sign_in()
    due = []
    for _ in range(4):
        site.clock.wall += 20
        assert site.knows(cookie)
        due.append(site.file.is_due(site.sessions, site.clock.now))
    assert due == [False, False, True, True]
    await site.save()
    assert not site.file.is_due(site.sessions, site.clock.now + 1e6), "nothing has changed"


DAMAGED = {
    "empty": b"",
    "cut": b'{"salt":"x","sess',
    "no_csrf": json.dumps({"salt": "x", "sessions": {"0": {"csrf": "", "started": 0, "used": 0}}}).encode(),
    "not_text": b"\xff\xfe",
    "list": b"[]",
    "too_large": b" " * 2_000_000,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
async def test_a_damaged_file_holds_no_sessions(
    site: Site, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    old = await site.sign_in()
    (tmp_path / "sessions.json").write_bytes(content)
    with caplog.at_level(logging.ERROR, "ingestd"):
        site.start()
    assert not site.knows(old)
    assert [record.getMessage() for record in caplog.records] == ["a damaged file was put aside"]
    cookie = await site.sign_in()
    site.start()
    assert site.knows(cookie)


async def test_sessions_without_their_secrets_are_nobodys(site: Site, tmp_path: Path) -> None:
    cookie = await site.sign_in()
    file = tmp_path / "sessions.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"salt": "", "credentials": ""}))
    site.start()
    assert not site.knows(cookie)
    await site.sign_in()
    site.start()
    assert not site.knows(cookie)


async def test_a_full_disk_is_logged_once_and_tried_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    gone, cookie = await site.sign_in(), await site.sign_in()
    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR, "ingestd"):
        patch.setattr(SessionFile, "_write", fail)
        site.sessions.end(gone)
        await site.save()
        new = await site.sign_in()
    assert len(caplog.records) == 1
    assert site.knows(new)
    site.clock.wall += 6
    assert site.file.is_due(site.sessions, site.clock.now)
    await site.save()
    site.start()
    assert [site.knows(each) for each in (gone, cookie, new)] == [False, True, True]


async def test_two_processes_on_one_folder_keep_the_sessions_of_both(site: Site, tmp_path: Path) -> None:
    other = Site(tmp_path, site.clock)
    first, second = await site.sign_in(), await other.sign_in()
    await site.save()
    site.start()
    assert site.knows(first)
    assert site.knows(second)


async def test_the_file_is_bounded(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_file, "MAX_SESSIONS", 3)
    for _ in range(2):
        site.clock.wall += 1
        site.sessions = Sessions()  # as if another process had those before
        cookies = [await site.sign_in() for _ in range(3)]
    assert len(json.loads((tmp_path / "sessions.json").read_text())["sessions"]) == 3
    site.start()
    assert all(map(site.knows, cookies))
