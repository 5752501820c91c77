"""Names of servers in options. Pure."""

from __future__ import annotations

from ingestd.plugins.registry import OptionError


def check_host(host: str) -> None:
    """Raise OptionError if no server can have this name: looking it up would fail forever, and not as an OSError."""
    try:
        possible = host.encode("idna") and "\0" not in host
    except UnicodeError:  # a part between two dots is empty, or longer than 63 bytes: RFC 1035, section 2.3.4
        possible = False
    if not possible:
        raise OptionError(f"{host!r} is not the name or address of a server", host)
