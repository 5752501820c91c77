"""``client_address``: find the client whose request an event is about.

Not in Logstash. Web servers and frameworks log the address of a client in many places: a field, the list of
proxies in ``X-Forwarded-For`` (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For),
the socket that Django's development server adds to its records as text, or the start of an access log line.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT, Rows, Table, is_absent
from ingestd.plugins.filters._addresses import ParsedAddress, address_reader, first_address
from ingestd.plugins.filters._targets import target as checked
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option

_PEER = "raddr=("
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

    def find(text: str) -> ParsedAddress:
        if text[:1] != "<":
            return first_address(text, read)
        parts = text.rsplit("'", 2)
        if len(parts) < 3 or not parts[0].endswith(_PEER):
            return None, False
        return known.get(parts[1]) or read(parts[1])

    def client_address(table: Table, rows: Rows, received_ns: int) -> Rows:
        there = table.values(target)
        if not is_absent(there):
            rows = [row for row in rows if there[row] is ABSENT or there[row] is None]
        found: dict[int, str] = {}
        left = rows
        for column in (column for ref in sources if not is_absent(column := table.values(ref))):
            searched, left = left, []
            for row in searched:
                text = column[row]
                if type(text) is str and text[:1] in _FIRST_CHARS:
                    address, public = find(text)
                    if public:
                        found[row] = address  # type: ignore[assignment]  # it is one
                        continue
                    if address is not None and row not in found:
                        found[row] = address
                left.append(row)
        put = table.setter(target)
        passed = [row for row in rows if row in found]
        for row in passed:
            put(row, found[row])
        return passed

    return client_address
