"""Run events through a config and record each step: ``ingestd trace`` and ``ingestd test``.

The pipeline is the daemon's: the same codecs, generated code, plugins and ``Output.prepare``. Nothing is delivered.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, NamedTuple

from ingestd.compiler.bound import Step
from ingestd.compiler.pipeline import BuiltInput, BuiltOutput, Decorate, Pipeline, compile_pipeline
from ingestd.compiler.trace import ConditionEntry, FilterEntry, Tracer
from ingestd.config.nodes import Config
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.failure_tags import forget_failures
from ingestd.event.fields import Event, FieldRef
from ingestd.event.jsontext import loads
from ingestd.event.table import Rows, Table
from ingestd.event.tally import Tally
from ingestd.pipeline.processing import prepare
from ingestd.plugins.interfaces import Codec, HandsOver, ReceivesEvents, delimiter_of, grouping_of
from ingestd.plugins.registry import BuildContext, find

_ORIGINAL = FieldRef("[event][original]")


STREAM = "trace"
"""The stream of traced events: the start of their generated ids."""

_SENDER = {"host": "127.0.0.1", "port": 50000}


class UnknownInputError(Exception):
    """The config has no input with this id or name; the text lists those it has."""


@dataclass(frozen=True, slots=True)
class Destination:
    """An output that gets an event. What it does not have is empty.

    ``document_id`` is the id that the config gives it, ``path`` the file, ``addresses`` those of other pipelines,
    ``rejected`` why the output refuses it.
    """

    step: Step
    index: str = ""
    document_id: str = ""
    path: str = ""
    addresses: str = ""
    rejected: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        texts = {name: getattr(self, name) for name in ("index", "document_id", "path", "addresses", "rejected")}
        return step_document(self.step) | {name: text for name, text in texts.items() if text}


@dataclass(frozen=True, slots=True)
class Result:
    """An event that left the filters: its row, its document as outputs write it, and where it goes."""

    row: int
    document: Event
    destinations: list[Destination]


@dataclass(slots=True)
class Trace:
    """What became of one event that the codec made: the ``entries`` and ``results`` of it and of copies of it."""

    received: Event
    entries: list[ConditionEntry | FilterEntry] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)


class Tracing:
    """A pipeline that is traced.

    Args:
        config: The config.
        context: Settings, and whether the events have been through filters before (``again``).

    Raises:
        ConfigErrors: The config is wrong.
    """

    def __init__(self, config: Config, context: BuildContext) -> None:
        self._tracer, self._again = Tracer(), context.again
        self.pipeline: Pipeline = compile_pipeline(config, context, self._tracer.failed, tracer=self._tracer)

    def events(self, data: bytes, received_ns: int | None = None) -> list[Trace]:
        """Return the traces of events, given as lines of JSON; only filters and outputs are run.

        With ``again`` the tags of failures are removed first.
        """
        chunk = _chunk("", data, {}, received_ns)
        table = self._json_codec().decode(chunk)
        if self._again:
            events = [table.whole(row) for row in table.rows]
            for event in events:
                forget_failures(event)
            table = Table.of_events(events, table.keys)
        return self._run(table, None, chunk)

    def records(
        self, name: str, data: bytes, fields: Mapping[str, Any] | None = None, received_ns: int | None = None
    ) -> list[Trace]:
        """Return the traces of what an input, given by its id or the name of its plugin, would make of ``data``.

        ``fields`` is what the input knows of the sender; by default the record comes from this machine.

        Raises:
            UnknownInputError: The config has no such input.
            UndecodableError: The input would make a dead letter of it.
        """
        built = self._input(name)
        if isinstance(built.input, ReceivesEvents):
            built = replace(built, codec=self._json_codec())
        sender = _SENDER if built.step.spec.listens else {"host": _SENDER["host"]}
        chunk = _chunk(built.step.plugin_id, b"", {**(sender if fields is None else fields)}, received_ns)
        traces: list[Trace] = []
        for offset, message in _messages(built.codec, data):
            part = chunk._replace(data=message, offset=offset)
            traces += self._run(built.decode(part), built.decorate, part)
        return traces

    def delimiter(self, name: str) -> bytes:
        """Return what ends a line of an input. Raises UnknownInputError."""
        return delimiter_of(self._input(name).codec)

    def _input(self, name: str) -> BuiltInput:
        inputs = self.pipeline.inputs
        for built in inputs:
            if name in {built.step.plugin_id, built.step.name}:
                return built
        named = [built for built in inputs if built.step.spec.name == name]
        if len(named) == 1:
            return named[0]
        known = ", ".join(built.step.plugin_id for built in inputs) or "none"
        raise UnknownInputError(f"the config has {'several inputs' if named else 'no input'} {name!r}; it has {known}")

    def _json_codec(self) -> Codec:
        spec, projection = find("codec", "json_lines"), self.pipeline.projection
        assert spec is not None  # noqa: S101 -- one of ours
        context = BuildContext(fields=projection.fields, whole=projection.touch.whole)
        codec: Codec = spec.build(spec.options(), context)
        return codec

    def _run(self, table: Table, decorate: Decorate | None, chunk: Chunk) -> list[Trace]:
        routes = self.pipeline.process(table, decorate, chunk.time_ns, Tally())
        traces = {row: Trace(event) for row, event in self._tracer.received.items()}
        for entry in self._tracer.entries:
            traces[_origin(table, entry.row)].entries.append(entry)
        for result in self._results(table, routes, chunk):
            traces[_origin(table, result.row)].results.append(result)
        return [*traces.values()]

    def _results(self, table: Table, routes: Sequence[Rows], chunk: Chunk) -> list[Result]:
        results: dict[int, Result] = {}
        for rows, outputs in zip(routes, self.pipeline.routes, strict=True):
            for row in rows:
                if row not in results:
                    [document] = table.documents([row])
                    results[row] = Result(row, loads(document), [])
                batch = Batch(table, [row], chunk.stream_id, chunk.time_ns)
                results[row].destinations.extend(_destination(output, batch) for output in outputs)
        left = self._left_without_output(table, results)
        return [results[row] for row in sorted(results)] + left

    def _left_without_output(self, table: Table, results: Mapping[int, Result]) -> list[Result]:
        """Return the events that no filter dropped and no output gets."""
        filtered = [entry for entry in self._tracer.entries if isinstance(entry, FilterEntry)]
        dropped = {entry.row for entry in filtered if entry.dropped}
        rows = [row for row in table.rows if row not in dropped and row not in results]
        return [Result(row, loads(document), []) for row, document in zip(rows, table.documents(rows), strict=True)]


def _messages(codec: Codec, data: bytes) -> list[tuple[int, bytes]]:
    """Return what is decoded at once, with its place in ``data``: all lines, or each message of a codec that groups."""
    if codec.delimiter is not None and not data.endswith(codec.delimiter):
        data += codec.delimiter
    grouping = grouping_of(codec)
    parts = [data] if grouping is None else grouping.split(data)
    return [*zip(accumulate(map(len, parts), initial=0), parts, strict=False)]


def _chunk(input_id: str, data: bytes, fields: Event, received_ns: int | None) -> Chunk:
    return Chunk(input_id, STREAM, fields, 0, time.time_ns() if received_ns is None else received_ns, 0, data)


def _origin(table: Table, row: int) -> int:
    """Return the row of the event that the codec made."""
    while (parent := table.parent(row)) is not None:
        row = parent
    return row


def _destination(built: BuiltOutput, batch: Batch) -> Destination:
    """Return where an output puts the one event of ``batch``: what its payload says of it."""
    payloads, rejected, _ = prepare(built, batch)
    if rejected:
        return Destination(built.step, rejected[0].index_name, rejected=rejected[0].reason)
    if isinstance(built.output, HandsOver):
        return Destination(built.step, addresses=", ".join(built.output.addresses))
    payload = payloads[0] if payloads else None
    if isinstance(payload, dict):  # of the output ``file``: the texts by path
        return Destination(built.step, path=", ".join(map(str, payload)))
    index, document_id = (next(iter(getattr(payload, name, ())), "") for name in ("indices", "document_ids"))
    return Destination(built.step, index, document_id)


def step_document(step: Step) -> dict[str, Any]:
    """Return a plugin of the config as JSON: which, and its place."""
    span = step.span
    return {"plugin": step.spec.name, "id": step.plugin_id, "file": span.file, "line": span.line, "column": span.column}


class TraceSource(NamedTuple):
    """What to run through a config once more.

    ``line`` is the record that the input ``input`` received; without an input, ``event`` is what filters have changed
    before, so it is run as ``ingestd reprocess`` does.
    """

    event: Event
    line: str = ""
    input: str = ""


def stored_source(document: Event, pipeline: Pipeline) -> TraceSource:
    """Return what a stored document was made of, as far as it says: which input got it, only if there is just one."""
    original, inputs = _ORIGINAL.get(document), pipeline.inputs
    if type(original) is str and original and len(inputs) == 1:
        return TraceSource(document, original, inputs[0].step.plugin_id)
    return TraceSource(document)
