"""``client_address``: find the client whose request an event is about.

Not in Logstash. Web servers and frameworks log the address of a client in many places: a field, the list of
proxies in ``X-Forwarded-For`` (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For),
the socket that Django's development server adds to its records as text, or the start of an access log line.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.fields import Event, FieldRef
from ingestd.plugins.filters._addresses import address_reader, first_address
from ingestd.plugins.filters._targets import plain_name
from ingestd.plugins.filters._targets import target as checked
from ingestd.plugins.registry import BuildContext, FilterFn, Touch, filter_plugin, option

_PEER = "raddr=('"
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


@filter_plugin("client_address", Options, touches=_touches, failure_tag="_clientaddress_error")
def build(options: Options, context: BuildContext) -> FilterFn:
    """Set the IP address of the client: the first public one in the fields of `source`, else the first one.

    A field may contain an address, a list of them as in `X-Forwarded-For`, an access log line that starts with one, or
    the text of a socket (`<socket.socket ... raddr=('1.2.3.4', 36965)>`). Clients can forge `X-Forwarded-For`: have
    your own proxy set it, or remove it from `source`.
    """
    # Most field names are plain, and most fields are missing: avoid a call to check that.
    sources = [(ref.top, ref.get if len(ref.path) > 1 else None) for ref in options.source]
    target, plain = checked(options.target), plain_name(options.target)
    known, read = address_reader()

    def client_address(event: Event) -> bool:
        if (event.get(plain) if plain is not None else target.get(event)) is not None:
            return False
        found = None
        for name, get in sources:
            if name not in event:
                continue
            text = event[name] if get is None else get(event)
            if type(text) is not str or (first := text[:1]) not in _FIRST_CHARS:
                continue
            if first == "<":
                part = text.rpartition(_PEER)[2].partition("'")[0]  # without a socket, this is not an address
                address, public = known[part] if part in known else read(part)
            else:
                address, public = first_address(text, read)
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
