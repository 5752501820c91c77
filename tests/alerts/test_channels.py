"""Channels whose receivers or settings are not as they should be."""

from __future__ import annotations

import itertools
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from email import message_from_string, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from ingestd.alerts.channels import ChannelError, RecipientsError, send
from ingestd.alerts.config import AlertChannel
from ingestd.alerts.state import TEST, AlertChange, Notification
from tests.e2e.daemon import free_port
from tests.threads import Background
from tests.waiting import WAIT_SECONDS

NOTIFICATION = Notification("id1", TEST, 1.0, (AlertChange("slow", TEST, 1.0, 1.0, None, "a test"),))


def test_what_a_program_writes_to_stderr_is_not_kept() -> None:
    script = "head -c 20000000 /dev/zero >&2; echo no pager >&2; exit 3"
    tracemalloc.start()
    try:
        with pytest.raises(ChannelError, match=r"^sh failed with 3: .*no pager$"):
            send(AlertChannel("ops", "command", command=("sh", "-c", script)), NOTIFICATION, None)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_program_that_never_stops_writing_is_killed() -> None:
    channel = AlertChannel("ops", "command", command=("sh", "-c", "yes >&2"), timeout_s=0.1)
    with pytest.raises(ChannelError, match=r"^sh did not end within 0\.1 s$"):
        send(channel, NOTIFICATION, None)


def test_a_program_gets_a_notification_that_is_larger_than_a_pipe() -> None:
    change = AlertChange("slow", TEST, 1.0, 1.0, None, "x" * 200_000)
    script = "test $(wc -c) -gt 200000"
    send(AlertChannel("ops", "command", command=("sh", "-c", script)), Notification("id1", TEST, 1.0, (change,)), None)


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
        send(AlertChannel("ops", "webhook", url=url, headers=headers, timeout_s=0.01), NOTIFICATION, None)
    assert "sec" not in str(error.value)


def test_a_mail_server_without_starttls() -> None:
    server = Controller(object(), "127.0.0.1", free_port())
    server.start()
    try:
        channel = AlertChannel(
            "mail", "email", host="127.0.0.1", port=server.port, sender="a@shop.test", recipients=("b@shop.test",)
        )
        with pytest.raises(ChannelError, match=r'does not offer STARTTLS: set tls = "tls", or "none"'):
            send(channel, NOTIFICATION, None)
    finally:
        server.stop()


