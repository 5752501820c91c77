"""The generated code does what walking the bound pipeline does, with any branches, drops and clones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingestd.compiler.bound import BoundStatement, Step
from ingestd.compiler.check import check
from ingestd.compiler.conditions import ConditionWriter
from ingestd.compiler.namespace import HELPERS, GlobalNames
from ingestd.config.nodes import Condition
from ingestd.config.parser import parse
from ingestd.event.table import Table
from ingestd.plugins.registry import BuildContext
from tests.conformance.running import FRAME, build, documents, lines
from tests.plugins.filters.tables import on_event
from tests.random_cases import random_cases

Event = dict[str, Any]

# Filters that tell in ``path`` which of them an event has passed; clones change its type.
plugin = st.one_of(
    st.sampled_from("abcd").map(lambda name: f'mutate {{ add_field => {{ "path" => "{name}" }} }}'),
    st.just("drop { }"),
    st.sampled_from(["x", "y"]).map(lambda name: f'clone {{ clones => ["{name}"] }}'),
    st.just('clone { clones => ["x", "z"] add_field => { "path" => "cloned" } }'),
)
condition = st.sampled_from(['[type] == "x"', '[type] == "y"', '"a" in [path]', '[path] == "b"', "[n] > 1", "[path]"])
statement = st.recursive(
    plugin,
    lambda inner: st.one_of(
        st.builds("if {} {{ {} }}".format, condition, st.lists(inner, max_size=3).map("\n".join)),
        st.builds(
            "if {} {{ {} }} else if {} {{ {} }} else {{ {} }}".format,
            condition,
            inner,
            condition,
            st.lists(inner, max_size=2).map("\n".join),
            inner,
        ),
    ),
    max_leaves=8,
)
configs = st.lists(statement, max_size=5).map("\n".join)


class Walker:
    """Runs a bound pipeline one event at a time, by recursion."""

    def __init__(self, text: str) -> None:
        self.pipeline, errors = check(parse(FRAME % text, "test.conf", {}))
        assert not errors

    def run(self, statements: tuple[BoundStatement, ...], event: Event) -> list[Event]:
        if not statements:
            return [event]
        return [out for passed in self._statement(statements[0], event) for out in self.run(statements[1:], passed)]

    def _statement(self, statement: BoundStatement, event: Event) -> list[Event]:
        if isinstance(statement, Step):
            return self._step(statement, event)
        for test, body in statement.tests:
            if self._is_true(test, event):
                return self.run(body, event)
        return self.run(statement.otherwise, event)

    @staticmethod
    def _step(step: Step, event: Event) -> list[Event]:
        common_options: Callable[[Event], None] = step.common_options.build() or (lambda event: None)
        function = step.spec.build(step.options, BuildContext(common_options=common_options))
        if step.spec.outcome == "any_number":
            return list(function(event))
        done = on_event(function, event) if step.spec.columns else function(event)
        if step.spec.outcome == "one_or_none":
            return [] if done else [event]
        if done:
            common_options(event)
        return [event]

    @staticmethod
    def _is_true(test: Condition, event: Event) -> bool:
        writer = ConditionWriter(names := GlobalNames(HELPERS), [])
        text, table = writer.expression(test), Table.of_events([event], [0])
        columns = {name: eval(column, dict(names.values), {"table": table}) for name, column in writer.columns.items()}
        return bool(eval(text, dict(names.values), {"row": 0, **columns}))


@random_cases(75)
@given(configs)
def test_code_does_what_the_config_says(text: str) -> None:
    walker = Walker(text)
    records: list[Event] = [{"n": 1, "type": "x"}, {"n": 2, "type": "y", "path": "a"}, {"n": 3}]
    events = [json.loads(line) for line in lines(*records).splitlines()]
    expected = [out for event in events for out in walker.run(walker.pipeline.filters, event)]
    assert documents(build(FRAME % text), lines(*records)) == expected
