"""Replay dead letters through the pipelines of a config that may have been fixed meanwhile.

The bytes that were received go through codec, filters and outputs as if they had just arrived, but with their old ids
and time of receipt. What an output refused goes to that output alone, and only the event that it refused: the other
outputs have it, and all have its siblings (clones, elements of an array). If the config no longer has that output, or
routes the event elsewhere now, it goes to every output that the config chooses. If the received bytes are not known,
the refused document goes to the output as it is, without the filters, since they have processed it already.

An output that fails on one event of many gets the others, as in the daemon: see ``ingestd.pipeline.isolation``.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ingestd.compiler.pipeline import BuiltInput, BuiltOutput, Pipeline
from ingestd.dead_letters.dead_letter import DeadLetter, cause, to_base64
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import parse_event_id
from ingestd.event.jsontext import loads
from ingestd.event.tally import Tally
from ingestd.event.timestamp import from_epoch, to_epoch_ns
from ingestd.pipeline.isolation import TRIES, Isolation, OutputFailedError, try_to_deliver
from ingestd.pipeline.processing import add_rejected

_BATCH_BYTES = 1 << 20


@dataclass(slots=True)
class ReplayCounts:
    """What became of the dead letters: ``dead`` failed again, ``dropped`` were dropped by a filter of the config."""

    replayed: int = 0
    dead: int = 0
    dropped: int = 0


class ReplayDeadLetters:
    """Takes the events of one pipeline that fail again: each becomes a dead letter with all that the old one has.

    Args:
        writer: The writer of this command.
        clock: Seconds since the epoch.
        version: The version of the config.
    """

    def __init__(self, writer: DeadLetterWriter, clock: Callable[[], float], version: str) -> None:
        self._writer, self._clock, self._version = writer, clock, version
        self.sources: dict[tuple[str, str], DeadLetter] = {}
        """The dead letter that each event in flight comes from, by the id of its output and its own."""
        self.failed: set[int] = set()
        """``id()`` of the dead letters in flight that failed again."""
        self._given_up: set[tuple[str, str]] = set()

    def add(self, *, stage: str, reason: str, raw: bytes, plugin: str = "", **more: Any) -> None:
        """Keep one event that an output refuses; see ``DeadLetters``."""
        event_id: str = more["event_id"]
        self._given_up.add((plugin, event_id))
        dead_letter = self.sources[plugin, event_id]
        document_id = more.get("document_id", "")
        self.add_again(
            dead_letter,
            reason,
            stage=stage,
            plugin=plugin,
            id=event_id,
            document_id="" if document_id == event_id else document_id,
            index=more.get("index", ""),
            document="" if raw == dead_letter.content.rstrip(b"\r\n") else to_base64(raw),
        )

    def given_up(self, plugin: str, event_ids: Iterable[str]) -> set[str]:
        """Return the events of an output that failed again since the last ``clear``; see ``DeadLetters``."""
        return {event_id for event_id in event_ids if (plugin, event_id) in self._given_up}

    def clear(self) -> None:
        """Forget what was in flight."""
        self.sources.clear()
        self.failed.clear()
        self._given_up.clear()

    def add_again(self, dead_letter: DeadLetter, reason: str, **changes: Any) -> None:
        """Write a dead letter again, with a new reason and other ``changes``."""
        same, detail = cause(reason)
        self.failed.add(id(dead_letter))
        changes |= {"time": from_epoch(self._clock()), "reason": same, "detail": detail, "config": self._version}
        self._writer.put(msgspec.structs.replace(dead_letter, **changes))


@dataclass(slots=True)
class _OutputShare:
    """What one output gets of a batch of dead letters."""

    built: BuiltOutput
    dead_letters: ReplayDeadLetters
    batches: list[Batch] = field(default_factory=list)
    payloads: list[Any] = field(default_factory=list)

    async def deliver(self) -> None:
        """Return when every event is delivered or a dead letter again. Raises OSError where waiting may help."""
        try:
            await self._try(self.payloads, TRIES)
        except OutputFailedError:
            tally = Tally(queued=sum(map(len, self.batches)))
            await Isolation(self.built, self.dead_letters, self._try).run([(self.batches, tally)])

    async def _try(self, payloads: list[Any], tries: float) -> Sequence[Tally] | None:
        return await try_to_deliver(self.built, payloads, tries)


@dataclass(slots=True)
class Route:
    """One pipeline of the config, ready to replay dead letters."""

    pipeline: Pipeline
    dead_letters: ReplayDeadLetters
    outputs: list[BuiltOutput] = field(init=False)

    def __post_init__(self) -> None:
        self.outputs = [output for route in self.pipeline.routes for output in route]

    def batches(self, dead_letter: DeadLetter) -> Iterator[tuple[BuiltOutput, Batch]]:
        """Yield what each output gets of a dead letter, if anything. Raises what codec or filters raise."""
        if not dead_letter.raw:
            yield from self._document(dead_letter)
            return
        built = self._input(dead_letter.input)
        stream_id, offset = _stream_position(dead_letter)
        received_ns = dead_letter.received if dead_letter.received is not None else to_epoch_ns(dead_letter.time)
        chunk = Chunk(dead_letter.input, stream_id, dead_letter.fields, offset, received_ns, 1, dead_letter.content)
        table = built.decode(chunk)
        routes = self.pipeline.process(table, built.decorate, received_ns, Tally())
        found = [
            (output, chosen)
            for rows, outputs in zip(routes, self.pipeline.routes, strict=True)
            if len(chosen := _chosen(dead_letter, Batch(table, rows, stream_id, time.time_ns())))
            for output in outputs
        ]
        own = [(output, batch) for output, batch in found if _is_own(dead_letter, output)]
        yield from own or found

    def _document(self, dead_letter: DeadLetter) -> Iterator[tuple[BuiltOutput, Batch]]:
        event = loads(dead_letter.refused)
        parts = parse_event_id(dead_letter.id)
        stream_id, key = (parts.stream_id, parts.key) if parts else (_stream_position(dead_letter)[0], "0")
        own = [output for output in self.outputs if _is_own(dead_letter, output)]
        for output in own or self.outputs:
            yield output, Batch.of_events([event], [key], stream_id, time.time_ns())

    def _input(self, name: str) -> BuiltInput:
        inputs = self.pipeline.inputs
        return next((built for built in inputs if built.step.plugin_id == name), inputs[0])


class Replay:
    """Sends dead letters in batches.

    Args:
        routes: The pipelines by name. Dead letters of other pipelines go to ``main`` or the first one.
        writer: Where those go that fail again; they are on the disk when ``send`` returns.
    """

    def __init__(self, routes: Mapping[str, Route], writer: DeadLetterWriter) -> None:
        self._routes, self._writer = routes, writer
        self._default = routes.get("main") or next(iter(routes.values()))
        self.counts = ReplayCounts()

    async def open(self) -> None:
        """Open all outputs. Raises OSError with a sentence."""
        for route in self._routes.values():
            for output in route.outputs:
                await output.output.open()

    async def close(self) -> None:
        """Close all outputs."""
        for route in self._routes.values():
            for output in route.outputs:
                await output.output.close()

    async def send(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Return once each dead letter is delivered, dropped by a filter, or on the disk as a new one."""
        shares: dict[int, _OutputShare] = {}
        dropped = 0
        for dead_letter in dead_letters:
            route = self._routes.get(dead_letter.pipeline, self._default)
            parts = self._parts(route, dead_letter)
            dropped += not parts and id(dead_letter) not in route.dead_letters.failed
            for output, batch, payload in parts:
                share = shares.setdefault(id(output), _OutputShare(output, route.dead_letters))
                share.batches.append(batch)
                share.payloads.append(payload)
        await asyncio.gather(*(share.deliver() for share in shares.values()))
        self._writer.sync()
        dead = len(set().union(*(route.dead_letters.failed for route in self._routes.values())))
        self.counts.dead += dead
        self.counts.dropped += dropped
        self.counts.replayed += len(dead_letters) - dead - dropped
        for route in self._routes.values():
            route.dead_letters.clear()

    def _parts(self, route: Route, dead_letter: DeadLetter) -> list[tuple[BuiltOutput, Batch, Any]]:
        """Return what each output gets of a dead letter: the events, and what the output made of them."""
        parts: list[tuple[BuiltOutput, Batch, Any]] = []
        try:
            for output, batch in route.batches(dead_letter):
                plugin = output.step.plugin_id
                route.dead_letters.sources.update({(plugin, event_id): dead_letter for event_id in batch.ids()})
                payload, _, rejected = output.output.prepare(batch)
                add_rejected(route.dead_letters, output, rejected)
                parts.append((output, batch, payload))
        except Exception as error:  # noqa: BLE001 -- the other dead letters continue
            route.dead_letters.add_again(dead_letter, f"the daemon failed on it: {error!r}")
            return []
        return parts


