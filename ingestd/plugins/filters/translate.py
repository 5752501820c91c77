"""``translate``: replace a value by the one that a dictionary has for it.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-translate and the plugin's version 3.5.
A file is checked for changes between chunks of events. Differences: relative paths start in the folder of the config.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ingestd.event.fields import Event, FieldRef
from ingestd.event.sprintf import Template, render_rows
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.ecs import ecs_option, ecs_select
from ingestd.plugins.filters._dictionaries import Dictionary, is_yaml, read_dictionary
from ingestd.plugins.filters._ruby import to_s
from ingestd.plugins.filters._sources import held_values
from ingestd.plugins.filters._targets import target as checked
from ingestd.plugins.filters._translations import Find, finder
from ingestd.plugins.filters._watched_files import ReloadedFile
from ingestd.plugins.registry import (
    BuildContext,
    ColumnsFn,
    LegacyOption,
    Touch,
    filter_plugin,
    option,
    replaced,
    required,
)

CurrentFind = Callable[[], Find]


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``translate``."""

    source: FieldRef = required("Field with the value to look up; of an array, the first item.")
    target: FieldRef | None = option(
        None, "Field for the translation; default: `translation`, or with ECS the source itself."
    )
    override: bool | None = option(
        None, "Replace a target that exists; default: only if it is the source. Otherwise the event is left as it is."
    )
    dictionary: dict[str, Any] = option({}, "The dictionary.")
    dictionary_path: str | None = option(
        None, "Path of a file with the dictionary: `.yaml`, `.yml`, `.json`, or `.csv` with two columns."
    )
    yaml_dictionary_code_point_limit: int | None = option(None, "Maximum characters of a YAML file; default: no limit.")
    refresh_interval: float = option(300.0, "How often to check the file for changes, in seconds; 0: never.")
    refresh_behaviour: str = option(
        "merge",
        "Whether a file that changed is added to the entries so far, or replaces them.",
        choices=("merge", "replace"),
    )
    exact: bool = option(True, "Look up the whole value; `false`: replace each key that occurs in it.")
    regex: bool = option(False, "With `exact`: keys are regular expressions; the first that matches is used.")
    fallback: Template | None = option(None, "Value of the target if there is no translation; may contain `%{field}`.")
    iterate_on: FieldRef | None = option(
        None,
        "Array to translate: the same as `source` to look up each of its values; or an array of hashes, in each of"
        " which `source` is looked up and `target` is set.",
    )
    ecs_compatibility: str = ecs_option("With `v1` or `v8` the default target is the source.")


_LEGACY = {
    "field": replaced("source"),
    "destination": replaced("target"),
    "yaml_load_strategy": LegacyOption("a YAML file is always read as a whole", silent=True),
}


@dataclass(frozen=True, slots=True)
class _Fields:
    source: FieldRef
    target: FieldRef
    override: bool


def _fields(options: Options) -> _Fields:
    source = options.source
    target = options.target or ecs_select(options, disabled=FieldRef("translation"), ecs=source)
    return _Fields(source, target, source == target if options.override is None else options.override)


def _touches(options: Options) -> Touch:
    fields = _fields(options)
    fallback = frozenset() if options.fallback is None else options.fallback.reads
    if options.iterate_on is not None and options.iterate_on != fields.source:
        array = frozenset({options.iterate_on.text})
        return Touch(reads=array | fallback, sets=array)
    return Touch(reads=fallback | {fields.source.text, fields.target.text}, sets=frozenset({fields.target.text}))


