"""E-mail: over SMTP, with STARTTLS or TLS."""

from __future__ import annotations

import datetime
import smtplib
import ssl
from collections.abc import Collection
from contextlib import closing, suppress
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from ingestd.alerts.addresses import mailbox
from ingestd.alerts.channels.deadline import Deadline
from ingestd.alerts.config import AlertChannel, ChannelError, RecipientsError
from ingestd.alerts.messages import listed, text, title
from ingestd.alerts.state import Notification

_FOR_GOOD = 500
"""From this code on a refusal is for good (RFC 5321, section 4.2.1); others may be tried again."""

_TIMEOUTS = 6
"""How many times the timeout, which each reply of a server has, all of them may take."""

_MAX_REPLY_BYTES = 1 << 20
"""Of all replies of a server together: ``smtplib`` keeps a reply whole, and it may be without end."""


class _Replies:
    """What a server replies, as ``smtplib`` reads it."""

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, _MAX_REPLY_BYTES
        self.close = file.close

    def readline(self, limit: int) -> bytes:
        """Return the next line. Raises OSError."""
        line: bytes = self._file.readline(limit)
        self._left -= len(line)
        if self._left < 0:
            raise OSError(f"it replies with more than {_MAX_REPLY_BYTES:,} bytes")
        return line


class _Smtp(smtplib.SMTP):
    """A connection with a deadline, whose replies are bounded."""

    def __init__(self, *args: Any, deadline: Deadline, **kwargs: Any) -> None:
        self._deadline = deadline
        super().__init__(*args, **kwargs)

    def getreply(self) -> tuple[int, bytes]:
        """Return the next reply."""
        self._deadline.watch(self.sock)
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock.makefile("rb"))
        return super().getreply()


class _SmtpTls(_Smtp, smtplib.SMTP_SSL):
    """The same with TLS from the start."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a recipient does not get an e-mail."""

    reason: str
    is_for_good: bool


_NOT_ASCII = _Refusal("the server does not support SMTPUTF8: write an address of ASCII letters", is_for_good=True)


def send_email(
    channel: AlertChannel,
    notification: Notification,
    zone: datetime.tzinfo | None,
    page_url: str,
    left_out: tuple[str, ...] = (),
) -> None:
    """Send a notification to all recipients but ``left_out``; its Message-ID is the same each time that it is sent.

    Raises:
        RecipientsError: The server refused some of them, or all.
        ChannelError: It got to none of them for another reason.
    """
    wanted = [recipient for recipient in channel.recipients if recipient not in left_out]
    if not wanted:
        return
    refused = _sent(channel, notification, zone, page_url, wanted)
    if not refused:
        return
    reasons = {recipient: refusal.reason for recipient, refusal in refused.items()}
    taken = tuple(recipient for recipient in wanted if recipient not in refused)
    again = tuple(recipient for recipient, refusal in refused.items() if not refusal.is_for_good)
    raise RecipientsError(f"{channel.host} refused {listed(reasons)}", taken, reasons, again)


def _sent(
    channel: AlertChannel,
    notification: Notification,
    zone: datetime.tzinfo | None,
    page_url: str,
    recipients: list[str],
) -> dict[str, _Refusal]:
    """Send a notification; returns the recipients that were refused. Raises ChannelError."""
    if channel.user and not channel.password:
        raise ChannelError("there is a user and no password: set password_file, or the variable of password")
    deadline = Deadline(_TIMEOUTS * channel.timeout_s)
    try:
        with deadline, closing(_connected(channel, deadline)) as server:
            try:
                if channel.user:
                    server.login(channel.user, channel.password)
                server.ehlo_or_helo_if_needed()
                usable = _usable(channel, server, recipients)
                message = email_message(channel, notification, zone, page_url, usable)
                refused = _posted(server, message, mailbox(channel.sender).addr_spec, usable)
            finally:
                with suppress(smtplib.SMTPException, OSError):  # what was taken is taken
                    server.quit()
            return {recipient: _NOT_ASCII for recipient in recipients if recipient not in usable} | refused
    except smtplib.SMTPAuthenticationError as error:
        raise ChannelError(f"{channel.host} refused the login: {error.smtp_code}") from None
    except smtplib.SMTPResponseException as error:
        raise ChannelError(f"{channel.host}: {error.smtp_code} {_text(error.smtp_error)}") from None
    except (smtplib.SMTPException, ssl.SSLError, OSError, ValueError) as error:
        why = "it did not answer in time" if deadline.passed else _why(error)
        raise ChannelError(f"{channel.host}:{channel.port} cannot be used: {why}") from None


