"""A table of cases for a filter: settings as in a config, the event before and after."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from ingestd.config.errors import ConfigError, Span
from ingestd.config.nodes import ArrayLiteral, HashLiteral, NumberLiteral, PluginSetting, StringLiteral, Value
from ingestd.event.table import Table
from ingestd.plugins.options import read_options
from ingestd.plugins.registry import BuildContext, PluginSpec, find

SPAN = Span("test.conf", 1, 1)
RECEIVED_NS = 1_763_805_600_500_000_000  # 2025-11-22T10:00:00.500Z


class Case(NamedTuple):
    """One row: ``done`` is what the filter returns, whether the common options run."""

    id: str
    settings: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]
    done: bool = True


def node(value: Any) -> Value:
    """Return the config value that stands for a Python value."""
    if isinstance(value, bool):
        return StringLiteral("true" if value else "false", SPAN, bare=True)
    if isinstance(value, int | float):
        return NumberLiteral(value, SPAN)
    if isinstance(value, list):
        return ArrayLiteral(tuple(node(item) for item in value), SPAN)
    if isinstance(value, dict):
        return HashLiteral(tuple((StringLiteral(key, SPAN), node(item)) for key, item in value.items()), SPAN)
    return StringLiteral(value, SPAN)


def spec_of(name: str) -> PluginSpec:
    spec = find("filter", name)
    assert spec is not None
    return spec


def options_of(name: str, settings: dict[str, Any]) -> Any:
    """Return the options read from ``settings``. Raises the first ConfigError."""
    errors: list[ConfigError] = []
    written = tuple(PluginSetting(key, node(value), SPAN) for key, value in settings.items())
    spec = spec_of(name)
    options = read_options(spec.options, written, f"filter {name!r}", SPAN, errors, legacy=spec.legacy)
    if options is None:
        raise errors[0]
    return options


def build(name: str, **settings: Any) -> Any:
    """Return the function of the filter ``name`` with these settings."""
    return build_in(BuildContext(), name, settings)


def build_in(context: BuildContext, name: str, settings: dict[str, Any]) -> Any:
    """Return the function of a filter as one of an event, which it changes."""
    spec = spec_of(name)
    function = spec.build(options_of(name, settings), context)
    if spec.columns:
        return partial(on_event, function)
    return (lambda event: function(event, RECEIVED_NS)) if spec.timed else function


def on_event(function: Any, event: dict[str, Any], received_ns: int = RECEIVED_NS) -> bool:
    """Run a filter that works on columns over one event, which it changes."""
    table = Table.of_events([event], [0])
    passed = function(table, table.rows, received_ns)
    changed = table.event(0).copy()
    event.clear()
    event.update(changed)
    return [*passed] == [0]


def containers(value: Any) -> Iterator[Any]:
    """Yield every list and dict inside ``value``, not ``value`` itself."""
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, list | dict):
            yield item
            yield from containers(item)


def run(name: str, case: Case) -> tuple[dict[str, Any], Any]:
    """Run the filter on a copy of ``case.before``; return the event and what the filter returned.

    A container that was in the event must not have been changed in place.
    """
    event = copy.deepcopy(case.before)
    held = [(item, copy.deepcopy(item)) for item in containers(event)]
    done = build(name, **case.settings)(event)
    for item, before in held:
        assert item == before, "a container inside the event was changed in place"
    return event, done


def check(name: str, case: Case) -> None:
    """Assert that ``case`` holds, types included (``1`` is not ``1.0`` nor ``true``)."""
    event, done = run(name, case)
    result, expected = repr(dict(sorted(event.items()))), repr(dict(sorted(case.after.items())))
    assert result == expected, f"{result} is not {expected}"
    assert done is case.done, f"returned {done}"
