"""E-mail: over SMTP, with STARTTLS or TLS."""

from __future__ import annotations

import datetime
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from ingestd.alerts.channels.deadline import Deadline
from ingestd.alerts.config import Channel, ChannelError, PartlyTakenError
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


def send_email(
    channel: Channel,
    notification: Notification,
    zone: datetime.tzinfo | None,
    page_url: str,
    taken: tuple[str, ...] = (),
) -> None:
    """Send a notification to all recipients but ``taken``; its Message-ID is the same each time that it is sent.

    Raises:
        PartlyTakenError: The server took it for some, now or before.
        ChannelError: The server took it for no recipient.
    """
    wanted = [address for address in channel.recipients if address not in taken]
    if not wanted:
        return
    refused = _sent(channel, email_message(channel, notification, zone, page_url), wanted)
    if not refused:
        return
    reasons = {address: f"{code} {_text(reason)}" for address, (code, reason) in refused.items()}
    got = (*taken, *(address for address in wanted if address not in refused))
    if not got:
        raise ChannelError(f"{channel.host} refused the recipients: {next(iter(reasons.values()))}")
    again = tuple(address for address, (code, _) in refused.items() if code < _FOR_GOOD)
    raise PartlyTakenError(f"{channel.host} refused {listed(reasons)}", got, reasons, again)


def _sent(channel: Channel, message: EmailMessage, recipients: list[str]) -> dict[str, tuple[int, bytes]]:
    """Send a message; returns the recipients that were refused. Raises ChannelError."""
    if channel.user and not channel.password:
        raise ChannelError("there is a user and no password: set password_file, or the variable of password")
    deadline = Deadline(_TIMEOUTS * channel.timeout_s)
    try:
        with deadline, _connected(channel, deadline) as server:
            if channel.user:
                server.login(channel.user, channel.password)
            return server.send_message(message, channel.sender, recipients)
    except smtplib.SMTPRecipientsRefused as error:  # of all of them, though it may name only those that it asked for
        last = list(error.recipients.values())[-1]
        return {address: error.recipients.get(address, last) for address in recipients}
    except smtplib.SMTPAuthenticationError as error:
        raise ChannelError(f"{channel.host} refused the login: {error.smtp_code}") from None
    except smtplib.SMTPResponseException as error:
        raise ChannelError(f"{channel.host}: {error.smtp_code} {_text(error.smtp_error)}") from None
    except (smtplib.SMTPException, ssl.SSLError, OSError, ValueError) as error:
        why = "it did not answer in time" if deadline.passed else _why(error)
        raise ChannelError(f"{channel.host}:{channel.port} cannot be used: {why}") from None


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def email_message(
    channel: Channel, notification: Notification, zone: datetime.tzinfo | None, page_url: str
) -> EmailMessage:
    """Return the e-mail."""
    message = EmailMessage()
    message["Subject"] = " ".join(title(notification).split())[:200]
    message["From"] = channel.sender
    message["To"] = ", ".join(channel.recipients)
    message["Date"] = format_datetime(datetime.datetime.fromtimestamp(notification.time, datetime.UTC))
    message["Message-ID"] = f"<{notification.id}@{channel.sender.rpartition('@')[2].strip('<> ') or 'ingestd'}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers of absent people
    message.set_content(text(notification, zone, page_url))
    return message


def _connected(channel: Channel, deadline: Deadline) -> smtplib.SMTP:
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
