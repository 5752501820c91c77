"""``client_address``: find the client whose request an event is about.

Not in Logstash. Web servers and frameworks log the address of a client in many places: a field, the list of
proxies in ``X-Forwarded-For`` (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For),
the socket that Django's development server adds to its records as text, or the start of an access log line.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT, Column, Rows, Table, is_absent
from ingestd.plugins.filters._addresses import ParsedAddress, address_reader, first_address
from ingestd.plugins.filters._targets import target as checked
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option

_PEER = "raddr=("
_NOTHING: ParsedAddress = (None, False)
_FIRST_CHARS = frozenset("<0123456789abcdefABCDEF:[ u")  # of sockets, addresses, and "unknown" (some proxies)


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``client_address``."""

    source: list[FieldRef] = option(
        [FieldRef("x_forwarded_for"), FieldRef("HTTP_X_FORWARDED_FOR"), FieldRef("request"), FieldRef("message")],
        "Fields to search, in this order.",
    )
    target: FieldRef = option(FieldRef("client_ip"), "Field for the address; an existing value is kept.")


def _touches(options: Options) -> Touch:
    target = options.target.text
    return Touch(reads=frozenset({target, *(ref.text for ref in options.source)}), sets=frozenset({target}))


@filter_plugin("client_address", Options, touches=_touches, failure_tag="_clientaddress_error", columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Set the IP address of the client: the first public one in the fields of `source`, else the first one.

    A field may contain an address, a list of them as in `X-Forwarded-For`, an access log line that starts with one, or
    the text of a socket (`<socket.socket ... raddr=('1.2.3.4', 36965)>`). Clients can forge `X-Forwarded-For`: have
    your own proxy set it, or remove it from `source`.
    """
    sources, target = options.source, checked(options.target)
    known, read = address_reader()

    def of_socket(text: str) -> ParsedAddress:
        parts = text.rsplit("'", 2)
        if len(parts) < 3 or not parts[0].endswith(_PEER):
            return _NOTHING
        return known.get(parts[1]) or read(parts[1])

    def addresses(texts: Column) -> list[ParsedAddress]:
        return [
            _NOTHING
            if type(text) is not str or (first := text[:1]) not in _FIRST_CHARS
            else of_socket(text)
            if first == "<"
            else first_address(text, read)
            for text in texts
        ]

    def client_address(table: Table, rows: Rows, received_ns: int) -> Rows:
        existing = table.values(target)
        if not is_absent(existing):
            rows = [row for row in rows if existing[row] is ABSENT or existing[row] is None]
        found = [_NOTHING] * len(rows)
        for column in (column for ref in sources if not is_absent(column := table.values(ref))):
            texts = table.pick(column, rows)
            if found.count(_NOTHING) == len(found):
                found = addresses(texts)
            else:
                rest = [None if public else text for (_, public), text in zip(found, texts, strict=True)]
                found = _better(found, addresses(rest))
        passed = [row for row, (address, _) in zip(rows, found, strict=True) if address is not None]
        put = table.setter(target)
        for row, address in zip(passed, [address for address, _ in found if address is not None], strict=True):
            put(row, address)
        return passed

    return client_address


def _better(first: list[ParsedAddress], second: list[ParsedAddress]) -> list[ParsedAddress]:
    """Return the addresses of n events that have two each: the second only if it is public, or there is no first."""
    if second.count(_NOTHING) == len(second):
        return first
    return [new if old[0] is None or new[1] else old for old, new in zip(first, second, strict=True)]
