"""``udp``: events as datagrams.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-outputs-udp. Datagrams are not acknowledged: one
counts as delivered when this machine has sent it, and is lost if the network or a full buffer of the server drops it.
Unlike in Logstash, events wait while they cannot be sent at all: without a route, with a name that cannot be resolved,
and, unless `port` holds a field, while the server's machine answers that nothing listens there, as it does while the
server restarts. Then the last events, up to 256 KiB, are sent again, so some may come twice. An event that is too long
for a datagram (65,507 bytes), or whose `port` is not a port number, becomes a dead letter. Where nothing may be lost,
use `tcp`, `http` or `kafka`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ingestd.event.batch import Batch
from ingestd.event.index_name import namer
from ingestd.event.sprintf import Template
from ingestd.event.tally import Tally
from ingestd.plugins.interfaces import Prepared, Rejection
from ingestd.plugins.outputs._hosts import check_host
from ingestd.plugins.outputs._messages import messages
from ingestd.plugins.outputs._udp_sender import Datagram, UdpSender, port_numbers
from ingestd.plugins.registry import BuildContext, OptionError, Touch, ignored, option, plugin, required


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of the output ``udp``."""

    host: str = required("The server's name or address.")
    port: Template = required("Its port; may hold %{field}.")
    retry_backoff_ms: int = option(100, "Milliseconds between two attempts to send what cannot be sent.")


def touches(opts: Options) -> Touch:
    """Return the fields that the port is made of."""
    return Touch(reads=opts.port.reads)


class UdpOutput:
    """Sends each event as a datagram. ``texts`` makes them."""

    concurrency = 1
    batch_bytes = 1 << 18

    def __init__(self, port: Template, texts: Callable[[Batch], list[bytes]], sender: UdpSender) -> None:
        self._ports, self._texts, self._sender = namer(port), texts, sender

    async def open(self) -> None:
        """Do nothing: sockets are opened when they are needed."""

    def prepare(self, batch: Batch) -> Prepared[list[Datagram]]:
        """Return the datagrams, and the events that have no port."""
        ports, texts, ids = self._ports(batch), self._texts(batch), [*batch.ids()]
        numbers = port_numbers(ports)
        events = [*zip(ports, texts, ids, strict=True)]
        datagrams = [Datagram(numbers[port], text, event_id) for port, text, event_id in events if port in numbers]
        rejected = [
            Rejection(f"{port} is not a port", text, event_id) for port, text, event_id in events if port not in numbers
        ]
        return Prepared(datagrams, sum(len(datagram.data) for datagram in datagrams), rejected)

    async def deliver(self, payloads: Sequence[Sequence[Datagram]]) -> list[Tally]:
        """Send all datagrams; waits as long as they cannot be sent."""
        dead = await self._sender.send([datagram for payload in payloads for datagram in payload])
        tallies, start = [], 0
        for payload in payloads:
            lost = sum(start <= position < start + len(payload) for position in dead)
            tallies.append(Tally(delivered=len(payload) - lost, dead=lost))
            start += len(payload)
        return tallies

    def retry_reason(self) -> str:
        """Return why nothing can be sent; see ``WithRetries``."""
        return self._sender.retry_reason

    async def close(self) -> None:
        """Close the sockets."""
        self._sender.close()


_LEGACY = {"retry_count": ignored("a datagram that cannot be sent is sent again until it can")}


@plugin("output", "udp", Options, codec="json", touches=touches, legacy=_LEGACY)
def build(opts: Options, context: BuildContext) -> UdpOutput:
    """A server that receives datagrams; what the network loses is lost."""
    check_host(opts.host)
    if opts.port.static is not None and not port_numbers([opts.port.static]):
        raise OptionError(f"{opts.port.text} is not a port", opts.port.text)
    if opts.retry_backoff_ms < 0:
        raise OptionError("retry_backoff_ms is 0 or more", str(opts.retry_backoff_ms))
    pause_s, waits = opts.retry_backoff_ms / 1000, opts.port.static is not None
    sender = UdpSender(opts.host, pause_s, context.plugin_id, context.dead_letters, waits=waits)
    return UdpOutput(opts.port, partial(messages, context.codec), sender)
