"""``pipeline``: events of other pipelines of the same daemon.

Follows https://www.elastic.co/docs/reference/logstash/pipeline-to-pipeline.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.plugins.codecs._handed_over import HandedOverCodec
from ingestd.plugins.codecs._json import JsonDecoder
from ingestd.plugins.interfaces import HandoverSink, Sink, StopMode
from ingestd.plugins.pipeline_bus import Receiver
from ingestd.plugins.registry import BuildContext, LegacyOption, plugin, required


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the input ``pipeline``."""

    address: str = required("Address that `pipeline` outputs of other pipelines send to; each address has one input.")


class PipelineInput:
    """Lets outputs of other pipelines put events into the journal of this one; see ``pipeline_bus``."""

    finite = True

    def __init__(self, receiver: Receiver, codec: HandedOverCodec) -> None:
        self._receiver, self.codec = receiver, codec

    @property
    def receive_address(self) -> str:
        """The address."""
        return self._receiver.address

    def attach(self, sink: HandoverSink) -> None:
        """Say where events go."""
        self._receiver.attach(sink)

    async def open(self) -> None:
        """Do nothing."""

    async def run(self, sink: Sink) -> None:
        """Take in events until all senders have sent everything."""
        self._receiver.opened.set()
        if self._receiver.senders:
            await self._receiver.ended.wait()

    def stop(self, mode: StopMode) -> None:
        """Wait no longer for the senders if another process takes over; else they end first, by themselves."""
        if mode == "handover":
            self._receiver.ended.set()


_LEGACY = {"codec": LegacyOption("events arrive as they were sent", silent=True)}


@plugin("input", "pipeline", Options, legacy=_LEGACY)
def build(opts: Options, context: BuildContext) -> PipelineInput:
    """Events that an output `pipeline` of another pipeline sends, with all their fields and `@metadata`."""
    decoder = JsonDecoder(context.fields, "UTF-8", whole=context.whole)
    return PipelineInput(context.bus.receiver(opts.address), HandedOverCodec(decoder))
