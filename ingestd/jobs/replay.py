"""Send dead letters again, through the pipelines of a config that may have been mended meanwhile.

What was received goes through codec, filters and outputs as if it had just come, but under its old id and with its
old time of receipt. A letter of an output goes to that output alone, and only the event that was refused: the other
outputs have it, and so have its siblings (clones, elements of an array). Where the config has that output no more,
or sends the event elsewhere now, it goes to every output that the config chooses. Of an output's letter whose
received bytes are not known the document goes to the output as it is, past the filters: they have been over it.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ingestd.compiler.pipeline import BuiltInput, BuiltOutput, Pipeline
from ingestd.dead_letters.dead_letter import DeadLetter, cause, packed
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import event_id, parse_event_id
from ingestd.event.jsontext import loads
from ingestd.event.record import Batch, Record
from ingestd.event.timestamp import from_epoch

_BATCH_BYTES = 1 << 20


@dataclass(slots=True)
class Tally:
    """How the letters fared: ``dead`` are dead again, ``dropped`` were dropped by a filter of the config."""

    replayed: int = 0
    dead: int = 0
    dropped: int = 0


class ReplayDeadLetters:
    """Where the letters of one pipeline go that are dead again: to the files, with what the old one knows.

    Args:
        files: Of a writer of our own.
        clock: Seconds since the epoch.
        version: Of the config that is in force now.
    """

    def __init__(self, files: DeadLetterWriter, clock: Callable[[], float], version: str) -> None:
        self._files, self._clock, self._version = files, clock, version
        self.sources: dict[str, DeadLetter] = {}
        """For each event under way, by its id, the letter that it comes from."""
        self.failed: set[int] = set()
        """``id()`` of the letters under way that are dead again."""

    def add(self, *, stage: str, reason: str, raw: bytes, plugin: str = "", **more: Any) -> None:
        """Keep one event that an output refuses; see ``DeadLetters``."""
        event_id: str = more["event_id"]
        letter = self.sources[event_id]
        document_id = more.get("document_id", "")
        self.again(
            letter,
            reason,
            stage=stage,
            plugin=plugin,
            id=event_id,
            document_id="" if document_id == event_id else document_id,
            index=more.get("index", ""),
            document="" if raw == letter.content.rstrip(b"\r\n") else packed(raw),
        )

    def again(self, letter: DeadLetter, reason: str, **changes: Any) -> None:
        """Keep a letter for another time."""
        same, detail = cause(reason)
        self.failed.add(id(letter))
        changes |= {"time": from_epoch(self._clock()), "reason": same, "detail": detail, "config": self._version}
        self._files.put(msgspec.structs.replace(letter, **changes))


@dataclass(slots=True)
class Route:
    """One pipeline of the config, ready to send letters through."""

    pipeline: Pipeline
    letters: ReplayDeadLetters
    outputs: list[BuiltOutput] = field(init=False)

    def __post_init__(self) -> None:
        self.outputs = [output for route in self.pipeline.routes for output in route]

    def batches(self, letter: DeadLetter) -> Iterator[tuple[BuiltOutput, Batch]]:
        """Return what each output gets of a letter; nothing if a filter drops it. Raises what codec or filters do."""
        if not letter.raw:
            yield from self._document(letter)
            return
        built = self._input(letter.input)
        stream_id, offset = _place(letter)
        received_ns = letter.received if letter.received is not None else _ns(letter.time)
        chunk = Chunk(letter.input, stream_id, letter.fields, offset, received_ns, 1, letter.content)
        routes = self.pipeline.process(built.codec.decode(chunk), built.decorate, received_ns)
        found = [
            (output, Batch(chosen, stream_id, self.pipeline.touched, time.time_ns()))
            for records, outputs in zip(routes, self.pipeline.routes, strict=True)
            if (chosen := _chosen(letter, records, stream_id))
            for output in outputs
        ]
        own = [(output, batch) for output, batch in found if _is_own(letter, output)]
        yield from own or found

    def _document(self, letter: DeadLetter) -> Iterator[tuple[BuiltOutput, Batch]]:
        event = loads(letter.refused)
        parts = parse_event_id(letter.id)
        stream_id, key = (parts.stream_id, parts.key) if parts else (_place(letter)[0], "0")
        own = [output for output in self.outputs if _is_own(letter, output)]
        for output in own or self.outputs:
            yield output, Batch([(None, event, event, key)], stream_id, (), time.time_ns())

    def _input(self, name: str) -> BuiltInput:
        inputs = self.pipeline.inputs
        return next((one for one in inputs if one.step.plugin_id == name), inputs[0])


class Replay:
    """Sends letters in batches.

    Args:
        routes: The pipelines by name. A letter of a pipeline that is none of them goes to ``main`` or the first.
        files: Where letters go that are dead again; on the disk when ``send`` returns.
    """

    def __init__(self, routes: Mapping[str, Route], files: DeadLetterWriter) -> None:
        self._routes, self._files = routes, files
        self._default = routes.get("main") or next(iter(routes.values()))
        self.tally = Tally()

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

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Return when each letter is delivered, dropped by a filter, or on the disk as a new one."""
        loads_of: dict[int, list[Any]] = defaultdict(list)
        outputs: dict[int, BuiltOutput] = {}
        dropped = 0
        for letter in letters:
            route = self._routes.get(letter.pipeline, self._default)
            parts = self._parts(route, letter)
            dropped += not parts and id(letter) not in route.letters.failed
            for output, load in parts:
                outputs[id(output)] = output
                loads_of[id(output)].append(load)
        await asyncio.gather(*(outputs[key].output.deliver(loads) for key, loads in loads_of.items()))
        self._files.sync()
        dead = len(set().union(*(route.letters.failed for route in self._routes.values())))
        self.tally.dead += dead
        self.tally.dropped += dropped
        self.tally.replayed += len(letters) - dead - dropped
        for route in self._routes.values():
            route.letters.sources.clear()
            route.letters.failed.clear()

    def _parts(self, route: Route, letter: DeadLetter) -> list[tuple[BuiltOutput, Any]]:
        parts: list[tuple[BuiltOutput, Any]] = []
        try:
            for output, batch in route.batches(letter):
                route.letters.sources.update(dict.fromkeys(batch.ids(), letter))
                parts.append((output, output.output.prepare(batch)))
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with one letter, the others go on
            route.letters.again(letter, f"the daemon failed on it: {error!r}")
            return []
        return parts


