"""Webhooks: JSON over HTTP, of our own form or of Slack's.

Slack's is that of its incoming webhooks, https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
which Mattermost, Rocket.Chat and Discord (``/slack``) take as well. The signature of our own is made as GitHub's:
``sha256=`` and the HMAC-SHA256 of the body, in hexadecimal.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import hmac
import http.client
import socket
import ssl
import urllib.error
import urllib.request
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ingestd import __version__
from ingestd.alerts.channels.deadline import Deadline
from ingestd.alerts.config import AlertChannel, ChannelError
from ingestd.alerts.messages import document, text
from ingestd.alerts.state import Notification
from ingestd.event.jsontext import dumps

_SLACK_CHARS = 3000
_REASON_BYTES = 200


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: headers and body may hold secrets, and are meant for one server."""

    def redirect_request(self, *_: Any) -> None:
        """Return no request: the response counts as an error."""


class _Watched(http.client.HTTPConnection):
    """A connection whose socket has a deadline."""

    def __init__(self, *args: Any, deadline: Deadline, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline = deadline

    def connect(self) -> None:
        """Connect."""
        super().connect()
        self._deadline.watch(self.sock)


class _WatchedTls(_Watched, http.client.HTTPSConnection):
    """The same over TLS."""


class _Handler(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """Opens connections with a deadline."""

    def __init__(self, context: ssl.SSLContext, deadline: Deadline) -> None:
        super().__init__(context=context)
        self._tls, self._deadline = context, deadline

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Send a request over HTTP."""
        return self.do_open(partial(_Watched, deadline=self._deadline), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Send a request over HTTPS."""
        return self.do_open(partial(_WatchedTls, deadline=self._deadline), req, context=self._tls)


def post(channel: AlertChannel, notification: Notification, zone: datetime.tzinfo | None, page_url: str) -> None:
    """Send a notification to a webhook; proxies of the environment are used.

    Raises:
        ChannelError: It did not answer with a status from 200 to 299.
    """
    slack = channel.type == "slack"
    body = dumps({"text": _escaped(text(notification, zone, page_url))} if slack else document(notification, page_url))
    headers = {"Content-Type": "application/json", "User-Agent": f"ingestd/{__version__}"}
    if not slack:
        headers["Idempotency-Key"] = notification.id
    if channel.secret:
        digest = hmac.new(channel.secret.encode(), body, hashlib.sha256).hexdigest()
        headers["X-Ingestd-Signature-256"] = f"sha256={digest}"
    headers |= dict(channel.headers)
    where = _host(channel.url)
    with Deadline(channel.timeout_s) as deadline:
        try:
            request = urllib.request.Request(channel.url, body, headers, method="POST")  # noqa: S310 -- http or https
            context = ssl.create_default_context(cafile=channel.ca_file or None)
            opener = urllib.request.build_opener(_NoRedirect, _Handler(context, deadline))
            taken = opener.open(request, timeout=channel.timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                raise ChannelError(f"{where} answered with status {error.code}{_reason(error)}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = "it did not answer in time" if deadline.passed else _why(error)
            raise ChannelError(f"{where} cannot be reached: {why}") from None
        with taken, contextlib.suppress(OSError, http.client.HTTPException):  # whatever else comes
            taken.read(_REASON_BYTES)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "the server"
    except ValueError:
        return "the server"


def _escaped(message: str) -> str:
    for char, escape in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        message = message.replace(char, escape)
    return message[:_SLACK_CHARS]


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        found = error.read(_REASON_BYTES).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException):
        return ""
    return f": {' '.join(found.split())}" if found else ""


def _why(error: Exception) -> str:
    if isinstance(error, http.client.InvalidURL | ValueError):  # its text quotes the URL or a header: secrets
        return "its URL or a header has characters that HTTP does not allow"
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError | socket.timeout):
        return "it did not answer in time"
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__)
