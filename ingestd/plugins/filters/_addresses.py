"""Find IP addresses in fields, with a cache: most requests of a minute come from few clients."""

from __future__ import annotations

import re
from collections.abc import Callable

from ingestd.geoip.address import MAX_CHARS, forwarded, parse_address

_access_line = re.compile(r"([0-9A-Fa-f:.]{2,45}) \S+ \S+ \[").match  # 1.2.3.4 - - [22/Nov/2026:10:11:12 +0000]

_MAX_PROXIES = 16  # a longer list is an attack
_CACHE_SIZE = 4096

ParsedAddress = tuple[str | None, bool]
"""An address in its canonical form, None if the text is not one, and whether it is public."""


def first_address(text: str, read: Callable[[str], ParsedAddress]) -> ParsedAddress:
    """Return the first public address of an access log line or a list, else the first address."""
    if line := _access_line(text):
        return read(line[1])
    first: ParsedAddress = (None, False)
    if " " in text and "," not in text:  # a sentence
        return first
    for part in forwarded(text, _MAX_PROXIES):
        parsed = read(part)
        if parsed[1]:
            return parsed
        if first[0] is None:
            first = parsed
    return first


def address_reader() -> tuple[dict[str, ParsedAddress], Callable[[str], ParsedAddress]]:
    """Return a function that parses an address, and the dict in which it caches short texts."""
    known: dict[str, ParsedAddress] = {}

    def read(text: str) -> ParsedAddress:
        if text in known:
            return known[text]
        address = parse_address(text)
        parsed = (None, False) if address is None else (str(address), address.is_global)
        if len(text) <= MAX_CHARS:
            if len(known) >= _CACHE_SIZE:
                known.clear()
            known[text] = parsed
        return parsed

    return known, read
