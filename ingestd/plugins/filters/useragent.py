"""``useragent``: recognise browser, operating system and device in a user agent.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-useragent and the plugin's version 3.3.
The patterns are those of https://github.com/ua-parser/uap-core, which the package ua-parser-builtins brings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ingestd.event.fields import FieldRef
from ingestd.event.table import Rows, Table
from ingestd.plugins.ecs import ecs_option, ecs_select, uses_ecs
from ingestd.plugins.filters._trees import Tree, copier, put_tree, set_in
from ingestd.plugins.filters._user_agents import AGENT_PARTS, Agent, builtin_parser, file_parser, recognise
from ingestd.plugins.registry import (
    BuildContext,
    ColumnsFn,
    OptionWarning,
    Touch,
    filter_plugin,
    option,
    required,
)

if TYPE_CHECKING:
    from ingestd.plugins.filters._user_agents import Parser

_MAX_CHARS = 8192  # of a user agent; the rest is ignored
_CACHED_CHARS = 1024
_VERSION = "[@metadata][filter][user_agent][version]"
_OS_VERSION = "[@metadata][filter][user_agent][os][version]"

Layout = dict[str, tuple[FieldRef, ...]]
"""The fields that each part of an ``Agent`` is set to."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``useragent``."""

    source: FieldRef = required("Field with the user agent; of an array, the first item.")
    target: FieldRef | None = option(
        None, "Field for the result; default: the event itself, or with ECS `[user_agent]`."
    )
    prefix: str = option("", "Text to put before the name of each field; has no effect with ECS.")
    regexes: str | None = option(
        None, "Path of another `regexes.yaml`; default: the one of the installed package `ua-parser-builtins`."
    )
    lru_cache_size: int = option(10_000, "How many user agents to cache; each takes about 1 kB.")
    ecs_compatibility: str = ecs_option(
        "Layout of the fields: flat, or with `v1` or `v8` that of the Elastic Common Schema."
    )


def _layout(options: Options) -> Layout:
    """Return the fields to set, by the name of what they hold."""
    target = str(options.target or ecs_select(options, disabled="", ecs="[user_agent]"))

    def inside(name: str) -> FieldRef:
        return FieldRef(f"{target}[{options.prefix}{name}]")

    if not uses_ecs(options):
        return {name: (inside(name),) for name in AGENT_PARTS} | {"os_name": (inside("os_name"), inside("os"))}
    parts = {
        "name": "[name]",
        "device": "[device][name]",
        "version": "[version]",
        "os_name": "[os][name]",
        "os_version": "[os][version]",
        "os_full": "[os][full]",
    }
    layout: Layout = {name: (FieldRef(f"{target}{part}"),) for name, part in parts.items()}
    for name in ("major", "minor", "patch"):
        layout[name] = (FieldRef(f"{_VERSION}[{name}]"),)
        layout[f"os_{name}"] = (FieldRef(f"{_OS_VERSION}[{name}]"),)
    return layout


def _touches(options: Options) -> Touch:
    sets = frozenset(ref.text for refs in _layout(options).values() for ref in refs)
    replaced = frozenset({options.source.text}) if options.source == options.target else frozenset()
    return Touch(reads=sets | {options.source.text}, sets=sets, removes=replaced)


def _warnings(options: Options) -> Iterator[OptionWarning]:
    if options.prefix and uses_ecs(options):
        yield OptionWarning("prefix", "prefix has no effect with ecs_compatibility", "remove it")


@filter_plugin("useragent", Options, touches=_touches, option_warnings=_warnings, columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Set the name and version of the browser, the operating system and the device that a user agent names.

    What is not recognised is `Other`. Fields of ECS that hold parts of versions are in `[@metadata]`.
    """
    if options.lru_cache_size < 1:
        raise ValueError("lru_cache_size must be at least 1")
    if options.target is not None and options.target.top in ("@timestamp", "tags"):
        raise ValueError(f"{options.target} cannot hold the fields of a user agent")
    find = _finder(options, context)
    replaces = options.source == options.target

    def useragent(table: Table, rows: Rows, received_ns: int) -> Rows:
        values, passed = [*table.values(options.source)], []
        for row in rows:
            value = values[row]
            if type(value) is list:
                value = value[0] if value else None
            if type(value) is not str or not value:
                continue
            if replaces:
                table.remove(options.source, row)
            put_tree(table, row, find(value)())
            passed.append(row)
        return passed

    return useragent


def _finder(options: Options, context: BuildContext) -> Callable[[str], Callable[[], Tree]]:
    """Return a function of a user agent that returns a function that makes a new tree of its fields."""
    parser: Callable[[], Parser] = builtin_parser
    if options.regexes is not None:
        parser = file_parser(context.folder / Path(options.regexes))
    layout = _layout(options)

    def find(text: str) -> Callable[[], Tree]:
        return copier(_tree(recognise(parser(), text[:_MAX_CHARS]), layout))

    cached = lru_cache(options.lru_cache_size)(find)
    return lambda text: cached(text) if len(text) <= _CACHED_CHARS else find(text)


def _tree(agent: Agent, layout: Layout) -> Tree:
    tree: Tree = {}
    for name, value in agent.items():
        for ref in layout[name]:
            set_in(tree, ref, value)
    return tree
