"""A running pipeline: chunks in from the inputs, through codec and filters, out to the deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ingestd import metrics
from ingestd.compiler.bound import Step
from ingestd.compiler.pipeline import BuiltInput, Pipeline
from ingestd.event.fields import Event
from ingestd.event.record import Batch, Record
from ingestd.logs import get_logger
from ingestd.plugins.interfaces import Chunk, Origin
from ingestd.plugins.registry import DeadLetters
from ingestd.runtime.delivery import Delivery
from ingestd.runtime.flow import Flow
from ingestd.settings import Settings

log = get_logger(__name__)


@dataclass(slots=True)
class _Share:
    """A chunk's weight in the flow, given back when the last output has delivered its part."""

    flow: Flow
    size: int
    events: int
    pending: int

    def done(self) -> None:
        """Count one part as delivered."""
        self.pending -= 1
        if not self.pending:
            self.flow.remove(self.size, self.events)


class RunningPipeline:
    """Runs one compiled pipeline until its inputs end or ``stop`` is called."""

    def __init__(self, name: str, pipeline: Pipeline, settings: Settings, dead_letters: DeadLetters) -> None:
        self.name = name
        self.flow = Flow(settings.queue_bytes)
        self.pipeline = pipeline
        self._touched = pipeline.touched
        self._dead_letters = dead_letters
        delay = settings.batch.max_delay
        self._routes = [[Delivery(output, name, delay) for output in route] for route in pipeline.routes]
        self.sinks = [_Sink(self, built) for built in pipeline.inputs]
        self._inputs: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open outputs, then inputs, and begin.

        Raises:
            OSError: An input or output cannot be opened; the sentence says which and why.
        """
        for delivery in self.deliveries:
            await delivery.start()
        for sink in self.sinks:
            await sink.built.input.open()
        self._inputs = [asyncio.create_task(sink.built.input.run(sink)) for sink in self.sinks]

    @property
    def deliveries(self) -> list[Delivery]:
        """All deliveries of all routes."""
        return [delivery for route in self._routes for delivery in route]

    @property
    def finite(self) -> bool:
        """Whether every input ends by itself."""
        return all(sink.built.input.finite for sink in self.sinks)

    async def inputs_ended(self) -> None:
        """Return when every input has ended; raises what an input raised."""
        await asyncio.gather(*self._inputs)

    def stop(self) -> None:
        """Ask the inputs to end."""
        for sink in self.sinks:
            sink.built.input.stop()

    async def drain(self) -> None:
        """Wait for the inputs, then deliver everything."""
        await self.inputs_ended()
        await asyncio.gather(*(delivery.close() for delivery in self.deliveries))

    def cancel(self) -> None:
        """Give up what is under way."""
        for task in self._inputs:
            task.cancel()
        for delivery in self.deliveries:
            delivery.cancel()

    def process(self, chunk: Chunk, built: BuiltInput) -> None:
        """Decode and filter one chunk and queue what comes out."""
        decoded = built.codec.decode(chunk)
        count = len(decoded.events)
        input_id = built.step.plugin_id
        metrics.EVENTS_RECEIVED.add(count, self.name, input_id)
        metrics.BYTES_RECEIVED.add(len(chunk.data), self.name, input_id)
        metrics.BATCH_EVENTS.observe(count, self.name)
        if count:
            self._deliver(self.pipeline.process(decoded, built.decorate), chunk, count)

    def _deliver(self, routes: list[list[Record]], chunk: Chunk, count: int) -> None:
        filtered = count - self._count_dropped()
        metrics.EVENTS_FILTERED.add(filtered, self.name)
        targets = [(records, route) for records, route in zip(routes, self._routes, strict=True) if records and route]
        if not targets:
            return
        share = _Share(self.flow, len(chunk.data), count, sum(len(route) for _, route in targets))
        self.flow.add(share.size, share.events)
        for records, route in targets:
            batch = Batch(records, chunk.origin.id, self._touched)
            for delivery in route:
                delivery.put(batch, share.size, share.done)

    def _count_dropped(self) -> int:
        dropped = self.pipeline.dropped
        total = 0
        if dropped:
            for name, number in dropped.items():
                metrics.EVENTS_DROPPED.add(number, self.name, name)
                total += number
            dropped.clear()
        return total

    def reject(self, raw: bytes, reason: str, origin: Origin, built: BuiltInput) -> None:
        """Keep bytes that are no frame as a dead letter."""
        metrics.EVENTS_RECEIVED.add(1, self.name, built.step.plugin_id)
        self._dead_letters.add(
            stage="framing", reason=reason, raw=raw, origin=origin.id, plugin=built.step.plugin_id
        )

    def measure(self) -> None:
        """Set the gauges; called when somebody looks at the metrics."""
        metrics.QUEUE_BYTES.set(self.flow.bytes, self.name)
        metrics.QUEUE_EVENTS.set(self.flow.events, self.name)


class _Sink:
    """One input's way into its pipeline."""

    def __init__(self, running: RunningPipeline, built: BuiltInput) -> None:
        self._running, self.built = running, built

    @property
    def full(self) -> bool:
        return self._running.flow.full

    def put(self, chunk: Chunk) -> None:
        self._running.process(chunk, self.built)

    def reject(self, raw: bytes, reason: str, origin: Origin) -> None:
        self._running.reject(raw, reason, origin, self.built)

    async def room(self) -> None:
        await self._running.flow.room()


def report_failures(pipeline_id: str) -> Callable[[Step, Event, Exception], None]:
    """Return what counts and tells the failures of a pipeline's filters."""

    def report(step: Step, event: Event, error: Exception) -> None:
        metrics.EVENTS_FAILED.add(1, pipeline_id, step.plugin_id, step.spec.failure_tag)
        place = f"{step.span.file}:{step.span.line}:{step.span.column}"
        log.warning("a filter failed; the event goes on", filter=step.plugin_id, config=place, error=repr(error))

    return report