class Mailbox:
    """Takes e-mails for all but ``gone@shop.test``; ``mails`` are recipients and content."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], str]] = []

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, to: str, _more: object) -> str:
        if to == "gone@shop.test":
            return "550 no such user"
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append((envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


@contextmanager
def mailbox(*, utf8: bool) -> Iterator[tuple[Mailbox, Callable[..., AlertChannel]]]:
    """Run a mail server; yields its mailbox, and a function that returns a channel to it."""
    box = Mailbox()
    running = Controller(box, "127.0.0.1", free_port(), enable_SMTPUTF8=utf8)
    running.start()

    def channel(sender: str, *recipients: str) -> AlertChannel:
        host = {"host": "127.0.0.1", "port": running.port, "timeout_s": WAIT_SECONDS}
        return AlertChannel("mail", "email", tls="none", sender=sender, recipients=recipients, **host)  # type: ignore[arg-type]

    try:
        yield box, channel
    finally:
        running.stop()


SENDER = "로그 알림 <a@shop.test>"
NO_UTF8 = "the server does not support SMTPUTF8: write an address of ASCII letters"


@pytest.mark.parametrize("utf8", [True, False], ids=["smtputf8", "ascii_only"])
def test_a_title_is_no_encoded_word(utf8: bool) -> None:
    """It may have the text of a client or a rule; decoded, this one has a header and a body of its own."""
    change = AlertChange("=?utf-8?q?a=0AReply-To:_evil@x.test=0A=0Abody?=", TEST, 1.0, 1.0, None, "text")
    with mailbox(utf8=utf8) as (box, channel):
        send(channel(SENDER, "ops@shop.test"), Notification("id1", TEST, 1.0, (change,)), None)
        ((_, content),) = box.mails
    mail = message_from_string(content, policy=policy.default)
    assert mail["Reply-To"] is None
    assert "Reply-To" in mail["Subject"]


@pytest.mark.parametrize("utf8", [True, False], ids=["smtputf8", "ascii_only"])
def test_names_and_addresses_that_are_not_ascii(utf8: bool) -> None:
    """Names are encoded, and domains: any server takes them. Other addresses need one that supports them."""
    everyone = ("운영팀 <ops@shop.test>", "web@예시.한국", "철수 <gone@shop.test>", "철수@shop.test", "ops@shop.test")
    ops, web, gone, user, bare = everyone
    change = AlertChange("느림", TEST, 1.0, 1.0, None, "시험")
    with mailbox(utf8=utf8) as (box, channel):
        with pytest.raises(RecipientsError) as error:
            send(channel(SENDER, *everyone), Notification("id1", TEST, 1.0, (change,)), None)
        assert error.value.refused == {gone: "550 no such user"} | ({} if utf8 else {user: NO_UTF8})
        assert error.value.taken == ((ops, web, user, bare) if utf8 else (ops, web, bare))
        assert error.value.again == ()
        ((addresses, content),) = box.mails
        assert addresses == ["ops@shop.test", "web@xn--vv4b11d.xn--3e0b707e", *(["철수@shop.test"] if utf8 else [])]
        assert content.isascii() is not utf8
        mail = message_from_string(content, policy=policy.default)
        assert (mail["From"], mail["Subject"]) == (SENDER, "[TEST] 느림: 시험")
        named = [str(found) for found in mail["To"].addresses]
        assert named == [ops, "web@xn--vv4b11d.xn--3e0b707e", gone, *([user] if utf8 else []), bare]
        assert mail["Content-Transfer-Encoding"] == "base64", "not every server takes 8 bits"
        send(channel(SENDER, *everyone), NOTIFICATION, None, "", (gone, user))
        assert box.mails[1][1].isascii(), "a later attempt may be to others alone"


@pytest.mark.parametrize(
    ("sender", "recipient", "text"),
    [
        ("철수@shop.test", "b@shop.test", r"does not support SMTPUTF8: set a sender with an address of ASCII letters$"),
        (SENDER, "철수@shop.test", rf"refused 철수@shop\.test \({NO_UTF8}\)$"),
    ],
    ids=["sender", "recipient"],
)
def test_addresses_that_a_server_cannot_take(sender: str, recipient: str, text: str) -> None:
    with mailbox(utf8=False) as (box, channel):
        with pytest.raises(ChannelError, match=rf"^127\.0\.0\.1 {text}"):
            send(channel(sender, recipient), NOTIFICATION, None)
        assert box.mails == []


def test_a_mail_that_was_taken_is_sent_however_the_server_says_goodbye() -> None:
    replies = b"220 a", b"250 a", b"250 a", b"250 a", b"354 a", b"250 a", b"554 no goodbye"
    parts = [part for reply in replies for part in (reply + b"\r\n", b"")]
    with server(parts) as port:
        mail = {"host": "127.0.0.1", "tls": "none", "sender": "a@shop.test", "recipients": ("b@shop.test",)}
        send(AlertChannel("ops", "email", port=port, timeout_s=WAIT_SECONDS, **mail), NOTIFICATION, None)  # type: ignore[arg-type]


@contextmanager
def server(parts: Iterable[bytes], pause_s: float = 0.0) -> Iterator[int]:
    """Answer a client with some bytes, an empty part waits for what it sends, until it has gone; yields the port."""

    def answer() -> None:
        with suppress(OSError):
            client, _ = listener.accept()
            with client:
                for part in parts:
                    if part:
                        client.sendall(part)
                        time.sleep(pause_s)
                    elif not client.recv(1 << 16):
                        return

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Background(answer, lambda: listener.shutdown(socket.SHUT_RDWR)),
    ):
        yield listener.getsockname()[1]


ENDLESS = {  # what the server sends before it repeats something, and what that is
    "status": (b"HTTP/1.1 ", b"0"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "nothing": (b"HTTP/1.1 ", b""),
}


@pytest.mark.parametrize(("first", "repeated"), ENDLESS.values(), ids=ENDLESS)
def test_a_webhook_that_answers_without_end(first: bytes, repeated: bytes) -> None:
    with server(itertools.chain([first], itertools.repeat(repeated)), 0.02) as port:
        channel = AlertChannel("ops", "webhook", url=f"http://127.0.0.1:{port}/", timeout_s=0.2)
        with pytest.raises(ChannelError, match=r"^127\.0\.0\.1 cannot be reached: it did not answer in time$"):
            send(channel, NOTIFICATION, None)


def test_an_error_whose_text_has_no_end() -> None:
    with server(itertools.chain([b"HTTP/1.1 500 Error\r\n\r\n"], itertools.repeat(b"x")), 0.02) as port:
        channel = AlertChannel("ops", "webhook", url=f"http://127.0.0.1:{port}/", timeout_s=0.2)
        with pytest.raises(ChannelError, match=r"^127\.0\.0\.1 "):
            send(channel, NOTIFICATION, None)


def test_a_webhook_that_says_200_has_taken_it_whatever_follows() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n"
    with server(itertools.chain([b"", answer], itertools.repeat(b""))) as port:
        send(
            AlertChannel("ops", "webhook", url=f"http://127.0.0.1:{port}/", timeout_s=WAIT_SECONDS), NOTIFICATION, None
        )


@pytest.mark.parametrize(
    ("line", "pause_s", "text"),
    [(b"220-a\r\n", 0.02, "cannot be used"), (b"220-%s\r\n" % (b"a" * 5000), 0, "replies with more than")],
    ids=["slow", "fast"],
)
def test_a_mail_server_that_replies_without_end(line: bytes, pause_s: float, text: str) -> None:
    seconds = 0.1 if pause_s else 10
    mail = {"host": "127.0.0.1", "tls": "none", "sender": "a@example.org", "recipients": ("b@example.org",)}
    with server(itertools.repeat(line), pause_s) as port, pytest.raises(ChannelError, match=text):
        send(AlertChannel("ops", "email", port=port, timeout_s=seconds, **mail), NOTIFICATION, None)  # type: ignore[arg-type]