@filter_plugin("translate", Options, touches=_touches, columns=True, legacy=_LEGACY)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Set a field to what a dictionary has for the value of another field.

    The dictionary is in the config or in a file, which is read again when it changes.
    """
    fields, current = _fields(options), _lookup(options, context)
    if options.iterate_on is None:
        return _of_value(fields, options, current)
    if options.iterate_on == fields.source:
        return _of_values(fields, options, current)
    return _of_hashes(options.iterate_on, fields, options, current)


def _lookup(options: Options, context: BuildContext) -> CurrentFind:
    """Return a function that returns the lookup in the current dictionary."""
    limit = options.yaml_dictionary_code_point_limit
    if limit is not None and limit <= 0:
        raise ValueError("yaml_dictionary_code_point_limit must be positive")
    if options.dictionary_path is None:
        find = finder(options.dictionary, exact=options.exact, regex=options.regex)
        return lambda: find
    if options.dictionary:
        raise ValueError("set either dictionary or dictionary_path, not both")
    path = context.folder / Path(options.dictionary_path)
    if limit is not None and not is_yaml(path):
        raise ValueError("yaml_dictionary_code_point_limit is for YAML files only; remove it")
    merge = options.refresh_behaviour == "merge"

    def read(path: Path, old: _Loaded | None) -> _Loaded:
        entries = read_dictionary(path, limit)
        if merge and old is not None:
            entries = {**old.entries, **entries}
        return _Loaded(entries, finder(entries, exact=options.exact, regex=options.regex))

    watched = ReloadedFile(path, read, options.refresh_interval)
    return lambda: watched.current().find


class _Loaded(NamedTuple):
    entries: Dictionary
    find: Find


def _text(value: Any) -> str:
    return value if type(value) is str else to_s(value)


def _first(value: Any) -> str:
    if type(value) is list:
        return _text(value[0]) if value else ""
    return _text(value)


def _sources(table: Table, rows: Rows, fields: _Fields) -> list[tuple[int, Any]]:
    """Return the events to translate: their rows, and the values of their sources."""
    values = held_values(table, fields.source)
    held = ABSENT if fields.override else held_values(table, fields.target)
    return [(row, values[row]) for row in rows if values[row] is not ABSENT and (held is ABSENT or held[row] is ABSENT)]


def _of_value(fields: _Fields, options: Options, current: CurrentFind) -> ColumnsFn:
    fallback, destination = options.fallback, checked(fields.target)
    in_place = fields.source == fields.target

    def of_value(table: Table, rows: Rows, received_ns: int) -> Rows:
        find, sources = current(), _sources(table, rows, fields)
        found = [(row, find(_first(value))) for row, value in sources]
        unknown = [row for row, translation in found if translation is ABSENT]
        if unknown and fallback is not None:
            texts = dict(zip(unknown, render_rows(fallback, table, unknown), strict=True))
            found = [(row, texts[row] if new is ABSENT else new) for row, new in found]
        put = table.setter(destination)
        for row, translation in found:
            if translation is not ABSENT:
                put(row, translation)
        return [row for row, translation in found if in_place or translation is not ABSENT]

    return of_value


def _of_values(fields: _Fields, options: Options, current: CurrentFind) -> ColumnsFn:
    destination, in_place = checked(fields.target), fields.source == fields.target

    def of_values(table: Table, rows: Rows, received_ns: int) -> Rows:
        find, sources = current(), _sources(table, rows, fields)
        others = _fallbacks(options.fallback, table, [row for row, _ in sources])
        put, passed = table.setter(destination), []
        for (row, value), other in zip(sources, others, strict=True):
            found = [find(_text(item)) for item in _items(value)]
            translations = [other if new is ABSENT else new for new in found]
            put(row, translations)
            if in_place or any(new is not None and new is not False for new in translations):
                passed.append(row)
        return passed

    return of_values


def _fallbacks(fallback: Template | None, table: Table, rows: Rows) -> list[str] | list[None]:
    return [None] * len(rows) if fallback is None else render_rows(fallback, table, rows)


def _items(value: Any) -> list[Any]:
    """Return the items of an array; as in Ruby, null has none, and those of a hash are its pairs."""
    if type(value) is dict:
        return [[key, item] for key, item in value.items()]
    return value if type(value) is list else [] if value is None else [value]


def _of_hashes(array: FieldRef, fields: _Fields, options: Options, current: CurrentFind) -> ColumnsFn:
    def of_hashes(table: Table, rows: Rows, received_ns: int) -> Rows:
        find, values = current(), held_values(table, array)
        sources = [(row, values[row]) for row in rows if values[row] is not ABSENT]
        others = _fallbacks(options.fallback, table, [row for row, _ in sources])
        put, passed = table.setter(checked(array)), []
        for (row, value), other in zip(sources, others, strict=True):
            items = value if type(value) is list else []
            translated = [_translated(item, fields, find, other) for item in items]
            changed = any(new is not old for new, old in zip(translated, items, strict=True))
            if changed:
                put(row, translated)
            if changed or fields.source == fields.target:
                passed.append(row)
        return passed

    return of_hashes


def _translated(item: Any, fields: _Fields, find: Find, fallback: str | None) -> Any:
    """Return a hash with the translation of one of its fields; the same one if there is none."""
    value = fields.source.get(item) if type(item) is dict else None
    if value is None:
        return item
    translation = find(_text(value))
    if translation is ABSENT:
        translation = fallback
        if fallback is None:
            return item
    changed: Event = {**item}
    fields.target.set(changed, translation)
    return changed
