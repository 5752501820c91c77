"""``client_address``: find out of whose request an event speaks.

An addition to Logstash's filters. Web servers and frameworks log the address of a visitor in many places: a field, the
list of proxies in ``X-Forwarded-For`` (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For),
the socket that Django's own server adds to its records as text, the begin of an access line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ingestd.event.fields import Event, FieldRef
from ingestd.geoip.address import MAX_CHARS, forwarded, parse_address
from ingestd.plugins.filters._targets import plain_name
from ingestd.plugins.filters._targets import target as checked
from ingestd.plugins.registry import BuildContext, FilterFn, Touch, filter_plugin, option

_access_line = re.compile(r"([0-9A-Fa-f:.]{2,45}) \S+ \S+ \[").match  # 1.2.3.4 - - [22/Nov/2026:10:11:12 +0000]

_PEER = "raddr=('"
_BEGINS = frozenset("<0123456789abcdefABCDEF:[ u")  # of sockets, addresses, and "unknown", which some proxies write
_MOST_PROXIES = 16  # a longer list is an attack
_CACHED = 4096

Seen = tuple[str | None, bool]
"""An address in its usual form, None if a text is none, and whether it is one of the open internet."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``client_address``."""

    source: list[FieldRef] = option(
        [FieldRef("x_forwarded_for"), FieldRef("HTTP_X_FORWARDED_FOR"), FieldRef("request"), FieldRef("message")],
        "Fields to look into, in this order.",
    )
    target: FieldRef = option(FieldRef("client_ip"), "Where the address is stored; a value that is there stays.")


def _touches(options: Options) -> Touch:
    target = options.target.text
    return Touch(reads=frozenset({target, *(ref.text for ref in options.source)}), sets=frozenset({target}))


@filter_plugin("client_address", Options, touches=_touches, failure_tag="_clientaddress_error")
def build(options: Options, context: BuildContext) -> FilterFn:
    """Set the IP address of the client: the first public one in the fields of `source`, else the first one.

    A field may hold an address, a list of them as in `X-Forwarded-For`, an access line that begins with one, or
    the text of a socket (`<socket.socket ... raddr=('1.2.3.4', 36965)>`). Whoever sends `X-Forwarded-For` may write
    anything into it: let a proxy of your own set it, or leave it out of `source`.
    """
    # Most names of fields are plain, and most fields are missing: no call to learn that.
    sources = [(ref.top, ref.get if len(ref.path) > 1 else None) for ref in options.source]
    target, plain = checked(options.target), plain_name(options.target)
    known, read = _reader()

    def client_address(event: Event) -> bool:
        if (event.get(plain) if plain is not None else target.get(event)) is not None:
            return False
        found = None
        for name, get in sources:
            if name not in event:
                continue
            text = event[name] if get is None else get(event)
            if type(text) is not str or (first := text[:1]) not in _BEGINS:
                continue
            if first == "<":
                part = text.rpartition(_PEER)[2].partition("'")[0]  # of no socket: what is no address
                address, public = known[part] if part in known else read(part)
            else:
                address, public = _in_list(text, read)
            if public:
                found = address
                break
            if found is None:
                found = address
        if found is None:
            return False
        if plain is not None:
            event[plain] = found
        else:
            target.set(event, found)
        return True

    return client_address


def _in_list(text: str, read: Callable[[str], Seen]) -> Seen:
    """Return the first public address of an access line or a list, else the first one."""
    if line := _access_line(text):
        return read(line[1])
    found: Seen = (None, False)
    if " " in text and "," not in text:  # a sentence
        return found
    for part in forwarded(text, _MOST_PROXIES):
        seen = read(part)
        if seen[1]:
            return seen
        if found[0] is None:
            found = seen
    return found


def _reader() -> tuple[dict[str, Seen], Callable[[str], Seen]]:
    """Return what reads a text as an address, and the dict in which it remembers the short ones that it has read."""
    known: dict[str, Seen] = {}

    def read(text: str) -> Seen:
        if text in known:
            return known[text]
        address = parse_address(text)
        seen = (None, False) if address is None else (str(address), address.is_global)
        if len(text) <= MAX_CHARS:
            if len(known) >= _CACHED:
                known.clear()
            known[text] = seen
        return seen

    return known, read
