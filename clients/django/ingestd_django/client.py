"""The address of a request's client, the same in access records and in Django's own."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Union

Networks = Sequence[Union[ipaddress.IPv4Network, ipaddress.IPv6Network]]


def client_of(request: Any) -> str:
    """Return the address of the client of a request; empty if it has none, or is not a request of Django's."""
    meta = getattr(request, "META", None)
    if not isinstance(meta, Mapping):
        return ""
    from django.conf import settings  # noqa: PLC0415 -- logging is set up before settings can be read

    options = getattr(settings, "INGESTD_ACCESS_LOG", {})
    return client_address(meta, networks(tuple(options.get("TRUSTED_PROXIES", ()))))


@lru_cache
def networks(proxies: tuple[str, ...]) -> Networks:
    """Return the networks of the setting ``TRUSTED_PROXIES``.

    Raises:
        ValueError: One of them is neither an address nor a network.
    """
    return [ipaddress.ip_network(text, strict=False) for text in proxies]


def client_address(meta: Mapping[str, Any], proxies: Networks) -> str:
    """Return the address of the client: the last one in the chain that is not a proxy of ours.

    Args:
        meta: ``request.META``.
        proxies: Those that are trusted to write ``X-Forwarded-For``.
    """
    address: str = meta.get("REMOTE_ADDR") or ""
    forwarded = meta.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while forwarded and (not address or _is_proxy(address, proxies)):
        if not (before := forwarded.pop().strip().strip("[]")):
            break
        try:
            address = str(ipaddress.ip_address(before))
        except ValueError:  # a port, or made up
            break
    return address


def _is_proxy(address: str, proxies: Networks) -> bool:
    try:
        return any(ipaddress.ip_address(address) in network for network in proxies)
    except ValueError:  # a Unix socket has none
        return True
