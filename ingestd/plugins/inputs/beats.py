"""``beats``: events of Filebeat and the other Beats, of Elastic Agent, and of other clients of the Lumberjack protocol.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-beats. A window of events is acknowledged
once all of them are in the journal and on the disk. The client sends again what was not acknowledged, after a crash of
this daemon or a network failure. An event that names itself then gets the same id, so that Elasticsearch, OpenSearch
and the built-in store keep it once: one with `[@metadata][_id]`, which Filebeat's processors `add_id` and `fingerprint`
set, and a line of a file with `[agent][id]`, `[log][file]` and `[log][offset]`. Any other event, such as those of
Metricbeat, is delivered twice if the acknowledgement of its window was lost.

The codec is applied to the field `message`. Lines that belong together must be joined by the Beat, with its parser
`multiline`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from dataclasses import dataclass

from ingestd.plugins.ecs import ecs_option, uses_ecs
from ingestd.plugins.inputs._beats_events import BeatsDecoder, Enrichment
from ingestd.plugins.inputs._connection import Connection
from ingestd.plugins.inputs._server import ProtocolError, ServerInput, ServerOptions
from ingestd.plugins.inputs._tls import TLS_LEGACY, tls_warnings
from ingestd.plugins.interfaces import Codec, grouping_of
from ingestd.plugins.registry import BuildContext, ignored, option, plugin, refused
from ingestd.protocols.framing.lumberjack import Decoder, Events, LumberjackError, OversizedEvent, WindowEnd, ack_frame

KEEP_ALIVE_SECONDS = 5.0
"""How often a waiting client gets a keep-alive while its window is processed, as Logstash does; Beats give up after
30 s without an answer."""

_READ_BYTES = 256 << 10
_ROOM_SECONDS = 0.2
"""How often a connection that waits for room looks whether the input is stopping."""

_ENRICHMENTS = ("codec_metadata", "source_metadata", "ssl_peer_metadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ServerOptions):
    """Options of the input ``beats``."""

    idle_timeout: float = option(
        60,
        "Seconds without data after which a connection is closed; 0: never. Beats connect again.",
        name="client_inactivity_timeout",
    )
    include_codec_tag: bool = option(
        True, "Add the tag `beats_input_codec_plain_applied`, with the name of the codec, or `beats_input_raw_event`."
    )
    enrich: list[str] = option(
        ["codec_metadata", "source_metadata"],
        "What is added to events: `codec_metadata`, a tag as with `include_codec_tag`; `source_metadata`, the address "
        "of the client; or `all` or `none`. `ssl_peer_metadata` adds nothing.",
        choices=(*_ENRICHMENTS, "all", "none"),
    )
    add_hostname: bool = option(
        False, "Set `host` to `[beat][hostname]`, which Beats before 7 send, where it is missing."
    )
    ecs_compatibility: str = ecs_option(
        "With `v1` or `v8`, the address of the client is `[@metadata][input][beats][host][ip]`, else "
        "`[@metadata][ip_address]`."
    )

    def enrichment(self) -> Enrichment:
        """Return what is added to events."""
        wanted = _ENRICHMENTS if "all" in self.enrich else self.enrich
        return Enrichment(
            codec_tag=self.include_codec_tag and "codec_metadata" in wanted,
            address="source_metadata" in wanted,
            host_name=self.add_hostname,
            ecs=uses_ecs(self),
        )


_NO_EFFECT = ignored("the setting workers says how many processes serve connections")
_LEGACY = {
    **TLS_LEGACY,
    "executor_threads": _NO_EFFECT,
    "event_loop_threads": _NO_EFFECT,
    "congestion_threshold": ignored("clients that wait for a slow output get keep-alives"),
    "target_field_for_codec": refused("the codec is applied to message"),
    "ssl_peer_metadata": ignored("certificates of clients are checked; what is in them is not added to events"),
    "ssl_handshake_timeout": ignored("a client has 10 seconds for the handshake"),
}


class BeatsInput(ServerInput):
    """Takes windows of events, and acknowledges each when it is on the disk."""

    def __init__(self, opts: Options, context: BuildContext) -> None:
        super().__init__(opts, context, self._converse_with, read_bytes=_READ_BYTES)
        self.codec: Codec = BeatsDecoder(context.codec, context.fields, context.whole, opts.enrichment())
        self._max_event_bytes = context.settings.max_line_bytes
        self._chunk_bytes = context.settings.batch.max_bytes

    async def _converse_with(self, connection: Connection) -> None:
        await _Conversation(connection, self._max_event_bytes, self._chunk_bytes).run()


class _Conversation:
    """Reads the windows of one client, and acknowledges them."""

    def __init__(self, connection: Connection, max_event_bytes: int, chunk_bytes: int) -> None:
        self._connection, self._max_event_bytes, self._chunk_bytes = connection, max_event_bytes, chunk_bytes
        self._decoder = Decoder(max_event_bytes)
        self._documents: list[bytes] = []  # not put yet
        self._size = 0  # of them, as lines
        self._offset = 0  # in the stream, of what is not put yet
        self._ends: list[WindowEnd] = []  # of windows that are not acknowledged yet
        self._last_activity = 0.0  # on the loop's clock: when anything was last received from the client or sent to it

    async def run(self) -> None:
        """Return at the end of the connection; what came of a window is kept.

        Raises:
            ProtocolError: What came is not Lumberjack; windows before are acknowledged.
        """
        while data := await self._read():
            self._last_activity, error = asyncio.get_running_loop().time(), None
            try:
                await self._take(data)
            except LumberjackError as reason:
                error = ProtocolError(str(reason))
            if self._ends or error is not None or not self._connection.reader.has_more:
                await self._put()
            await self._acknowledge()
            if error is not None:
                raise error

    async def _read(self) -> bytes:
        """Return what has arrived; empty at the end.

        A window is read although the sink has no room for it: only then can the client get keep-alives.
        """
        if self._decoder.waits_for_window and not await self._connection.more(paused=True):
            return b""
        return await self._connection.read(idle=False)

    async def _take(self, data: bytes) -> None:
        for item in self._decoder.feed(data):
            if isinstance(item, Events):
                self._documents += item.documents
                self._size += sum(map(len, item.documents)) + len(item.documents)
                if self._size >= self._chunk_bytes:
                    await self._put()
            elif isinstance(item, OversizedEvent):
                await self._put()
                await self._reject(item)
            else:
                self._ends.append(item)

    async def _put(self) -> None:
        """Put events as lines: a line feed inside of a document can only be between its tokens."""
        if not self._documents:
            return
        documents, size = self._documents, self._size
        data = b"\n".join(documents) + b"\n"
        if data.count(b"\n") != len(documents):
            data = b"\n".join([document.replace(b"\n", b" ") for document in documents]) + b"\n"
        sink, stream = self._connection.sink, self._connection.stream
        while not sink.put(data, stream, self._offset):
            await self._wait_for_room()
        self._documents, self._size, self._offset = [], 0, self._offset + size

    async def _reject(self, event: OversizedEvent) -> None:
        sink, stream = self._connection.sink, self._connection.stream
        reason = f"the event is longer than max_line_bytes: {event.size} of {self._max_event_bytes} bytes allowed"
        end = self._offset + event.size + 1
        while not sink.reject(event.excerpt, reason, stream, self._offset, end, size=event.size):
            await self._wait_for_room()
        self._offset = end

    async def _acknowledge(self) -> None:
        """Acknowledge the windows that have ended, after one sync for all of them."""
        if not self._ends:
            return
        ends, self._ends = self._ends, []
        await self._wait(self._connection.sink.synced())
        await self._connection.send(b"".join([ack_frame(end.sequence, end.version) for end in ends]))

    async def _wait_for_room(self) -> None:
        """Wait until the sink has room.

        Raises:
            ConnectionAbortedError: The input stops meanwhile; the client sends again what is not acknowledged.
        """
        while self._connection.sink.paused:
            if self._connection.stopping:
                raise ConnectionAbortedError("the input stops")
            with contextlib.suppress(TimeoutError):
                await self._wait(asyncio.wait_for(self._connection.sink.wait_until_resumed(), _ROOM_SECONDS))

    async def _wait(self, awaitable: Awaitable[None]) -> None:
        """Wait, and let the client know from time to time that it has to.

        Clients of version 1 take any acknowledgement for that of the window, so they get none.
        """
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(awaitable)
        try:
            while not task.done():
                await asyncio.wait([task], timeout=max(self._last_activity + KEEP_ALIVE_SECONDS - loop.time(), 0))
                if not task.done() and self._decoder.version == 2:
                    self._last_activity = loop.time()
                    await self._connection.send(ack_frame(0))
            task.result()
        finally:
            task.cancel()


@plugin("input", "beats", Options, codec="plain", listens=True, legacy=_LEGACY, option_warnings=tls_warnings)
def build(opts: Options, context: BuildContext) -> BeatsInput:
    """Events of Beats, acknowledged when they are on the disk."""
    if context.codec is not None and grouping_of(context.codec) is not None:
        raise ValueError(
            "events arrive complete, so this codec cannot be used: let Filebeat join lines (parsers: multiline)"
        )
    return BeatsInput(opts, context)
