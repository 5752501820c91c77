"""Write the Python function of a pipeline.

The text is deterministic and meant to be read (``ingestd explain --code``). Only ``repr()`` of values and
names of our own making reach it. One loop over the records of a chunk; each filter is one call; a filter
that fails is tagged and counted, and the event goes on. The function returns one list of records for each
*route*: the set of outputs that stand under the same condition. As long as no filter drops or adds events, the
loop is over the events alone, and records are put together after it, all at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ingestd.compiler.bound import Bound, Fork, Program, Step, steps
from ingestd.compiler.conditions import ConditionWriter
from ingestd.compiler.names import Names
from ingestd.config.errors import ConfigError, Span


@dataclass(slots=True)
class Code:
    """Generated text. ``spans`` maps its lines (from 1) to the config; ``routes`` lists the outputs of each route.

    ``reads`` are the fields of the conditions; ``names`` holds what ``ConditionWriter`` hoisted; ``always`` are the
    numbers of the routes that every event takes.
    """

    text: str
    spans: dict[int, Span]
    routes: list[list[Step]]
    reads: frozenset[str]
    names: Names
    always: frozenset[int]


@dataclass(slots=True)
class _Writer:
    """Lines with indentation, each with the place in the config it comes from."""

    lines: list[str] = field(default_factory=list)
    spans: dict[int, Span] = field(default_factory=dict)
    depth: int = 0

    def line(self, text: str, span: Span | None = None) -> None:
        self.lines.append("    " * self.depth + text)
        if span is not None:
            self.spans[len(self.lines)] = span


def generate(program: Program, names: Names, errors: list[ConfigError], *, projected: bool) -> Code:
    """Return the code of ``program``; mistakes in conditions are appended to ``errors``.

    ``projected``: events hold only the touched fields, so a copy from before the filters is kept.
    """
    conditions = ConditionWriter(names, errors)
    writer = _Writer()
    routes = _Routes(conditions)
    routes.collect(program.outputs, ())
    writer.line("def pipeline(raws, events, keys, decorate, received_ns, tally):")
    writer.depth = 1
    writer.line("heads = [event.copy() for event in events]" if projected else "heads = events")
    writer.line("if decorate is not None:")
    writer.line("    for event in events:")
    writer.line("        decorate(event)")
    body = _Body(writer, conditions, routes)
    if any(step.spec.shape in ("cancel", "expand") for step in steps(program.filters)):
        routes.declare(writer)
        writer.line("for raw, head, event, key in zip(raws, heads, events, keys):")
        writer.depth = 2
        body.block(program.filters, routed=True)
    else:
        if program.filters:
            writer.line("for event in events:")
            writer.depth = 2
            body.block(program.filters, routed=False)
        writer.depth = 1
        writer.line("records = list(zip(raws, heads, events, keys))")
        routes.sort(writer)
    writer.depth = 1
    writer.line(f"return [{', '.join(routes.lists)}]")
    text = "\n".join(writer.lines) + "\n"
    return Code(text, writer.spans, list(routes.lists.values()), frozenset(conditions.reads), names, routes.always)


class _Routes:
    """Groups outputs by the condition they stand under."""

    def __init__(self, conditions: ConditionWriter) -> None:
        self._conditions = conditions
        self._by_condition: dict[str, str] = {}
        self._spans: dict[str, Span] = {}
        self.lists: dict[str, list[Step]] = {}

    def collect(self, bounds: tuple[Bound, ...], outer: tuple[str, ...]) -> None:
        for bound in bounds:
            if isinstance(bound, Step):
                condition = " and ".join(f"({one})" for one in outer)
                name = self._by_condition.setdefault(condition, f"route_{len(self._by_condition)}")
                self.lists.setdefault(name, []).append(bound)
                self._spans.setdefault(name, bound.span)
                continue
            failed = outer
            for test, body in bound.tests:
                expression = self._conditions.expression(test)
                self.collect(body, (*failed, expression))
                failed = (*failed, f"not ({expression})")
            self.collect(bound.otherwise, failed)

    @property
    def always(self) -> frozenset[int]:
        """The numbers of the routes without a condition."""
        return frozenset(number for number, condition in enumerate(self._by_condition) if not condition)

    def declare(self, writer: _Writer) -> None:
        """Write the lists of all routes, empty."""
        for name in self.lists:
            writer.line(f"{name} = []")

    def write(self, writer: _Writer) -> None:
        """Write what hands one event over to its routes."""
        writer.line("record = (raw, head, event, key)")
        for condition, name in self._by_condition.items():
            self._append(writer, condition, name)

    def sort(self, writer: _Writer) -> None:
        """Write what hands all ``records`` over to their routes."""
        conditional = {condition: name for condition, name in self._by_condition.items() if condition}
        for condition, name in self._by_condition.items():
            writer.line(f"{name} = []" if condition else f"{name} = records", self._spans[name])
        if conditional:
            writer.line("for record in records:")
            writer.depth += 1
            writer.line("event = record[2]")
            for condition, name in conditional.items():
                self._append(writer, condition, name)
            writer.depth -= 1

    def _append(self, writer: _Writer, condition: str, name: str) -> None:
        span = self._spans[name]
        if condition:
            writer.line(f"if {condition}:", span)
        writer.line(f"{'    ' if condition else ''}{name}.append(record)", span)


class _Body:
    """Writes the filters. Where a filter may turn one event into several, the rest becomes an inner loop."""

    def __init__(self, writer: _Writer, conditions: ConditionWriter, routes: _Routes) -> None:
        self._writer, self._conditions, self._routes = writer, conditions, routes
        self._loops = 0

    def block(self, bounds: tuple[Bound, ...], *, routed: bool) -> None:
        """Write the top-level filters, then, if ``routed``, what hands the event over to its routes."""
        self._statements(bounds, None if routed else "")

    def _statements(self, bounds: tuple[Bound, ...], queue: str | None) -> None:
        """Write ``bounds``; what comes out goes to the list ``queue``, or to the routes at the top level.

        ``queue`` is None for the top level and ``""`` where nothing is to be done with what comes out.
        """
        writer = self._writer
        depth = writer.depth
        for position, bound in enumerate(bounds):
            if isinstance(bound, Step):
                if bound.spec.shape == "expand":
                    self._expand(bound)
                else:
                    self._step(bound)
            elif any(step.spec.shape == "expand" for step in steps((bound,))):
                name = f"queue_{self._loops}"
                self._loops += 1
                writer.line(f"{name} = []")
                self._fork(bound, name)
                writer.line(f"for raw, head, event, key in {name}:")
                writer.depth += 1
                self._statements(bounds[position + 1 :], queue)
                writer.depth = depth
                return
            else:
                self._fork(bound, "")
        if queue is None:
            self._routes.write(writer)
        elif queue:
            writer.line(f"{queue}.append((raw, head, event, key))")
        writer.depth = depth

    def _fork(self, fork: Fork, queue: str) -> None:
        writer = self._writer
        word = "if"
        for test, body in fork.tests:
            writer.line(f"{word} {self._conditions.expression(test)}:", test.span)
            self._branch(body, queue)
            word = "elif"
        if fork.otherwise or queue:
            writer.line("else:", fork.span)
            self._branch(fork.otherwise, queue)

    def _branch(self, body: tuple[Bound, ...], queue: str) -> None:
        writer = self._writer
        writer.depth += 1
        if body or queue:
            self._statements(body, queue)
        else:
            writer.line("pass")
        writer.depth -= 1

    def _step(self, step: Step) -> None:
        writer, name, span = self._writer, step.name, step.span
        call = f"{name}(event, received_ns)" if step.spec.timed else f"{name}(event)"
        writer.line("try:")
        if step.spec.shape == "cancel":
            writer.line(f"    if {call}:", span)
            writer.line(f"        tally.dropped[{step.plugin_id!r}] += 1")
            writer.line("        continue")
        elif step.common.build() is None:
            writer.line(f"    {call}", span)
        else:
            writer.line(f"    if {call}:", span)
            writer.line(f"        {name}_common(event)", span)
        writer.line("except Exception as error:")
        writer.line(f"    {name}_failed(event, error)", span)

    def _expand(self, step: Step) -> None:
        self._writer.line(f"for raw, head, event, key in {step.name}((raw, head, event, key), tally):", step.span)
        self._writer.depth += 1
