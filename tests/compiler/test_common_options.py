"""Options that every plugin of a kind has: whether they change events at all."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.compiler.column_options import column_options
from ingestd.compiler.common_options import FilterCommonOptions, InputCommonOptions, OutputCommonOptions
from ingestd.event.sprintf import Template
from ingestd.event.table import Table

CASES = [  # id, options, whether they change events
    ("filter", FilterCommonOptions(id="x", enable_metric=False), False),
    ("filter_add_field", FilterCommonOptions(add_field={"a": "b"}), True),
    ("filter_add_tag", FilterCommonOptions(add_tag=[Template("a")]), True),
    ("filter_remove_field", FilterCommonOptions(remove_field=[Template("a")]), True),
    ("filter_remove_tag", FilterCommonOptions(remove_tag=[Template("a")]), True),
    ("input", InputCommonOptions(id="x"), False),
    ("input_type", InputCommonOptions(type="a"), True),
    ("input_tags", InputCommonOptions(tags=["a"]), True),
    ("input_add_field", InputCommonOptions(add_field={"a": "b"}), True),
    ("output", OutputCommonOptions(id="x"), False),
]


@pytest.mark.parametrize(("options", "changes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_function_is_built_if_they_change_events(
    options: FilterCommonOptions | InputCommonOptions | OutputCommonOptions, changes: bool
) -> None:
    """The generated code calls the function only where ``change_events`` says that there is one."""
    assert options.change_events == changes
    assert (options.build() is not None) == changes


names = st.sampled_from(["a", "[b]", "tags", "@timestamp", "[@timestamp]", "[a][b]", "%{a}"])
templates = st.sampled_from(["x", "%{a}", "%{[b][c]}", "%{tags}", "%{+YYYY}"])
lists = st.lists(templates.map(Template), max_size=2)
options = st.builds(
    FilterCommonOptions,
    add_field=st.dictionaries(names, templates | st.just(5) | st.lists(templates, max_size=2), max_size=2),
    add_tag=lists,
    remove_field=st.lists(names.map(Template), max_size=2),
    remove_tag=lists,
)
values = st.sampled_from(["x", None, 5, ["x", 1], [], {"c": "x"}])
events = st.dictionaries(st.sampled_from(["a", "b", "tags"]), values).map(
    lambda event: event | {"@timestamp": "2026-11-22T10:00:00.000Z"}
)


@given(options, st.lists(events, min_size=1, max_size=3), st.booleans())
def test_many_events_at_once(options: FilterCommonOptions, before: list[dict[str, Any]], every: bool) -> None:
    """The columns of many events change as one event does."""
    change_rows, change = column_options(options), options.build()
    table, expected = Table.of_events(copy.deepcopy(before), range(len(before))), copy.deepcopy(before)
    rows = table.rows if every else [0]
    if change_rows is not None and change is not None:
        change_rows(table, rows)
        for row in rows:
            change(expected[row])
    assert [table.event(row) for row in table.rows] == expected


@pytest.mark.parametrize("name", ["@timestamp", "[@timestamp]", "[[@timestamp]]"])
def test_the_timestamp_is_never_an_array(name: str) -> None:
    """The general way fails on it, so that the event gets a tag."""
    assert column_options(FilterCommonOptions(add_field={name: "x"})) is None
