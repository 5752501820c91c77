import pytest

from ingestd.web.auth import sessions
from ingestd.web.auth.sessions import IDLE_SECONDS, LONGEST_SECONDS, Brake, Sessions


def test_a_session_lasts_while_it_is_used() -> None:
    kept = Sessions()
    cookie = kept.begin(0)
    now = 0.0
    while now < LONGEST_SECONDS:
        assert kept.get(cookie, now)
        now += IDLE_SECONDS
    assert kept.get(cookie, LONGEST_SECONDS + 1) is None


def test_a_session_ends_when_nobody_uses_it() -> None:
    kept = Sessions()
    cookie = kept.begin(0)
    assert kept.get(cookie, IDLE_SECONDS + 1) is None
    assert kept.get(cookie, 1) is None


def test_signing_out() -> None:
    kept = Sessions()
    one, other = kept.begin(0), kept.begin(0)
    kept.end(one)
    kept.end("unknown")
    assert (kept.get(one, 1), kept.get(other, 1) is None) == (None, False)


def test_cookies_and_csrf_tokens_differ() -> None:
    kept = Sessions()
    cookies = {kept.begin(0) for _ in range(100)}
    tokens = {session.csrf for cookie in cookies if (session := kept.get(cookie, 0))}
    assert len(cookies) == len(tokens) == 100
    assert min(map(len, cookies)) >= 43


def test_the_longest_unused_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 2)
    kept = Sessions()
    first, second = kept.begin(0), kept.begin(1)
    assert kept.get(first, 2)
    third = kept.begin(3)
    assert [kept.get(one, 4) is not None for one in (first, second, third)] == [True, False, True]


@pytest.mark.parametrize("cookie", ["", "x", "\udcff", "x" * 100_000])
def test_what_was_never_given_is_no_session(cookie: str) -> None:
    assert Sessions().get(cookie, 0) is None


def test_the_brake_holds_after_some_tries_and_lets_go() -> None:
    brake = Brake(burst=3, seconds=10)
    for _ in range(3):
        assert brake.wait("10.0.0.7", 0) == 0
        brake.failed("10.0.0.7", 0)
    assert brake.wait("10.0.0.7", 0) == 10
    assert brake.wait("10.0.0.7", 4) == 6
    assert brake.wait("10.0.0.7", 10) == 0
    brake.failed("10.0.0.7", 10)
    assert brake.wait("10.0.0.7", 10) == 10
    assert brake.wait("10.0.0.8", 10) == 0


SENDERS = [  # id, one, other, same
    ("same_network_of_ipv6", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
    ("other_network_of_ipv6", "2001:db8:1:2::1", "2001:db8:1:3::1", False),
    ("ipv4_in_ipv6", "::ffff:10.0.0.7", "10.0.0.7", True),
    ("other_ipv4_in_ipv6", "::ffff:10.0.0.7", "::ffff:10.0.0.8", False),
    ("no_address", "unknown", "unknown", True),
]


@pytest.mark.parametrize(("one", "other", "same"), [c[1:] for c in SENDERS], ids=[c[0] for c in SENDERS])
def test_senders(one: str, other: str, same: bool) -> None:
    brake = Brake(burst=1, seconds=10)
    brake.failed(one, 0)
    assert (brake.wait(other, 0) > 0) == same


def test_the_brake_is_bounded() -> None:
    brake = Brake(burst=1, most_senders=100)
    for number in range(1000):
        brake.failed(f"sender {number}", 0)
    assert len(brake._tries) == 100
    assert brake.wait("sender 999", 0) > 0
