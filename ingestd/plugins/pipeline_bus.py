"""The addresses by which the pipelines of one process send events to each other.

Follows https://www.elastic.co/docs/reference/logstash/pipeline-to-pipeline. An output ``pipeline`` hands over what it
makes of each record of its journal, in order; the input with the address stores that in the journal of its pipeline,
together with the position in the sender's journal. So a sender that was killed and sends again learns what is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ingestd.plugins.interfaces import HandedOver, HandoverSink


class Receiver:
    """What an address stands for: one input ``pipeline``, and the outputs that send to it.

    Attributes:
        address: Its name in configs.
        full: Whether it has refused what came last: its journal has no room, or its disk refuses.
        senders: Outputs that have not sent everything yet.
        opened: Set while the input's pipeline runs.
        ended: Set when nothing more comes.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.senders, self.full = 0, False
        self.opened, self.ended = asyncio.Event(), asyncio.Event()
        self._sink: HandoverSink | None = None

    def attach(self, sink: HandoverSink) -> None:
        """Say where the input puts events; before any pipeline starts."""
        self._sink = sink

    def position_of(self, stream_id: str) -> int:
        """Return the position in a sender's journal up to which the receiver has everything; 0: nothing."""
        return self._sink.position_of(stream_id) if self._sink is not None else 0

    async def take(self, stream_id: str, records: Sequence[HandedOver]) -> None:
        """Return when records are in the receiver's journal, on the disk. Raises OSError: try again."""
        await self.opened.wait()
        sink = self._sink
        assert sink is not None  # noqa: S101 -- else it is not open
        while not sink.take_over(stream_id, records):
            self.full = True
            await sink.wait_until_resumed()
        self.full = False
        await sink.synced()

    def disconnect(self) -> None:
        """Note that one of the senders has sent everything."""
        self.senders -= 1
        if not self.senders:
            self.ended.set()


class PipelineBus:
    """The receivers of one process by their addresses."""

    def __init__(self) -> None:
        self._receivers: dict[str, Receiver] = {}

    def receiver(self, address: str) -> Receiver:
        """Return what an address stands for, whether its input has been built yet or not."""
        return self._receivers.setdefault(address, Receiver(address))
