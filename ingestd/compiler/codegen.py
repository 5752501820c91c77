"""Generate the Python function of a pipeline.

The code is deterministic and meant to be read (``ingestd explain --code``). It contains only ``repr()`` of values and
generated names. One loop over the records of a chunk; each filter is one call; when a filter fails, the event is
tagged and counted, and goes on. The function returns one list of records for each *route*: the set of outputs under
the same condition. Unless a filter drops or adds events, the loop is over the events alone, and the records are
built after it, all at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ingestd.compiler.bound import BoundBranch, BoundPipeline, BoundStatement, Step, steps
from ingestd.compiler.conditions import ConditionWriter
from ingestd.compiler.namespace import GlobalNames
from ingestd.config.errors import ConfigError, Span


@dataclass(slots=True)
class GeneratedCode:
    """Generated code. ``spans`` maps its lines (from 1) to the config; ``routes`` lists the outputs of each route.

    ``reads`` are the fields of the conditions, ``names`` the global names that ``ConditionWriter`` added, ``always``
    the numbers of the routes that every event takes.
    """

    text: str
    spans: dict[int, Span]
    routes: list[list[Step]]
    reads: frozenset[str]
    names: GlobalNames
    always: frozenset[int]


@dataclass(slots=True)
class _LineWriter:
    """Lines with indentation, each with its span in the config."""

    lines: list[str] = field(default_factory=list)
    spans: dict[int, Span] = field(default_factory=dict)
    depth: int = 0

    def line(self, text: str, span: Span | None = None) -> None:
        self.lines.append("    " * self.depth + text)
        if span is not None:
            self.spans[len(self.lines)] = span


def generate(bound: BoundPipeline, names: GlobalNames, errors: list[ConfigError], *, projected: bool) -> GeneratedCode:
    """Return the code of ``bound``; errors in conditions are appended to ``errors``.

    ``projected``: events hold only the touched fields, so a copy of each event from before the filters is kept.
    """
    conditions = ConditionWriter(names, errors)
    writer = _LineWriter()
    routes = _RouteWriter(conditions)
    routes.collect(bound.outputs, ())
    writer.line("def pipeline(raws, events, keys, decorate, received_ns, tally):")
    writer.depth = 1
    writer.line("originals = [event.copy() for event in events]" if projected else "originals = events")
    writer.line("if decorate is not None:")
    writer.line("    for event in events:")
    writer.line("        decorate(event)")
    body = _FilterWriter(writer, conditions, routes)
    if any(step.spec.outcome != "one" for step in steps(bound.filters)):
        routes.declare(writer)
        writer.line("for raw, original, event, key in zip(raws, originals, events, keys):")
        writer.depth = 2
        body.block(bound.filters, routed=True)
    else:
        if bound.filters:
            writer.line("for event in events:")
            writer.depth = 2
            body.block(bound.filters, routed=False)
        writer.depth = 1
        writer.line("records = list(zip(raws, originals, events, keys))")
        routes.sort(writer)
    writer.depth = 1
    writer.line(f"return [{', '.join(routes.lists)}]")
    text = "\n".join(writer.lines) + "\n"
    return GeneratedCode(
        text, writer.spans, list(routes.lists.values()), frozenset(conditions.reads), names, routes.always
    )


class _RouteWriter:
    """Groups outputs by their condition."""

    def __init__(self, conditions: ConditionWriter) -> None:
        self._conditions = conditions
        self._by_condition: dict[str, str] = {}
        self._spans: dict[str, Span] = {}
        self.lists: dict[str, list[Step]] = {}

    def collect(self, statements: tuple[BoundStatement, ...], outer: tuple[str, ...]) -> None:
        for statement in statements:
            if isinstance(statement, Step):
                condition = " and ".join(f"({expression})" for expression in outer)
                name = self._by_condition.setdefault(condition, f"route_{len(self._by_condition)}")
                self.lists.setdefault(name, []).append(statement)
                self._spans.setdefault(name, statement.span)
                continue
            failed = outer
            for test, body in statement.tests:
                expression = self._conditions.expression(test)
                self.collect(body, (*failed, expression))
                failed = (*failed, f"not ({expression})")
            self.collect(statement.otherwise, failed)

    @property
    def always(self) -> frozenset[int]:
        """The numbers of the routes without a condition."""
        return frozenset(number for number, condition in enumerate(self._by_condition) if not condition)

    def declare(self, writer: _LineWriter) -> None:
        """Write the empty lists of all routes."""
        for name in self.lists:
            writer.line(f"{name} = []")

    def write(self, writer: _LineWriter) -> None:
        """Write the code that adds one event to its routes."""
        writer.line("record = (raw, original, event, key)")
        for condition, name in self._by_condition.items():
            self._append(writer, condition, name)

    def sort(self, writer: _LineWriter) -> None:
        """Write the code that adds all ``records`` to their routes."""
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

    def _append(self, writer: _LineWriter, condition: str, name: str) -> None:
        span = self._spans[name]
        if condition:
            writer.line(f"if {condition}:", span)
        writer.line(f"{'    ' if condition else ''}{name}.append(record)", span)


class _FilterWriter:
    """Writes the filters. After a filter that may return several events, the rest becomes an inner loop."""

    def __init__(self, writer: _LineWriter, conditions: ConditionWriter, routes: _RouteWriter) -> None:
        self._writer, self._conditions, self._routes = writer, conditions, routes
        self._loops = 0

    def block(self, statements: tuple[BoundStatement, ...], *, routed: bool) -> None:
        """Write the top-level filters, then, if ``routed``, the code that adds the event to its routes."""
        self._statements(statements, None if routed else "")

    def _statements(self, statements: tuple[BoundStatement, ...], queue: str | None) -> None:
        """Write ``statements``; their events go to the list ``queue``, or to the routes at the top level.

        ``queue`` is None at the top level and ``""`` if nothing needs to be done with the events.
        """
        writer = self._writer
        depth = writer.depth
        for position, statement in enumerate(statements):
            if isinstance(statement, Step):
                if statement.spec.outcome == "any_number":
                    self._expand(statement)
                else:
                    self._step(statement)
            elif any(step.spec.outcome == "any_number" for step in steps((statement,))):
                name = f"queue_{self._loops}"
                self._loops += 1
                writer.line(f"{name} = []")
                self._branch(statement, name)
                writer.line(f"for raw, original, event, key in {name}:")
                writer.depth += 1
                self._statements(statements[position + 1 :], queue)
                writer.depth = depth
                return
            else:
                self._branch(statement, "")
        if queue is None:
            self._routes.write(writer)
        elif queue:
            writer.line(f"{queue}.append((raw, original, event, key))")
        writer.depth = depth

    def _branch(self, branch: BoundBranch, queue: str) -> None:
        writer = self._writer
        word = "if"
        for test, body in branch.tests:
            writer.line(f"{word} {self._conditions.expression(test)}:", test.span)
            self._block(body, queue)
            word = "elif"
        if branch.otherwise or queue:
            writer.line("else:", branch.span)
            self._block(branch.otherwise, queue)

    def _block(self, body: tuple[BoundStatement, ...], queue: str) -> None:
        writer = self._writer
        writer.depth += 1
        if body or queue:
            self._statements(body, queue)
        else:
            writer.line("pass")
        writer.depth -= 1

    def _step(self, step: Step) -> None:
        """Write the call of a filter that makes no new events; of one with common options:

        .. code-block:: python

            try:
                if grok_0(event):
                    grok_0_common_options(event)
            except Exception as error:
                grok_0_failed(event, error)

        Without common options, ``grok_0(event)`` stands alone; a filter that may drop the event is followed by:

        .. code-block:: python

            if drop_0(event):
                tally.dropped["drop_0"] += 1
                continue
        """
        writer, span = self._writer, step.span
        call = f"{step.name}(event, received_ns)" if step.spec.timed else f"{step.name}(event)"
        writer.line("try:")
        if step.spec.outcome == "one_or_none":
            writer.line(f"    if {call}:", span)
            writer.line(f"        tally.dropped[{step.plugin_id!r}] += 1")
            writer.line("        continue")
        elif step.common_options.change_events:
            writer.line(f"    if {call}:", span)
            writer.line(f"        {step.common_options_name}(event)", span)
        else:
            writer.line(f"    {call}", span)
        writer.line("except Exception as error:")
        writer.line(f"    {step.failed_name}(event, error)", span)

    def _expand(self, step: Step) -> None:
        self._writer.line(
            f"for raw, original, event, key in {step.name}((raw, original, event, key), tally):", step.span
        )
        self._writer.depth += 1