def in_batches(dead_letters: Iterable[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """Return the dead letters in lists of about a megabyte."""
    batch: list[DeadLetter] = []
    size = 0
    for dead_letter in dead_letters:
        batch.append(dead_letter)
        size += len(dead_letter.raw) + len(dead_letter.document)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def sendable(dead_letter: DeadLetter) -> bool:
    """Return whether the event is there as a whole: only the start of a line that was too long is kept."""
    return bool(dead_letter.document) or (bool(dead_letter.raw) and len(dead_letter.content) >= dead_letter.size)


def _stream_position(dead_letter: DeadLetter) -> tuple[str, int]:
    """Return stream and offset; if they are not known, the same bytes get the same id, made of their digest."""
    if dead_letter.stream_id and dead_letter.offset is not None:
        return dead_letter.stream_id, dead_letter.offset
    digest = hashlib.blake2b((dead_letter.raw or dead_letter.document).encode(), digest_size=8).hexdigest()
    return f"{dead_letter.stream_id or 'deadletter'}.{digest}", 0


def _chosen(dead_letter: DeadLetter, batch: Batch) -> Batch:
    """Return the events to send: if an output refused one of them, only that one."""
    if dead_letter.stage != "output" or not dead_letter.id:
        return batch
    return batch.part([position for position, event_id in enumerate(batch.ids()) if event_id == dead_letter.id])


def _is_own(dead_letter: DeadLetter, output: BuiltOutput) -> bool:
    """Return whether this output refused the event."""
    return dead_letter.stage == "output" and output.step.plugin_id == dead_letter.plugin
