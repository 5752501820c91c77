import pytest

from ingestd.web.auth import sessions
from ingestd.web.auth.sessions import IDLE_SECONDS, MAX_SECONDS, Sessions


def test_a_session_lasts_while_it_is_used() -> None:
    kept = Sessions()
    cookie = kept.start(0)
    now = 0.0
    while now < MAX_SECONDS:
        assert kept.get(cookie, now)
        now += IDLE_SECONDS
    assert kept.get(cookie, MAX_SECONDS + 1) is None


def test_a_session_ends_when_nobody_uses_it() -> None:
    kept = Sessions()
    cookie = kept.start(0)
    assert kept.get(cookie, IDLE_SECONDS + 1) is None
    assert kept.get(cookie, 1) is None


def test_signing_out() -> None:
    kept = Sessions()
    first, other = kept.start(0), kept.start(0)
    kept.end(first)
    kept.end("unknown")
    assert (kept.get(first, 1), kept.get(other, 1) is None) == (None, False)


def test_cookies_and_csrf_tokens_differ() -> None:
    kept = Sessions()
    cookies = {kept.start(0) for _ in range(100)}
    tokens = {session.csrf for cookie in cookies if (session := kept.get(cookie, 0))}
    assert len(cookies) == len(tokens) == 100
    assert min(map(len, cookies)) >= 43


def test_the_least_recently_used_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 2)
    kept = Sessions()
    first, second = kept.start(0), kept.start(1)
    assert kept.get(first, 2)
    third = kept.start(3)
    assert [kept.get(cookie, 4) is not None for cookie in (first, second, third)] == [True, False, True]


@pytest.mark.parametrize("cookie", ["", "x", "\udcff", "x" * 100_000])
def test_unknown_cookies(cookie: str) -> None:
    assert Sessions().get(cookie, 0) is None