def _usable(channel: AlertChannel, server: smtplib.SMTP, recipients: list[str]) -> list[str]:
    """Return the recipients whose addresses a server understands. Raises ChannelError: not even that of the sender."""
    if server.has_extn("smtputf8"):
        return recipients
    if not mailbox(channel.sender).addr_spec.isascii():
        raise ChannelError(f"{channel.host} does not support SMTPUTF8: set a sender with an address of ASCII letters")
    return [recipient for recipient in recipients if mailbox(recipient).addr_spec.isascii()]


def _posted(server: smtplib.SMTP, message: EmailMessage, sender: str, recipients: list[str]) -> dict[str, _Refusal]:
    """Send a message; returns the recipients that the server refused."""
    addresses = {recipient: mailbox(recipient).addr_spec for recipient in recipients}
    if not addresses:
        return {}
    try:
        refused = server.send_message(message, sender, list(dict.fromkeys(addresses.values())))
    except smtplib.SMTPRecipientsRefused as error:  # of all of them, though it may name only those that it asked for
        last = list(error.recipients.values())[-1]
        refused = {address: error.recipients.get(address, last) for address in addresses.values()}
    return {
        recipient: _Refusal(f"{code} {_text(reason)}", code >= _FOR_GOOD)
        for recipient, address in addresses.items()
        for code, reason in ([refused[address]] if address in refused else [])
    }


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def email_message(
    channel: AlertChannel,
    notification: Notification,
    zone: datetime.tzinfo | None,
    page_url: str,
    wanted: Collection[str],
) -> EmailMessage:
    """Return the e-mail; it names all recipients, those that are not ``wanted`` if every server understands them."""
    message = EmailMessage(policy.default.clone(cte_type="7bit"))  # not every server takes 8 bits
    sender = mailbox(channel.sender)
    named = [
        recipient for recipient in channel.recipients if recipient in wanted or mailbox(recipient).addr_spec.isascii()
    ]
    message["Subject"] = " ".join(title(notification).split())[:200].replace("=?", "= ?")  # else it would be decoded
    message["From"] = sender
    message["To"] = [mailbox(recipient) for recipient in named]
    message["Date"] = format_datetime(datetime.datetime.fromtimestamp(notification.time, datetime.UTC))
    domain = sender.domain if sender.domain.isascii() else ""
    message["Message-ID"] = f"<{notification.id}@{domain or 'ingestd'}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers of absent people
    message.set_content(text(notification, zone, page_url))
    return message


def _connected(channel: AlertChannel, deadline: Deadline) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=channel.ca_file or None)
    if channel.tls == "tls":
        return _SmtpTls(channel.host, channel.port, timeout=channel.timeout_s, context=context, deadline=deadline)
    server = _Smtp(channel.host, channel.port, timeout=channel.timeout_s, deadline=deadline)
    if channel.tls == "starttls":
        try:
            server.starttls(context=context)
        except smtplib.SMTPNotSupportedError:
            server.close()
            raise ChannelError(
                f'{channel.host}:{channel.port} does not offer STARTTLS: set tls = "tls", or "none" for no encryption'
            ) from None
        except BaseException:
            server.close()
            raise
    return server


def _text(reason: bytes | str) -> str:
    return reason.decode(errors="replace") if isinstance(reason, bytes) else reason
