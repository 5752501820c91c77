"""Compile a config to a pipeline that can run: check it, build the plugins, generate the code, load it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ingestd.compiler.bound import BoundCodec, BoundPipeline, Step, steps
from ingestd.compiler.check import check
from ingestd.compiler.codegen import GeneratedCode, generate
from ingestd.compiler.column_options import column_options
from ingestd.compiler.common_options import FilterCommonOptions
from ingestd.compiler.load import load
from ingestd.compiler.namespace import HELPERS, GlobalNames
from ingestd.compiler.places import place_of, place_of_error
from ingestd.compiler.projection import Projection, project
from ingestd.config.errors import ConfigError, ConfigErrors
from ingestd.config.nodes import Config, texts
from ingestd.event.chunk import STREAM_FIELDS, Chunk
from ingestd.event.fields import Event, FieldError, FieldRef, add_tag
from ingestd.event.sprintf import TIME_NOW
from ingestd.event.table import Rows, Table
from ingestd.event.tally import Tally
from ingestd.event.timestamp import from_epoch
from ingestd.plugins.interfaces import BringsCodec, Codec, Input, NamesEvents, Output, delimiter_of
from ingestd.plugins.registry import BuildContext, ExpandFn, OptionWarning, Touch
from ingestd.plugins.stream_fields import METADATA, fields_read, stream_field_maker

if TYPE_CHECKING:  # only `ingestd trace` and `ingestd test` need it
    from ingestd.compiler.trace import Tracer

ChangeEvent = Callable[[Event], None]
Decorate = Callable[[Table, Rows], None]
Run = Callable[[Table, Decorate | None, int, Tally], list[Rows]]
FailureHandler = Callable[[Step, Event, Exception], None]


@dataclass(frozen=True, slots=True)
class BuiltInput:
    """An input, the codec that decodes its chunks (``BringsCodec``), and its common options.

    ``decorate`` applies these to every event. ``fields_of``: see ``stream_field_maker``.
    """

    step: Step
    input: Input
    codec: Codec
    decorate: Decorate | None
    fields_of: Callable[[Event], Event] | None = None

    def decode(self, chunk: Chunk) -> Table:
        """Return the events of a chunk."""
        if self.fields_of is not None:
            chunk = chunk._replace(fields=self.fields_of(chunk.fields))
        return self.codec.decode(chunk)


@dataclass(frozen=True, slots=True)
class BuiltOutput:
    """An output and its plugin in the config."""

    step: Step
    output: Output[Any]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline ready to run. ``routes[i]`` are the outputs of the i-th list that ``run`` returns."""

    inputs: list[BuiltInput]
    routes: list[list[BuiltOutput]]
    run: Run
    projection: Projection
    code: GeneratedCode
    warnings: tuple[ConfigError, ...] = ()
    """What may not mean what it says: in the text, and in the options."""

    def own_ids(self, chunk: Chunk) -> Mapping[str, int]:
        """Return the own ids of the events in a chunk, see ``NamesEvents``."""
        codecs = (built.codec for built in self.inputs if built.step.plugin_id == chunk.input_id)
        return next((codec.own_ids(chunk) for codec in codecs if isinstance(codec, NamesEvents)), {})

    def delimiter_of(self, chunk: Chunk) -> bytes:
        """Return what ends a frame in a chunk of several."""
        found = (built.codec for built in self.inputs if built.step.plugin_id == chunk.input_id)
        return delimiter_of(next(found, None))

    def process(self, table: Table, decorate: Decorate | None, received_ns: int, tally: Tally) -> list[Rows]:
        """Run the filters over the events of a chunk and return the rows of each route.

        Args:
            table: From the codec.
            decorate: The common options of the input.
            received_ns: When they were received: nanoseconds since the epoch.
            tally: Where the events that filters drop and create are counted.
        """
        if TIME_NOW.text in self.projection.touch.reads:
            _set_time_now(table, received_ns)
        return self.run(table, decorate, received_ns, tally)


