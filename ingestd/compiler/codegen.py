"""Generate the Python function of a pipeline.

The code is deterministic and meant to be read (``ingestd explain --code``). It contains only ``repr()`` of values and
generated names. The function gets the events of a chunk as a ``Table`` and returns the rows of each *route*: the set of
outputs under the same condition. A filter that works on columns gets all rows at once; if it fails, each row is tried
alone, and the event that it fails on is tagged and counted, and continues. Other filters are called for each event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

from ingestd.compiler.bound import BoundBranch, BoundPipeline, BoundStatement, Step, steps
from ingestd.compiler.conditions import ConditionWriter
from ingestd.compiler.namespace import GlobalNames
from ingestd.config.errors import ConfigError, Span
from ingestd.config.nodes import Condition


@dataclass(slots=True)
class GeneratedCode:
    """Generated code. ``spans`` maps its lines (from 1) to the config; ``routes`` lists the outputs of each route.

    ``reads`` are the fields of the conditions, ``names`` the global names that ``ConditionWriter`` added, ``always``
    the numbers of the routes that every event takes; ``fields`` the global names of top-level fields.
    """

    text: str
    spans: dict[int, Span]
    routes: list[list[Step]]
    reads: frozenset[str]
    names: GlobalNames
    always: frozenset[int]
    fields: dict[str, tuple[str, ...]]


def generate(
    bound: BoundPipeline, names: GlobalNames, errors: list[ConfigError], *, projected: bool, traced: bool = False
) -> GeneratedCode:
    """Return the code of ``bound``; errors in conditions are appended to ``errors``.

    ``projected``: events are not whole, so a filter that is called for each event gets those fields that it touches.
    ``traced``: the code also calls the methods of the global name ``trace``, see ``compiler.trace``.
    """
    writer = _CodeWriter(ConditionWriter(names, errors), names, projected=projected, traced=traced)
    writer.line("def pipeline(table, decorate, received_ns, tally):")
    writer.depth = 1
    writer.line("rows = table.rows")
    writer.line("if decorate is not None:")
    writer.line("    decorate(table, rows)")
    writer.trace("start(table, rows)")
    writer.filters(bound.filters, "rows")
    routes = _RouteWriter(writer)
    routes.collect(bound.outputs, ())
    routes.write()
    text = "\n".join(writer.lines) + "\n"
    reads = frozenset(writer.conditions.reads)
    fields = {
        name: tuple(sorted(frozenset({"tags"}).union(*(step.touch().tops() for step in group))))
        for name, group in writer.fields.items()
    }
    return GeneratedCode(text, writer.spans, list(routes.lists.values()), reads, names, routes.always, fields)


@dataclass(slots=True)
class _CodeWriter:
    """Writes lines with indentation, each with its span in the config, and the statements of the filter section."""

    conditions: ConditionWriter
    names: GlobalNames
    projected: bool
    traced: bool
    lines: list[str] = field(default_factory=list)
    spans: dict[int, Span] = field(default_factory=dict)
    depth: int = 0
    fields: dict[str, list[Step]] = field(default_factory=dict)
    """The filters whose fields a global name stands for."""
    _variables: int = 0

    def line(self, text: str, span: Span | None = None) -> None:
        """Write one line."""
        self.lines.append("    " * self.depth + text)
        if span is not None:
            self.spans[len(self.lines)] = span

    def trace(self, call: str) -> None:
        """Write a call of a method of ``trace``, if the code is traced."""
        if self.traced:
            self.line(f"trace.{call}")

    def trace_test(self, test: Condition, rows: str, chosen: str, depth: int) -> None:
        """Write the call that notes for which of ``rows`` a condition is true: for ``chosen``."""
        if self.traced:
            self.trace(f"test({self.names.add('condition', test)}, {depth}, table, {rows}, {chosen})")

    def condition(self, test: Condition) -> str:
        """Return the expression of a condition, after the lines with the columns that it needs."""
        text = self.conditions.expression(test)
        self.columns()
        return text

    def columns(self) -> None:
        """Write the columns that the expressions of conditions need."""
        for name, column in self.conditions.columns.items():
            self.line(f"{name} = {column}")
        self.conditions.columns.clear()

    def filters(self, statements: tuple[BoundStatement, ...], rows: str) -> None:
        """Write ``statements`` for the events in the variable ``rows``, which gets those that are left."""
        for kind, group in groupby(statements, _kind):
            if kind == "events":
                self._each_event([step for step in group if isinstance(step, Step)], rows)
                continue
            for statement in group:
                if isinstance(statement, BoundBranch):
                    self._branch(statement, rows)
                    continue
                self.trace(f"enter({statement.name!r}, {self.depth - 1}, table, {rows})")
                if kind == "drops":
                    self._each_event([statement], rows)
                elif kind == "columns":
                    self._columns(statement, rows)
                else:
                    self.line(f"{rows} = {statement.name}(table, {rows}, tally)", statement.span)
                self.trace(f"leave({statement.name!r}, table, {rows})")

    def _branch(self, branch: BoundBranch, rows: str) -> None:
        """Write a branch: the rows of each test, and if something is done with them, those that are left.

        .. code-block:: python

            level_values = table.column('level')
            rows_0, rows_1 = split(rows, [level_values[row] == 'ERROR' for row in rows])
            if rows_0:
                ...
            rows_2 = [row for row in rows_1 if level_values[row] == 'INFO']
            if rows_2:
                ...
        """
        left, parts = rows, []
        merges = any(step.spec.outcome != "one" for step in steps((branch,)))
        for number, (test, body) in enumerate(branch.tests, 1):
            chosen, expression, before = self._variable(), self.condition(test), left
            parts.append(chosen)
            if number < len(branch.tests) or branch.otherwise or merges:
                others = self._variable()
                self.line(f"{chosen}, {others} = split({left}, [{expression} for row in {left}])", test.span)
                left = others
            else:
                self.line(f"{chosen} = [row for row in {left} if {expression}]", test.span)
            self.trace_test(test, before, chosen, self.depth - 1)
            self._block(body, chosen)
        self._block(branch.otherwise, left)
        if merges:
            self.line(f"{rows} = table.merge({rows}, {', '.join([*parts, left])})", branch.span)

    def _variable(self) -> str:
        self._variables += 1
        return f"rows_{self._variables - 1}"

    def _block(self, body: tuple[BoundStatement, ...], rows: str) -> None:
        if body:
            self.line(f"if {rows}:")
            self.depth += 1
            self.filters(body, rows)
            self.depth -= 1

    def _columns(self, step: Step, rows: str) -> None:
        """Write the call of a filter that works on columns; without common options, ``passed`` is left out.

        .. code-block:: python

            for some in table.attempts(rows):
                try:
                    passed = geoip_0(table, some, received_ns)
                    geoip_0_common_options(table, passed)
                except Exception as error:
                    geoip_0_failed(table, some, error)
        """
        span = step.span
        call = f"{step.name}(table, some, received_ns)"
        self.line(f"for some in table.attempts({rows}):")
        self.line("    try:")
        if step.common_options.change_events:
            self.line(f"        passed = {call}", span)
            self.line(f"        {step.common_options_name}(table, passed)", span)
        else:
            self.line(f"        {call}", span)
        self.line("    except Exception as error:")
        self.line(f"        {step.failed_name}(table, some, error)", span)

    def _each_event(self, group: list[Step], rows: str) -> None:
        """Write the loops of filters that are called for each event.

        .. code-block:: python

            events = table.take(rows, mutate_0_fields)
            for event in events:
                try:
                    if mutate_0(event):
                        mutate_0_common_options(event)
                except Exception as error:
                    mutate_0_failed(event, error)
            table.put_back(rows, events, mutate_0_fields)

        Whole events are changed in place. A filter that drops events leaves the others in ``rows``.
        """
        fields = group[0].fields_name
        self.fields[fields] = group
        self.line(f"events = table.take({rows}, {fields})" if self.projected else f"events = table.wholes({rows})")
        for step in group:
            self._traced_loop(step, rows, fields)
        if self.projected:
            self.line(f"table.put_back({rows}, events, {fields})")
        if group[-1].spec.outcome == "one_or_none":
            self.line("if any(dropped):")
            self.line(f"    tally.dropped[{group[-1].plugin_id!r}] += sum(dropped)")
            self.line(f"    _, {rows} = split({rows}, dropped)")

    def _traced_loop(self, step: Step, rows: str, fields: str) -> None:
        """Write the loop of one filter of a group, and what traces it; one that drops events is traced as a whole."""
        if step.spec.outcome == "one_or_none":
            self._event_loop(step)
            return
        self.trace(f"enter({step.name!r}, {self.depth - 1}, table, {rows})")
        self._event_loop(step)
        self.trace(f"leave({step.name!r}, table, {rows}{f', events, {fields}' * self.projected})")

    def _event_loop(self, step: Step) -> None:
        """Write the loop of one filter over ``events``."""
        span = step.span
        call = f"{step.name}(event, received_ns)" if step.spec.timed else f"{step.name}(event)"
        if step.spec.outcome == "one_or_none":
            self.line("dropped = [False] * len(events)")
            self.line("for number, event in enumerate(events):")
        else:
            self.line("for event in events:")
        self.line("    try:")
        if step.spec.outcome == "one_or_none":
            self.line(f"        dropped[number] = {call}", span)
        elif step.common_options.change_events:
            self.line(f"        if {call}:", span)
            self.line(f"            {step.common_options_name}(event)", span)
        else:
            self.line(f"        {call}", span)
        self.line("    except Exception as error:")
        self.line(f"        {step.failed_name}(event, error)", span)


def _kind(statement: BoundStatement) -> str:
    """Return what statements that follow each other have in common if they are written together."""
    if isinstance(statement, BoundBranch):
        return "branch"
    if statement.spec.columns:
        return "columns"
    if statement.spec.outcome == "any_number":
        return "copies"
    return "events" if statement.spec.outcome == "one" else "drops"


class _RouteWriter:
    """Groups outputs by their condition."""

    def __init__(self, writer: _CodeWriter) -> None:
        self._writer = writer
        self._by_condition: dict[str, str] = {}
        self._spans: dict[str, Span] = {}
        self._tests: list[tuple[Condition, tuple[str, ...], str]] = []
        self.lists: dict[str, list[Step]] = {}

    def collect(self, statements: tuple[BoundStatement, ...], outer: tuple[str, ...]) -> None:
        """Collect the outputs in ``statements``, under the conditions ``outer``."""
        for statement in statements:
            if isinstance(statement, Step):
                condition = " and ".join(f"({expression})" for expression in outer)
                name = self._by_condition.setdefault(condition, f"route_{len(self._by_condition)}")
                self.lists.setdefault(name, []).append(statement)
                self._spans.setdefault(name, statement.span)
                continue
            failed = outer
            for test, body in statement.tests:
                expression = self._writer.conditions.expression(test)
                self._tests.append((test, failed, expression))
                self.collect(body, (*failed, expression))
                failed = (*failed, f"not ({expression})")
            self.collect(statement.otherwise, failed)

    @property
    def always(self) -> frozenset[int]:
        """The numbers of the routes without a condition."""
        return frozenset(number for number, condition in enumerate(self._by_condition) if not condition)

    def write(self) -> None:
        """Write the rows of each route, and return them."""
        self._writer.trace("outputs()")
        if self._writer.traced:
            self._trace_tests()
        for condition, name in self._by_condition.items():
            span = self._spans[name]
            if condition:
                self._writer.columns()
                self._writer.line(f"{name} = [row for row in rows if {condition}]", span)
            else:
                self._writer.line(f"{name} = rows", span)
        self._writer.line(f"return [{', '.join(self.lists)}]")

    def _trace_tests(self) -> None:
        """Write the calls that note for which rows the conditions are true."""
        self._writer.columns()
        for test, outer, expression in self._tests:
            asked = "".join(f" if ({condition})" for condition in outer)
            rows = f"[row for row in rows{asked}]"
            self._writer.trace_test(test, rows, f"[row for row in rows{asked} if {expression}]", 0)
