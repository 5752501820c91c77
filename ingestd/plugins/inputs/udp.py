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

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingestd.event.fields import FieldRef
from ingestd.plugins.codecs._messages import MessagesCodec
from ingestd.plugins.ecs import ecs_option, ecs_select
from ingestd.plugins.inputs._datagram_input import Datagrams, DropCount, check_datagram_options
from ingestd.plugins.inputs._datagrams import MAX_BATCH
from ingestd.plugins.interfaces import Codec, DatagramSocket, Sink, StopMode
from ingestd.plugins.registry import BuildContext, Touch, option, plugin, required
from ingestd.tasks import BackgroundTasks


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the input ``udp``."""

    port: int = required("Port to receive on; 0 takes a free one.")
    host: str = option("0.0.0.0", "Address to receive on.")  # noqa: S104 -- Logstash's default
    buffer_size: int = option(65536, "Bytes of the largest datagram; of larger ones the rest is cut off.")
    receive_buffer_bytes: int = option(
        0, "How much the kernel is asked to keep of what was not read; it limits that to `net.core.rmem_max`. 0: 32 MB."
    )
    queue_size: int = option(2000, f"Most datagrams that are read before they are stored, up to {MAX_BATCH}.")
    workers: int = option(2, "For compatibility with Logstash; one worker process reads a socket.")
    source_ip_fieldname: FieldRef | None = option(
        None, "Field for the sender's address; default: `host`, or with ECS `[host][ip]`."
    )
    ecs_compatibility: str = ecs_option("With `v1` or `v8`, the sender's address is in `[host][ip]`.")


def _touches(options: Options) -> Touch:
    given = options.source_ip_fieldname
    return Touch() if given is None else Touch(reads=frozenset({given.text}), sets=frozenset({given.text}))


class UdpInput:
    """Reads the datagrams of one port."""

    finite = False

    def __init__(self, datagrams: Datagrams, codec: Codec, context: BuildContext) -> None:
        self._datagrams, self.codec = datagrams, codec
        self._tasks = BackgroundTasks(f"input {context.plugin_id}")
        self._ended = asyncio.Event()
        self._sink: Sink | None = None

    @property
    def datagram_sockets(self) -> Sequence[DatagramSocket]:
        """What to open."""
        return self._datagrams.sockets

    async def open(self) -> None:
        """Do nothing: the supervisor opens the socket."""

    async def run(self, sink: Sink) -> None:
        """Read until ``stop``; then read what the kernel holds."""
        self._sink = sink
        watch = self._tasks.start("drops", self._datagrams.watch(), endless=True)
        await self._tasks.until(self._ended.wait())
        self._tasks.cancel(watch)
        await self._tasks.until(self._datagrams.drain())

    def stop(self, mode: StopMode) -> None:
        """Let ``run`` return."""
        self._ended.set()

    def serve_datagrams(self, sock: socket.socket, drops: int, on_drops: Callable[[int], None]) -> None:
        """Read a socket."""
        assert self._sink is not None  # noqa: S101 -- ``run`` runs
        self._datagrams.serve(sock, DropCount(drops, on_drops), self._sink, self._tasks)

    def problems(self) -> list[str]:
        """Return whether the kernel drops datagrams."""
        return self._datagrams.problems()


@plugin("input", "udp", Options, codec="plain", listens=True, touches=_touches)
def build(opts: Options, context: BuildContext) -> UdpInput:
    """Messages from UDP, one in each datagram."""
    check_datagram_options(opts.port, opts.buffer_size, opts.queue_size, opts.receive_buffer_bytes)
    default = FieldRef(ecs_select(opts, disabled="host", ecs="[host][ip]"))
    given = opts.source_ip_fieldname
    codec = MessagesCodec(context.codec, given or default, given=given is not None)
    sockets = [DatagramSocket(opts.host, opts.port, receive_buffer_bytes=opts.receive_buffer_bytes)]
    datagrams = Datagrams(
        sockets, context, max_bytes=opts.buffer_size, max_batch=min(max(opts.queue_size, 1), MAX_BATCH)
    )
    return UdpInput(datagrams, codec, context)