def _set_time_now(table: Table, received_ns: int) -> None:
    """Give every event the time that ``%{{TIME_NOW}}`` stands for."""
    put, now = table.setter(TIME_NOW), from_epoch(received_ns / 1e9)
    for row in table.rows:
        with suppress(FieldError):  # a record may bring a @metadata that is not an object
            put(row, now)


def compile_pipeline(
    config: Config,
    context: BuildContext,
    on_failure: FailureHandler | None = None,
    *,
    project_fields: bool = True,
    tracer: Tracer | None = None,
) -> Pipeline:
    """Check ``config``, build its plugins and return the pipeline.

    ``on_failure(step, event, error)`` is called when a filter raises, after the event has got the failure tag.
    ``project_fields``: decode only the touched fields; False decodes every record in full, for comparison.
    ``tracer``: the same code also reports each step to it.

    Raises:
        ConfigErrors: All errors, with their spans.
    """
    bound, errors = check(config, context.settings)
    projection, code = plan(bound, errors, project_fields=project_fields, traced=tracer is not None)
    if tracer is not None:
        tracer.sources = config.sources
        tracer.steps = {step.name: step for step in steps(bound.filters)}
        code.names.values["trace"] = tracer
    builder = _PluginBuilder(
        replace(context, fields=projection.fields, whole=projection.touch.whole, reads=projection.reads),
        errors,
        on_failure or _ignore,
        config.sources,
        None if projection.touch.unknown else projection.touch.reads,
    )
    code.names.values.update(builder.filters(bound) | code.fields)
    inputs = [built for step in bound.inputs if (built := builder.input(step)) is not None]
    routes = [[output for step in route if (output := builder.output(step)) is not None] for route in code.routes]
    fatal = [error for error in errors if error.severity == "error"]
    if fatal:
        raise ConfigErrors(fatal, config.sources)
    run = load(code.text, code.spans, code.names.values, config.sources)
    warnings = (*config.warnings, *errors, *_missing_sections(config))
    return Pipeline(inputs, routes, run, projection, code, warnings)


def inspect(config: Config, context: BuildContext | None = None) -> list[ConfigError]:
    """Return every error and warning of a config, in the order of the text. Plugins are built, but not opened."""
    context = context or BuildContext()
    bound, errors = check(config, context.settings)
    errors += (*config.warnings, *_missing_sections(config), *_missing_inputs(config))
    _, code = plan(bound, errors)
    builder = _PluginBuilder(context, errors, _ignore, config.sources)
    builder.filters(bound)
    for step in bound.inputs:
        builder.input(step)
    for route in code.routes:
        for step in route:
            builder.output(step)
    outputs = {step.name: step for route in code.routes for step in route}
    for step in (*bound.inputs, *steps(bound.filters), *outputs.values()):
        errors += [_at_option(step, warning, config) for warning in step.spec.option_warnings(step.options)]
    files = list(config.sources)
    return sorted(errors, key=lambda error: (files.index(error.span.file), error.span.line, error.span.column))


def _missing_sections(config: Config) -> Iterator[ConfigError]:
    """Yield a warning if a config has inputs, and no output that would get their events."""
    if config.inputs and not config.outputs:
        text = "the config has no output, so the events of its inputs are discarded"
        hint = "add output { store { } }, or output { elasticsearch { hosts => [...] } }"
        yield ConfigError(text, config.inputs[0].span, hint, "warning")


def _missing_inputs(config: Config) -> Iterator[ConfigError]:
    """Yield a warning if a config has outputs, and no input that receives events for them.

    It is no problem for the commands that bring their own events, so it is not a warning of the pipeline.
    """
    if config.outputs and not config.inputs:
        text = "the config has no input, so ingestd run would receive nothing"
        hint = "add input { tcp { port => 5959 codec => json_lines } }, or use it with ingestd import or ingestd test"
        yield ConfigError(text, config.outputs[0].span, hint, "warning")


