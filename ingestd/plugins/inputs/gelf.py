"""``gelf``: records in the Graylog Extended Log Format, over UDP and TCP.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-gelf. A record is JSON; over UDP it may be
compressed with gzip or zlib, and come in up to 128 chunks. Over TCP a NUL ends it. `timestamp` becomes the time of the
event, the sender's address is in `source_host`, `host` is the name that the sender gives itself.

UDP: as with the input `udp`; a message that still lacks chunks after five seconds becomes a dead letter. TCP: nothing
is lost if a process is killed, as with the input `tcp`; with TLS (`ssl_enabled`), the last records of each client are
lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ingestd.event.fields import FieldRef
from ingestd.plugins.codecs._gelf import GelfCodec
from ingestd.plugins.codecs._messages import MessagesCodec
from ingestd.plugins.inputs._datagram_input import Datagrams, DatagramServer, check_datagram_options
from ingestd.plugins.inputs._gelf_datagrams import GelfDatagrams
from ingestd.plugins.inputs._message_server import ConnectionsInput, message_connections, message_server
from ingestd.plugins.inputs._server import ServerOptions
from ingestd.plugins.inputs._tcp_recognition import FRAMINGS
from ingestd.plugins.inputs._tls import TLS_LEGACY, tls_warnings
from ingestd.plugins.interfaces import DatagramSocket, Input
from ingestd.plugins.registry import BuildContext, option, plugin
from ingestd.protocols.framing.senders import Sender

_SENDER = FieldRef("source_host")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ServerOptions):
    """Options of the input ``gelf``."""

    port: int = option(12201, "Port to receive on; 0 takes a free one.")
    port_udp: int | None = option(None, "Port for UDP; default: `port`.")
    port_tcp: int | None = option(None, "Port for TCP; default: `port`.")
    use_udp: bool = option(True, "Receive over UDP.")
    use_tcp: bool = option(False, "Receive over TCP.")
    remap: bool = option(True, "Make `full_message`, or else `short_message`, the `message`.")
    strip_leading_underscore: bool = option(True, "Fields that the sender has added lose the underscore: `_a` is `a`.")
    receive_buffer_bytes: int = option(0, "UDP: as for the input `udp`.")
    tcp_keep_alive: bool = option(False, "TCP: ask the system to probe idle connections. Not in Logstash.")


def _connections(opts: Options, context: BuildContext, codec: MessagesCodec) -> ConnectionsInput:
    opts = replace(opts, port=opts.port if opts.port_tcp is None else opts.port_tcp)
    context = replace(context, codec=codec)
    return message_connections(opts, context, FRAMINGS, frozenset({Sender.GELF}), keep_alive=opts.tcp_keep_alive)


@plugin("input", "gelf", Options, codec="json", listens=True, legacy=TLS_LEGACY, option_warnings=tls_warnings)
def build(opts: Options, context: BuildContext) -> Input:
    """Records of GELF over UDP, compressed and in chunks, and over TCP."""
    port = opts.port if opts.port_udp is None else opts.port_udp
    check_datagram_options(port, receive_buffer_bytes=opts.receive_buffer_bytes)
    codec = MessagesCodec(GelfCodec(opts.remap, opts.strip_leading_underscore), _SENDER)
    datagrams = None
    if opts.use_udp:
        sockets = [DatagramSocket(opts.host, port, receive_buffer_bytes=opts.receive_buffer_bytes)]
        max_bytes = context.settings.max_line_bytes
        datagrams = DatagramServer(
            Datagrams(sockets, context), codec, context, lambda sink: GelfDatagrams(sink, max_bytes)
        )
    return message_server(_connections(opts, context, codec) if opts.use_tcp else None, datagrams, codec)