def in_batches(letters: Iterable[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """Return the letters in lists of about a megabyte."""
    batch: list[DeadLetter] = []
    size = 0
    for letter in letters:
        batch.append(letter)
        size += len(letter.raw) + len(letter.document)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def sendable(letter: DeadLetter) -> bool:
    """Return whether the event is there as a whole: of a line that was too long only the begin is kept."""
    return bool(letter.document) or (bool(letter.raw) and len(letter.content) >= letter.size)


def _place(letter: DeadLetter) -> tuple[str, int]:
    """Return stream and offset; where they are not known, the bytes themselves make an id that is always the same."""
    if letter.origin and letter.offset is not None:
        return letter.origin, letter.offset
    digest = hashlib.blake2b((letter.raw or letter.document).encode(), digest_size=8).hexdigest()
    return f"{letter.origin or 'deadletter'}.{digest}", 0


def _chosen(letter: DeadLetter, records: list[Record], stream_id: str) -> list[Record]:
    """Return the records to send: of an output's letter only the one that was refused."""
    if letter.stage != "output" or not letter.id:
        return records
    return [record for record in records if event_id(stream_id, record[3]) == letter.id]


def _is_own(letter: DeadLetter, output: BuiltOutput) -> bool:
    """Return whether it was this output that refused the event."""
    return letter.stage == "output" and output.step.plugin_id == letter.plugin


def _ns(time: str) -> int:
    return int(datetime.datetime.fromisoformat(time).timestamp() * 1e9)