def _at_option(step: Step, warning: OptionWarning, config: Config) -> ConfigError:
    """Return a warning with its place in the config; the option's default has none but the plugin's name."""
    settings = [setting for setting in reversed(step.settings) if setting.name == warning.option]
    value = warning.value or next((text.value for setting in settings for text in texts(setting)), "")
    span = place_of(value, settings, config.sources, warning.start, warning.length)
    return ConfigError(warning.text, span or step.span, warning.hint, "warning")


def plan(
    bound: BoundPipeline, errors: list[ConfigError], *, project_fields: bool = True, traced: bool = False
) -> tuple[Projection, GeneratedCode]:
    """Return the projection and the generated code of a bound pipeline, without building plugins."""
    code = generate(bound, GlobalNames(HELPERS), errors, projected=True, traced=traced)
    projection = project(bound, code.reads)
    if not project_fields:
        projection = replace(projection, fields=None, why="asked for")
    if projection.fields is None:
        code = generate(bound, GlobalNames(HELPERS), [], projected=False, traced=traced)
    return projection, code


def _ignore(step: Step, event: Event, error: Exception) -> None:
    """Ignore the failure of a filter; the tag stays on the event."""


class _PluginBuilder:
    """Builds plugins; an error that a plugin finds in its options becomes a config error.

    Its place is the text that it names, or else the plugin's name.
    """

    def __init__(
        self,
        context: BuildContext,
        errors: list[ConfigError],
        on_failure: FailureHandler,
        sources: Mapping[str, str],
        reads: frozenset[str] | None = frozenset(),
    ) -> None:
        self._context, self._errors, self._on_failure, self._sources = context, errors, on_failure, sources
        self._reads = reads

    def filters(self, bound: BoundPipeline) -> dict[str, Any]:
        """Return the global names of the generated code, except those of its conditions."""
        names: dict[str, Any] = {}
        for step in steps(bound.filters):
            change = step.common_options.build()
            built = self._build(step, replace(self._context, common_options=change or (lambda event: None)))
            if built is None:
                continue
            names |= self._functions(step, built, change)
        return names

    def _functions(self, step: Step, built: Any, change: ChangeEvent | None) -> dict[str, Any]:
        """Return the global names of one filter; ``change``: its common options."""
        failed = self._failed(step)
        if step.spec.columns:
            common_options, options = None, step.common_options
            if change is not None and isinstance(options, FilterCommonOptions):
                common_options = column_options(options) or _for_rows(change, options.touch())
            return {
                step.name: built,
                step.common_options_name: common_options,
                step.failed_name: self._failed_rows(failed),
            }
        if step.spec.outcome == "any_number":
            return {step.name: _expander(step.plugin_id, built, failed)}
        return {step.name: built, step.common_options_name: change, step.failed_name: failed}

    def input(self, step: Step) -> BuiltInput | None:
        """Return a built input, None on errors."""
        names = None if step.spec.stream_fields is None else step.spec.stream_fields(step.options)
        fields = None if names is None else fields_read(names, self._reads)
        codec = self._codec(step, fields)
        built = self._build(step, replace(self._context, codec=codec))
        change = step.common_options.build()
        decorate = None
        if change is not None:
            decorate = _for_rows(_guarded(change, self._failed(step)), step.touch())
        if built is None:
            return None
        fields_of = None if fields is None else stream_field_maker(fields)
        return BuiltInput(step, built, built.codec if isinstance(built, BringsCodec) else codec, decorate, fields_of)

    def output(self, step: Step) -> BuiltOutput | None:
        """Return a built output, None on errors."""
        built = self._build(step, replace(self._context, codec=self._codec(step)))
        return None if built is None else BuiltOutput(step, built)

    def _codec(self, step: Step, fields: Mapping[str, Sequence[FieldRef]] | None = None) -> Any:
        """Return a built codec, None on errors; ``fields``: those that an input knows of a stream."""
        if step.codec is None:
            return None
        codec, context = step.codec, self._context
        reads = context.reads & STREAM_FIELDS
        if fields is not None:
            refs = [ref for given in fields.values() for ref in given]
            reads = frozenset(ref.top for ref in refs if ref.top == METADATA or ref.top in context.reads)
        # only what comes over a network has a sender, and lines of a file a path
        has_source = step.spec.listens or step.spec.journaled
        context = replace(context, reads=reads if has_source else frozenset())

        def build(options: Any, context: BuildContext) -> Any:
            delimiter = step.spec.delimiter(step.options) if step.spec.delimiter is not None else b""
            return codec.spec.build(options, replace(context, delimiter=delimiter))

        return self._guarded(step, build, context, codec.spec.name, codec)

    def _build(self, step: Step, context: BuildContext) -> Any:
        owner = f"{step.spec.kind} {step.spec.name!r}"
        spans = {setting.name: setting.value.span for setting in step.settings}
        context = replace(context, plugin_id=step.plugin_id, spans=spans)
        return self._guarded(step, step.spec.build, context, owner)

    def _guarded(
        self, step: Step, build: Callable[..., Any], context: BuildContext, owner: str, codec: BoundCodec | None = None
    ) -> Any:
        """Return what ``build`` returns, of a plugin or its codec; None on errors."""
        options, settings = step.options, step.settings
        if codec is not None:
            options, settings = codec.options, (*codec.settings, *settings)
        try:
            return build(options, context)
        except (ValueError, LookupError, OSError) as error:
            span = getattr(error, "span", None) or place_of_error(error, settings, self._sources)
            span = span or (codec.span if codec is not None else None) or step.span
            text = error.args[0] if isinstance(error, LookupError) and error.args else str(error)
            text = f"{owner}: {text}" if isinstance(error, FieldError) else str(text)
            self._errors.append(ConfigError(text, span, getattr(error, "hint", "")))
            return None

    def _failed(self, step: Step) -> Callable[[Event, Exception], None]:
        tag, report = step.spec.failure_tag or f"_{step.spec.name}_error", self._on_failure

        def failed(event: Event, error: Exception) -> None:
            add_tag(event, tag)
            report(step, event, error)

        return failed

    @staticmethod
    def _failed_rows(failed: Callable[[Event, Exception], None]) -> Callable[[Table, Rows, Exception], None]:
        """Return what handles the failure of a filter that works on columns."""

        def failed_rows(table: Table, rows: Rows, error: Exception) -> None:
            if len(rows) > 1:
                table.fail()
                return
            events = table.take(rows, ("tags",))
            failed(events[0], error)
            table.put_back(rows, events, ("tags",))

        return failed_rows


