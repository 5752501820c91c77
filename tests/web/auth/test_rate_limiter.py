import pytest

from ingestd.web.auth.rate_limiter import AttemptLimiter


def test_the_limiter_holds_after_some_attempts_and_lets_go() -> None:
    limiter = AttemptLimiter(burst=3, seconds=10)
    for _ in range(3):
        assert limiter.wait("10.0.0.7", 0) == 0
        limiter.failed("10.0.0.7", 0)
    assert limiter.wait("10.0.0.7", 0) == 10
    assert limiter.wait("10.0.0.7", 4) == 6
    assert limiter.wait("10.0.0.7", 10) == 0
    limiter.failed("10.0.0.7", 10)
    assert limiter.wait("10.0.0.7", 10) == 10
    assert limiter.wait("10.0.0.8", 10) == 0


CLIENTS = [  # id, client that failed, other, same
    ("same_network_of_ipv6", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
    ("other_network_of_ipv6", "2001:db8:1:2::1", "2001:db8:1:3::1", False),
    ("ipv4_in_ipv6", "::ffff:10.0.0.7", "10.0.0.7", True),
    ("other_ipv4_in_ipv6", "::ffff:10.0.0.7", "::ffff:10.0.0.8", False),
    ("no_address", "unknown", "unknown", True),
]


@pytest.mark.parametrize(("failed", "other", "same"), [c[1:] for c in CLIENTS], ids=[c[0] for c in CLIENTS])
def test_clients(failed: str, other: str, same: bool) -> None:
    limiter = AttemptLimiter(burst=1, seconds=10)
    limiter.failed(failed, 0)
    assert (limiter.wait(other, 0) > 0) == same


def test_the_limiter_is_bounded() -> None:
    limiter = AttemptLimiter(burst=1, max_clients=100)
    for number in range(1000):
        limiter.failed(f"client {number}", 0)
    assert len(limiter._attempts) == 100
    assert limiter.wait("client 999", 0) > 0
