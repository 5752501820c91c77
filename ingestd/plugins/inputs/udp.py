"""``udp``: each datagram is a message.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-udp. Messages of text get the sender's
address in `host`, with ECS in `[host][ip]`; JSON records only if the config reads it and they lack it, or if
`source_ip_fieldname` is given.

UDP does not say whether anything arrived, so how much is lost depends on this side alone. The supervisor owns the
socket: what arrives while a worker is killed, reloaded or upgraded waits in the kernel for the next one. A worker that
is killed loses what it has read and not written to the journal yet, 512 datagrams at most and usually none. What the
kernel has no room for is counted (`ingestd_dropped_datagrams_total`, `/health`): raise `net.core.rmem_max`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.fields import FieldRef
from ingestd.plugins.codecs._messages import MessagesCodec
from ingestd.plugins.ecs import ecs_option, ecs_select
from ingestd.plugins.inputs._datagram_input import Datagrams, DatagramServer, check_datagram_options
from ingestd.plugins.inputs._datagrams import MAX_BATCH
from ingestd.plugins.interfaces import DatagramSocket
from ingestd.plugins.registry import BuildContext, Touch, option, plugin, required


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the input ``udp``."""

    port: int = required("Port to receive on; 0 takes a free one.")
    host: str = option("0.0.0.0", "Address to receive on.")  # noqa: S104 -- Logstash's default
    buffer_size: int = option(65536, "Maximum size of a datagram in bytes; larger ones are cut off.")
    receive_buffer_bytes: int = option(
        0,
        "Size of the socket's receive buffer to ask the kernel for, which limits it to `net.core.rmem_max`. 0: 32 MB.",
    )
    queue_size: int = option(2000, f"Maximum number of datagrams to read before they are stored, up to {MAX_BATCH}.")
    workers: int = option(2, "For compatibility with Logstash; one worker process reads a socket.")
    source_ip_fieldname: FieldRef | None = option(
        None, "Field for the sender's address; default: `host`, or with ECS `[host][ip]`."
    )
    ecs_compatibility: str = ecs_option("With `v1` or `v8`, the sender's address is in `[host][ip]`.")


def _touches(options: Options) -> Touch:
    given = options.source_ip_fieldname
    return Touch() if given is None else Touch(reads=frozenset({given.text}), sets=frozenset({given.text}))


@plugin("input", "udp", Options, codec="plain", listens=True, touches=_touches)
def build(opts: Options, context: BuildContext) -> DatagramServer:
    """Messages from UDP, one in each datagram."""
    check_datagram_options(opts.port, opts.buffer_size, opts.queue_size, opts.receive_buffer_bytes)
    default = FieldRef(ecs_select(opts, disabled="host", ecs="[host][ip]"))
    given = opts.source_ip_fieldname
    codec = MessagesCodec(context.codec, given or default, given=given is not None)
    sockets = [DatagramSocket(opts.host, opts.port, receive_buffer_bytes=opts.receive_buffer_bytes)]
    datagrams = Datagrams(
        sockets, context, max_bytes=opts.buffer_size, max_batch=min(max(opts.queue_size, 1), MAX_BATCH)
    )
    return DatagramServer(datagrams, codec, context)
