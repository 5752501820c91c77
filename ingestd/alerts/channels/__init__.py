"""Channels: how a notification is sent. Each ``send`` blocks, for about the timeout of its channel at most."""

from __future__ import annotations

import datetime

from ingestd.alerts.config import AlertChannel, ChannelError, RecipientsError
from ingestd.alerts.state import Notification

__all__ = ["ChannelError", "RecipientsError", "send"]


def send(
    channel: AlertChannel,
    notification: Notification,
    zone: datetime.tzinfo | None,
    page_url: str = "",
    left_out: tuple[str, ...] = (),
) -> None:
    """Send a notification.

    Args:
        channel: Where to.
        notification: What.
        zone: Of times in texts for people; None: the machine's.
        page_url: Address of the dashboard, for links.
        left_out: Recipients that it is not sent to: they got it before, or have refused it for good.

    Raises:
        RecipientsError: Some recipients, or all of them, were refused.
        ChannelError: It was not taken: it may be sent again.
    """
    if channel.type == "email":
        from ingestd.alerts.channels.email import send_email  # noqa: PLC0415 -- only what is needed

        send_email(channel, notification, zone, page_url, left_out)
    elif channel.type == "command":
        from ingestd.alerts.channels.command import run_command  # noqa: PLC0415

        run_command(channel, notification, page_url)
    else:
        from ingestd.alerts.channels.webhook import post  # noqa: PLC0415

        post(channel, notification, zone, page_url)
