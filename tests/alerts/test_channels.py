"""Channels whose receivers or settings are not as they should be."""

from __future__ import annotations

import tracemalloc

import pytest
from aiosmtpd.controller import Controller

from ingestd.alerts.channels import ChannelError, send
from ingestd.alerts.config import Channel
from ingestd.alerts.state import TEST, Change, Notification
from tests.e2e.daemon import free_port

NOTIFICATION = Notification("id1", TEST, 1.0, (Change("slow", TEST, 1.0, 1.0, None, "a test"),))


def test_what_a_program_writes_to_stderr_is_not_kept() -> None:
    script = "head -c 20000000 /dev/zero >&2; echo no pager >&2; exit 3"
    tracemalloc.start()
    try:
        with pytest.raises(ChannelError, match=r"^sh failed with 3: .*no pager$"):
            send(Channel("ops", "command", command=("sh", "-c", script)), NOTIFICATION, None)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_program_that_never_stops_writing_is_killed() -> None:
    channel = Channel("ops", "command", command=("sh", "-c", "yes >&2"), timeout_s=0.1)
    with pytest.raises(ChannelError, match=r"^sh did not end within 0\.1 s$"):
        send(channel, NOTIFICATION, None)


def test_a_program_gets_a_notification_that_is_larger_than_a_pipe() -> None:
    change = Change("slow", TEST, 1.0, 1.0, None, "x" * 200_000)
    script = "test $(wc -c) -gt 200000"
    send(Channel("ops", "command", command=("sh", "-c", script)), Notification("id1", TEST, 1.0, (change,)), None)


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://ops.test/sec ret", ""),
        ("https://ops.test:secret/", ""),
        ("https://[::1/secret", ""),
        ("https://ops.test/", "Bearer secret\n"),
        ("https://ops.test/", "Bearer secret한"),
    ],
)
def test_errors_do_not_quote_the_url_or_headers(url: str, header: str) -> None:
    headers = (("Authorization", header),) if header else ()
    with pytest.raises(ChannelError) as error:
        send(Channel("ops", "webhook", url=url, headers=headers, timeout_s=0.01), NOTIFICATION, None)
    assert "sec" not in str(error.value)


def test_a_mail_server_without_starttls() -> None:
    server = Controller(object(), "127.0.0.1", free_port())
    server.start()
    try:
        channel = Channel(
            "mail", "email", host="127.0.0.1", port=server.port, sender="a@shop.test", recipients=("b@shop.test",)
        )
        with pytest.raises(ChannelError, match=r'does not offer STARTTLS: set tls = "tls", or "none"'):
            send(channel, NOTIFICATION, None)
    finally:
        server.stop()