def _for_rows(change: ChangeEvent, touch: Touch) -> Decorate:
    """Return a function that changes events in a table; ``touch``: the fields."""
    names = tuple(sorted({*touch.tops(), "tags"}))  # the failure tag

    def change_rows(table: Table, rows: Rows) -> None:
        events = table.take(rows, names)
        try:
            for event in events:
                change(event)
        finally:  # what an event got before its failure stays
            table.put_back(rows, events, names)

    return change_rows


def _guarded(change: ChangeEvent, failed: Callable[[Event, Exception], None]) -> ChangeEvent:
    """Return a function that tags the events for which ``change`` fails."""

    def guarded(event: Event) -> None:
        try:
            change(event)
        except Exception as error:  # noqa: BLE001 -- as for filters: the event continues
            failed(event, error)

    return guarded


def _expander(
    plugin_id: str, expand: ExpandFn, failed: Callable[[Event, Exception], None]
) -> Callable[[Table, Rows, Tally], Rows]:
    """Return a function from rows to those of the events that replace theirs."""

    def expanded(table: Table, rows: Rows, tally: Tally) -> Rows:
        left: list[int] = []
        for row, event in zip(rows, [*table.wholes(rows)], strict=True):
            try:
                events = expand(event)
            except Exception as error:  # noqa: BLE001 -- failing filters are caught only here
                failed(event, error)
                events = [event]
            if not events:
                tally.dropped[plugin_id] += 1
            elif len(events) > 1:
                tally.created += len(events) - 1
            left += [row if new is event else table.add_copy(row, number, new) for number, new in enumerate(events)]
        return left

    return expanded
