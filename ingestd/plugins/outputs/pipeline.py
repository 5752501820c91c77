"""``pipeline``: events for other pipelines of the same daemon.

Follows https://www.elastic.co/docs/reference/logstash/pipeline-to-pipeline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ingestd.event.batch import Batch
from ingestd.event.event_id import handed_over_suffix
from ingestd.event.tally import Tally
from ingestd.plugins.codecs._handed_over import METADATA, encode_handed_over
from ingestd.plugins.interfaces import HandedOver, Prepared
from ingestd.plugins.pipeline_bus import Receiver
from ingestd.plugins.registry import BuildContext, OptionError, Touch, option, plugin, required


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the output ``pipeline``."""

    send_to: list[str] = required("Addresses of the `pipeline` inputs that get a copy of every event.")
    ensure_delivery: bool = option(
        True,
        "For compatibility with Logstash. Events are never discarded: the pipelines of a process start and end"
        " together, and events wait in the journal of the sender while a receiver accepts nothing.",
    )


@dataclass(slots=True)
class AddressedLines:
    """Events as lines for each address, and where in the journal they come from: the position after their record."""

    lines: Mapping[str, bytes]
    events: int
    end: int = 0


class PipelineOutput:
    """Puts events into the journals of the pipelines that read its addresses.

    Args:
        receivers: One for each address.
        name: Of this output among all outputs of the process: part of the ids of the events.
    """

    concurrency = 1
    batch_bytes = 1 << 20

    def __init__(self, receivers: Sequence[Receiver], name: str) -> None:
        self._receivers, self._stream_id = receivers, ""
        self._suffixes = {receiver.address: handed_over_suffix(f"{name}\0{receiver.address}") for receiver in receivers}
        for receiver in receivers:
            receiver.senders += 1

    @property
    def addresses(self) -> list[str]:
        """The addresses."""
        return [*self._suffixes]

    async def open(self) -> None:
        """Do nothing."""

    def resume(self, stream_id: str) -> Iterable[int]:
        """Return for each receiver up to which position of the journal it has everything."""
        self._stream_id = stream_id
        return [receiver.position_of(stream_id) for receiver in self._receivers]

    def prepare(self, batch: Batch) -> Prepared[AddressedLines]:
        """Return the events as lines."""
        lines = {address: encode_handed_over(batch, suffix) for address, suffix in self._suffixes.items()}
        return Prepared(AddressedLines(lines, len(batch)), sum(map(len, lines.values())))

    async def deliver(self, payloads: Sequence[AddressedLines]) -> Sequence[Tally]:
        """Return when all receivers have the events in their journals, on the disk.

        Raises:
            ValueError: Where they come from is not known: a receiver could not tell whether it has them.
        """
        if not all(payload.end for payload in payloads):
            raise ValueError("events without their place in the journal cannot be handed over")
        records = [(end, [*group]) for end, group in groupby(payloads, key=lambda payload: payload.end)]
        for receiver in self._receivers:
            handed_over = [_joined(end, group, receiver.address) for end, group in records]
            await receiver.take(self._stream_id, handed_over)
        return [_tally(payload) for payload in payloads]

    def retry_reason(self) -> str:
        """Return which addresses take in nothing now."""
        full = [receiver.address for receiver in self._receivers if receiver.full]
        return f"the pipeline that reads the address {full[0]!r} accepts nothing" if full else ""

    async def close(self) -> None:
        """Let the receivers end."""
        for receiver in self._receivers:
            receiver.disconnect()


def _joined(end: int, payloads: Sequence[AddressedLines], address: str) -> HandedOver:
    return HandedOver(
        end, b"".join([payload.lines[address] for payload in payloads]), sum([payload.events for payload in payloads])
    )


def _tally(payload: AddressedLines) -> Tally:
    tally = Tally(delivered=payload.events)
    tally.indices.update(dict.fromkeys(payload.lines, payload.events))
    return tally


def _touches(opts: Options) -> Touch:
    return Touch(reads=frozenset({METADATA}))


@plugin("output", "pipeline", Options, touches=_touches)
def build(opts: Options, context: BuildContext) -> PipelineOutput:
    """Other pipelines of the same daemon: their inputs `pipeline` get each event once, with `@metadata`."""
    if not opts.send_to:
        raise OptionError("send_to names no address", hint='send_to => ["ADDRESS"]')
    receivers = [context.bus.receiver(address) for address in dict.fromkeys(opts.send_to)]
    return PipelineOutput(receivers, f"{context.pipeline_id}\0{context.plugin_id}")
