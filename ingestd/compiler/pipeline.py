"""From a checked config to a pipeline that can run: build the plugins, generate the code, load it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ingestd.compiler.bound import Program, Step, steps
from ingestd.compiler.check import check
from ingestd.compiler.codegen import Code, generate
from ingestd.compiler.conditions import HELPERS
from ingestd.compiler.load import load
from ingestd.compiler.names import Names
from ingestd.compiler.projection import Projection, project
from ingestd.config.errors import ConfigError, ConfigErrors, Span
from ingestd.config.nodes import Config
from ingestd.event.event_id import copy_key
from ingestd.event.fields import Event, FieldRef, add_tag
from ingestd.event.record import Record
from ingestd.event.tally import Tally
from ingestd.plugins.interfaces import Codec, Decoded, Input, Output
from ingestd.plugins.registry import BuildContext, ExpandFn

Decorate = Callable[[Event], None]
Run = Callable[..., list[list[Record]]]
Failed = Callable[[Step, Event, Exception], None]


@dataclass(frozen=True, slots=True)
class BuiltInput:
    """An input, the codec that reads its chunks, and what its common options do to every event."""

    step: Step
    input: Input
    codec: Codec
    decorate: Decorate | None


@dataclass(frozen=True, slots=True)
class BuiltOutput:
    """An output with its place in the config."""

    step: Step
    output: Output[Any]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline ready to run. ``routes[i]`` are the outputs of the i-th list that ``run`` returns."""

    inputs: list[BuiltInput]
    routes: list[list[BuiltOutput]]
    run: Run
    projection: Projection
    code: Code

    @property
    def touched(self) -> tuple[str, ...]:
        """The top-level fields that the pipeline may set or remove."""
        touch = self.projection.touch
        return tuple(sorted({FieldRef(name).top for name in touch.sets | touch.removes}))

    def process(
        self, decoded: Decoded, decorate: Decorate | None, received_ns: int, tally: Tally
    ) -> list[list[Record]]:
        """Run the filters over decoded records and return a list of records for each route.

        Args:
            decoded: From the codec.
            decorate: Of the input.
            received_ns: When they were received: nanoseconds since the epoch.
            tally: Where the events that filters drop and create are counted.
        """
        return self.run(decoded.raws, decoded.events, decoded.keys, decorate, received_ns, tally)


def compile_pipeline(
    config: Config, context: BuildContext, on_failure: Failed | None = None, *, project_fields: bool = True
) -> Pipeline:
    """Check ``config``, build its plugins and return the pipeline.

    ``on_failure(step, event, error)`` is called when a filter raises, after the event got the failure tag.
    ``project_fields``: decode only what is touched; False decodes every record in full, for comparison.

    Raises:
        ConfigErrors: Everything that is wrong, with places.
    """
    program, errors = check(config)
    projection, code = plan(program, errors, project_fields=project_fields)
    builder = _Builder(replace(context, fields=projection.fields), errors, on_failure or _ignore)
    code.names.values.update(builder.filters(program))
    inputs = [built for step in program.inputs if (built := builder.input(step)) is not None]
    routes = [[one for step in route if (one := builder.output(step)) is not None] for route in code.routes]
    fatal = [error for error in errors if error.severity == "error"]
    if fatal:
        raise ConfigErrors(fatal, config.sources)
    run = load(code.text, code.spans, code.names.values, config.sources)
    return Pipeline(inputs, routes, run, projection, code)


def inspect(config: Config, context: BuildContext | None = None) -> list[ConfigError]:
    """Return every error and warning of a config, in the order of the text. Plugins are built, nothing is opened."""
    program, errors = check(config)
    errors += config.warnings
    _, code = plan(program, errors)
    builder = _Builder(context or BuildContext(), errors, _ignore)
    builder.filters(program)
    for step in program.inputs:
        builder.input(step)
    for route in code.routes:
        for step in route:
            builder.output(step)
    hint = "long values are matched under a time-out; anchor the pattern with ^, or use %{NOTSPACE} for %{DATA}"
    for step in steps(program.filters):
        errors += [ConfigError(text, step.span, hint, "warning") for text in step.spec.warnings(step.options)]
    files = list(config.sources)
    return sorted(errors, key=lambda one: (files.index(one.span.file), one.span.line, one.span.column))


