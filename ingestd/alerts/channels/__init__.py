"""Channels: how a notification is sent. Each ``send`` blocks, for about the timeout of its channel at most."""

from __future__ import annotations

import datetime

from ingestd.alerts.config import Channel, ChannelError, PartlyTakenError
from ingestd.alerts.state import Notification

__all__ = ["ChannelError", "PartlyTakenError", "send"]


def send(
    channel: Channel,
    notification: Notification,
    zone: datetime.tzinfo | None,
    page_url: str = "",
    taken: tuple[str, ...] = (),
) -> None:
    """Send a notification.

    Args:
        channel: Where to.
        notification: What.
        zone: Of times in texts for people; None: the machine's.
        page_url: Address of the dashboard, for links.
        taken: Recipients that got it before; they do not get it again.

    Raises:
        PartlyTakenError: Some recipients got it.
        ChannelError: It was not taken: it may be sent again.
    """
    if channel.type == "email":
        from ingestd.alerts.channels.email import send_email  # noqa: PLC0415 -- only what is needed

        send_email(channel, notification, zone, page_url, taken)
    elif channel.type == "command":
        from ingestd.alerts.channels.command import run_command  # noqa: PLC0415

        run_command(channel, notification, page_url)
    else:
        from ingestd.alerts.channels.webhook import post  # noqa: PLC0415

        post(channel, notification, zone, page_url)
