"""``client_address``: find the client whose request an event is about.

Not in Logstash. Web servers and frameworks log the address of a client in many places: a field, the list of
proxies in ``X-Forwarded-For`` (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For),
the socket that Django's development server adds to its records as text, or the start of an access log line.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT, Rows, Table
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

    def find(text: str, first: str) -> ParsedAddress:
        if first != "<":
            return first_address(text, read)
        before, *part = text.rsplit("'", 2)
        if not part or not before.endswith(_PEER):
            return None, False
        return known[part[0]] if part[0] in known else read(part[0])

    def client_address(table: Table, rows: Rows, received_ns: int) -> Rows:
        columns = [column for ref in sources if (column := table.values(ref)).count(ABSENT) < len(column)]
        there, put, passed = table.values(target), table.setter(target), []
        for row in rows:
            if there[row] is not ABSENT and there[row] is not None:
                continue
            found = None
            for column in columns:
                text = column[row]
                if type(text) is not str or (first := text[:1]) not in _FIRST_CHARS:
                    continue
                address, public = find(text, first)
                if public or found is None:
                    found = address
                if public:
                    break
            if found is None:
                continue
            put(row, found)
            passed.append(row)
        return passed

    return client_address