def plan(program: Program, errors: list[ConfigError], *, project_fields: bool = True) -> tuple[Projection, Code]:
    """Return the projection and the generated code of a checked program, building no plugin."""
    code = generate(program, Names(HELPERS), errors, projected=True)
    projection = project(program, code.reads)
    if not project_fields:
        projection = replace(projection, fields=None, why="asked for")
    if projection.fields is None:
        code = generate(program, Names(HELPERS), [], projected=False)
    return projection, code


def _ignore(step: Step, event: Event, error: Exception) -> None:
    """Drop the report of a failed filter; the tag stays on the event."""


class _Builder:
    """Builds plugins; what a plugin finds wrong in its options becomes a config error at the plugin's name."""

    def __init__(self, context: BuildContext, errors: list[ConfigError], on_failure: Failed) -> None:
        self._context, self._errors, self._on_failure = context, errors, on_failure

    def filters(self, program: Program) -> dict[str, Any]:
        """Return the names that the generated code refers to, but for those of its conditions."""
        names: dict[str, Any] = {}
        for step in steps(program.filters):
            common = step.common.build()
            built = self._build(step, replace(self._context, common=common or (lambda event: None)))
            if built is None:
                continue
            failed = self._failed(step)
            names[step.name] = self._expander(step, built, failed) if step.spec.shape == "expand" else built
            names[f"{step.name}_failed"] = failed
            if common is not None:
                names[f"{step.name}_common"] = common
        return names

    def input(self, step: Step) -> BuiltInput | None:
        """Return a built input, None if it cannot be built."""
        codec = self._codec(step)
        built = self._build(step, replace(self._context, codec=codec))
        decorate = _guarded_decorate(step.common.build(), self._failed(step))
        return None if built is None else BuiltInput(step, built, codec, decorate)

    def output(self, step: Step) -> BuiltOutput | None:
        """Return a built output, None if it cannot be built."""
        built = self._build(step, replace(self._context, codec=self._codec(step)))
        return None if built is None else BuiltOutput(step, built)

    def _codec(self, step: Step) -> Any:
        if step.codec is None:
            return None
        return self._guarded(step.span, step.codec.spec.build, step.codec.options, self._context)

    def _build(self, step: Step, context: BuildContext) -> Any:
        return self._guarded(step.span, step.spec.build, step.options, replace(context, plugin_id=step.plugin_id))

    def _guarded(self, span: Span, build: Callable[..., Any], options: Any, context: BuildContext) -> Any:
        try:
            return build(options, context)
        except (ValueError, LookupError, OSError) as error:
            hint = getattr(error, "hint", "")
            text = error.args[0] if isinstance(error, LookupError) and error.args else str(error)
            self._errors.append(ConfigError(str(text), span, hint))
            return None

    def _expander(
        self, step: Step, expand: ExpandFn, failed: Callable[[Event, Exception], None]
    ) -> Callable[[Record, Tally], list[Record]]:
        """Return what turns one record into the records of the events that take its place."""
        name = step.plugin_id

        def records(record: Record, tally: Tally) -> list[Record]:
            event, key = record[2], record[3]
            try:
                events = expand(event)
            except Exception as error:  # noqa: BLE001 -- the one place where a failing filter is caught
                failed(event, error)
                return [record]
            if not events:
                tally.dropped[name] += 1
            elif len(events) > 1:
                tally.created += len(events) - 1
            return [
                record if one is event else (None, one, one, copy_key(key, number)) for number, one in enumerate(events)
            ]

        return records

    def _failed(self, step: Step) -> Callable[[Event, Exception], None]:
        tag, report = step.spec.failure_tag or f"_{step.spec.name}_error", self._on_failure

        def failed(event: Event, error: Exception) -> None:
            add_tag(event, tag)
            report(step, event, error)

        return failed


def _guarded_decorate(add: Decorate | None, failed: Callable[[Event, Exception], None]) -> Decorate | None:
    """Return what adds an input's fields and tags, and tags the event where that is not possible."""
    if add is None:
        return None

    def decorate(event: Event) -> None:
        try:
            add(event)
        except Exception as error:  # noqa: BLE001 -- as for filters: the event goes on
            failed(event, error)

    return decorate
