"""What goes wrong with a channel."""


class ChannelError(Exception):
    """A notification was not taken; the text is one sentence without secrets."""
