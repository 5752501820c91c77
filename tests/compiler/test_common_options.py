"""Options that every plugin of a kind has: whether they change events at all."""

from __future__ import annotations

import pytest

from ingestd.compiler.common_options import FilterCommonOptions, InputCommonOptions, OutputCommonOptions
from ingestd.event.sprintf import Template

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
