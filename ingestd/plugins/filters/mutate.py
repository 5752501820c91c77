"""``mutate``: rename, replace, convert and change fields.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-mutate. The operations run in
Logstash's order, not in that of the config; after an error the remaining ones are skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from ingestd.event.fields import Event, FieldError, FieldRef, add_tag
from ingestd.event.sprintf import Template, render_rows
from ingestd.event.table import ABSENT, Column, Rows, Table, is_absent
from ingestd.grok.compile import compile_regex
from ingestd.grok.errors import GrokTimeoutError, PatternError
from ingestd.plugins.filters import _mutations as do
from ingestd.plugins.filters._each_event import each_event
from ingestd.plugins.filters._targets import plain_name, target
from ingestd.plugins.registry import (
    BuildContext,
    ColumnsFn,
    FilterFn,
    OptionError,
    Touch,
    filter_plugin,
    option,
    refused,
)
from ingestd.suggest import did_you_mean

Change = Callable[[Event], None]
ChangeColumns = Callable[[Table, Rows], object]


class Operation(NamedTuple):
    """One operation: what it does to an event, and if that needs only whole columns, to them."""

    change: Change
    change_columns: ChangeColumns | None = None


_TYPES = {
    "int": "integer",
    "long": "integer",
    "number": "float",
    "double": "float",
    "bool": "boolean",
    "text": "string",
}
"""What types are called elsewhere, and here."""
_FAILURE_TAG = "_mutate_error"
_ERRORS = (ValueError, TypeError, ArithmeticError, PatternError, GrokTimeoutError)
_CACHED_PATTERNS = 256  # patterns and replacements that depend on fields


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``mutate``, in the order in which they are applied."""

    coerce: dict[str, Template] = option({}, "Fields to set to a value if they are null.")
    rename: dict[str, Template] = option({}, "Fields to rename, old name to new name; both may contain `%{field}`.")
    update: dict[str, Template] = option({}, "Fields to set to a text if they exist.")
    replace: dict[str, Template] = option({}, "Fields to set to a text, whether they exist or not.")
    convert: dict[str, str] = option(
        {},
        "Fields to convert, with the type: `integer`, `float`, `integer_eu`, `float_eu` (1.234,5), `string`"
        " or `boolean`.",
    )
    gsub: list[str] = option(
        [], "Triples of field, regular expression and replacement: every match in the field is replaced."
    )
    uppercase: list[FieldRef] = option([], "Fields to convert to upper case.")
    capitalize: list[FieldRef] = option([], "Fields to convert to a capital first letter and lower case after it.")
    lowercase: list[FieldRef] = option([], "Fields to convert to lower case.")
    strip: list[FieldRef] = option([], "Fields to strip of white space at both ends.")
    split: dict[str, str] = option({}, "Fields to split into an array, with the separator.")
    join: dict[str, str] = option({}, "Arrays to join into a text, with the separator.")
    merge: dict[str, list[FieldRef]] = option(
        {}, "Fields to merge other fields into: arrays into arrays, hashes into hashes."
    )
    copy: dict[str, FieldRef] = option({}, "Fields to copy, source to target.")
    tag_on_failure: str = option(_FAILURE_TAG, "Tag for an event in which an operation failed.")


def _changed(options: Options) -> Iterator[str]:
    """Yield the fields that are read and set in place, as written in the config."""
    for table in (options.coerce, options.update, options.convert, options.split, options.join, options.merge):
        yield from table
    for refs in (options.uppercase, options.capitalize, options.lowercase, options.strip):
        yield from (ref.text for ref in refs)
    yield from options.gsub[::3]


def _templates(options: Options) -> Iterator[Template]:
    for table in (options.coerce, options.update, options.replace):
        yield from table.values()
    yield from (Template(text) for index, text in enumerate(options.gsub) if index % 3)


def _touches(options: Options) -> Touch:
    renames = [(Template(old).static, new.static) for old, new in options.rename.items()]
    if any(old is None or new is None for old, new in renames):
        return Touch(unknown="mutate renames fields whose names depend on other fields")
    old, new = ({name for name in names if name} for names in zip(*renames, strict=True)) if renames else (set(), set())
    changed = set(_changed(options))
    reads = old | changed | {ref.text for refs in options.merge.values() for ref in refs} | set(options.copy)
    sets = new | changed | set(options.replace) | {ref.text for ref in options.copy.values()} | {"tags"}
    return Touch(
        reads=frozenset(reads).union(*(template.reads for template in _templates(options))),
        sets=frozenset(sets),
        removes=frozenset(old),
    )


_LEGACY = {"remove": refused("write remove_field => [...]")}


@filter_plugin("mutate", Options, touches=_touches, failure_tag=_FAILURE_TAG, columns=True, legacy=_LEGACY)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Rename, replace, convert and change fields."""
    touch, steps = _touches(options), list(_steps(options))
    if options.tag_on_failure != _FAILURE_TAG:
        return each_event(_tagging(steps, options.tag_on_failure), touch)
    changes = list(_changes(steps, touch))

    def mutate(table: Table, rows: Rows, received_ns: int) -> Rows:
        for change in changes:
            change(table, rows)
        return rows

    return mutate


def _changes(steps: list[Operation], touch: Touch) -> Iterator[ChangeColumns]:
    """Yield what the steps do to columns; those that need events and follow each other go together."""
    for needs_events, group in groupby(steps, lambda step: step.change_columns is None):
        if needs_events:
            yield _on_events([*group], touch)
        else:
            yield from (step.change_columns for step in group if step.change_columns is not None)


def _on_events(steps: list[Operation], touch: Touch) -> ChangeColumns:
    def mutate(event: Event) -> bool:
        for step in steps:
            step.change(event)
        return True

    change = each_event(mutate, touch)
    return lambda table, rows: change(table, rows, 0)


def _tagging(steps: list[Operation], tag: str) -> FilterFn:
    """Return a filter that adds ``tag`` to an event in which a step fails."""

    def mutate(event: Event) -> bool:
        try:
            for step in steps:
                step.change(event)
        except _ERRORS:
            add_tag(event, tag)
            return False
        return True

    return mutate


def _steps(options: Options) -> Iterator[Operation]:
    """Yield the steps, in Logstash's order."""
    yield from (_coerce(target(name), text) for name, text in options.coerce.items())
    yield from (_rename(Template(old), new) for old, new in options.rename.items())
    yield from (_update(target(name), text) for name, text in options.update.items())
    yield from (_replace(target(name), text) for name, text in options.replace.items())
    for name, kind in options.convert.items():
        if kind not in do.CONVERSIONS:
            near = _TYPES.get(kind.lower()) or did_you_mean(kind, do.CONVERSIONS)
            hint = f"did you mean {near!r}?" if near else ""
            known = ", ".join(do.CONVERSIONS)
            raise OptionError(f"convert {name!r}: {kind!r} is not one of {known}", kind, hint)
        yield _apply(target(name), do.converter(kind))
    yield from _gsubs(options.gsub)
    yield from (_apply(target(ref), do.over_texts(str.upper)) for ref in options.uppercase)
    yield from (_apply(target(ref), do.over_texts(do.capitalize)) for ref in options.capitalize)
    yield from (_apply(target(ref), do.over_texts(do.lower)) for ref in options.lowercase)
    yield from (_apply(target(ref), do.strip) for ref in options.strip)
    yield from (_apply(target(name), do.splitter(separator)) for name, separator in options.split.items())
    yield from (_apply(target(name), do.joiner(separator)) for name, separator in options.join.items())
    yield from (_merge(target(name), added) for name, added in options.merge.items())
    yield from (_copy(FieldRef(source), target(copy)) for source, copy in options.copy.items())


def _apply(ref: FieldRef, change: do.Change) -> Operation:
    """Return the step that changes the value of ``ref``, unless it is missing or null."""
    name = plain_name(ref)
    if name is None:

        def general(event: Event) -> None:
            value = ref.get(event)
            if value is not None and (changed := change(value)) is not value:
                ref.set(event, changed)

        return Operation(general)

    def top(event: Event) -> None:
        value = event.get(name)
        if value is not None and (changed := change(value)) is not value:
            event[name] = changed

    def column(table: Table, rows: Rows) -> None:
        held = table.pick(table.column(name), rows)
        table.replace(name, rows, [old if old is ABSENT or old is None else change(old) for old in held])

    return Operation(top, column)


def _coerce(ref: FieldRef, text: Template) -> Operation:
    def step(event: Event) -> None:
        if ref.get(event) is None and ref.exists(event):
            ref.set(event, text.render(event))

    return Operation(step, _setting(ref, text, lambda old: old is None))


def _setting(ref: FieldRef, text: Template, sets: Callable[[Any], bool]) -> ChangeColumns | None:
    """Return what sets a field to a text where ``sets`` is true of its value, which may be ``ABSENT``."""
    name = plain_name(ref)
    if name is None:
        return None

    def column(table: Table, rows: Rows) -> None:
        held, texts = table.pick(table.column(name), rows), render_rows(text, table, rows)
        table.replace(name, rows, [new if sets(old) else old for old, new in zip(held, texts, strict=True)])

    return column


def _rename(old: Template, new: Template) -> Operation:
    if old.static is None or new.static is None:
        return Operation(lambda event: _move(event, _ref(old.render(event)), _ref(new.render(event))))
    source, destination = target(old.static), target(new.static)
    name, new_name = plain_name(source), plain_name(destination)
    if name is None or new_name is None:
        return Operation(lambda event: _move(event, source, destination))

    def top(event: Event) -> None:
        if name in event:
            event[new_name] = event.pop(name)

    def columns(table: Table, rows: Rows) -> None:
        values = table.pick(table.column(name), rows)
        if name != new_name and not is_absent(values):
            _overwrite(table, rows, new_name, values)
            table.replace(name, rows, [ABSENT] * len(rows))

    return Operation(top, columns)


def _overwrite(table: Table, rows: Rows, name: str, values: Column) -> None:
    """Set a top-level field in ``rows`` to values; ``ABSENT`` sets nothing."""
    held = table.pick(table.column(name), rows)
    table.replace(name, rows, [old if new is ABSENT else new for old, new in zip(held, values, strict=True)])


def _move(event: Event, source: FieldRef, destination: FieldRef) -> None:
    if not source.exists(event):
        return
    value = source.remove(event)
    try:
        destination.set(event, value)
    except FieldError:
        source.set(event, value)  # Logstash loses the value here
        raise


@lru_cache(maxsize=1024)
def _ref(text: str) -> FieldRef:
    return target(text)


def _update(ref: FieldRef, text: Template) -> Operation:
    def step(event: Event) -> None:
        if ref.exists(event):
            ref.set(event, text.render(event))

    return Operation(step, _setting(ref, text, lambda old: old is not ABSENT))


def _replace(ref: FieldRef, text: Template) -> Operation:
    render, name = text.render, plain_name(ref)
    if name is None:
        return Operation(lambda event: ref.set(event, render(event)))

    def top(event: Event) -> None:
        event[name] = render(event)

    return Operation(top, lambda table, rows: table.replace(name, rows, render_rows(text, table, rows)))


def _merge(ref: FieldRef, added: list[FieldRef]) -> Operation:
    def step(event: Event) -> None:
        value = ref.get(event)
        grows = type(value) in (list, dict)  # as in Logstash: only the last field is merged into any other value
        for other in added:
            merged = do.merged(value, other.get(event))
            if merged is not value:
                ref.set(event, merged)
                value = merged if grows else value

    return Operation(step)


def _copy(source: FieldRef, destination: FieldRef) -> Operation:
    def step(event: Event) -> None:
        if (value := source.get(event)) is not None:
            destination.set(event, value)  # shared, not copied: values are never changed in place

    name = plain_name(destination)

    def columns(table: Table, rows: Rows) -> None:
        values = table.pick(table.values(source), rows)
        _overwrite(table, rows, name or "", [ABSENT if value is None else value for value in values])

    return Operation(step, None if name is None else columns)


def _gsubs(words: list[str]) -> Iterator[Operation]:
    if len(words) % 3:
        raise ValueError("gsub needs triples of field, regular expression and replacement")
    for name, pattern, replacement in zip(words[::3], words[1::3], words[2::3], strict=True):
        yield _gsub(target(name), Template(pattern), Template(replacement))


def _gsub(ref: FieldRef, pattern: Template, replacement: Template) -> Operation:
    if pattern.static is None or replacement.static is None:
        return _gsub_dynamic(ref, pattern, replacement)
    try:
        return _apply(ref, do.over_texts(_substitution(pattern.static, replacement.static)))
    except PatternError as error:
        raise ValueError(f"gsub {pattern.text!r}: {error}") from None


def _gsub_dynamic(ref: FieldRef, pattern: Template, replacement: Template) -> Operation:
    cached = lru_cache(maxsize=_CACHED_PATTERNS)(_substitution)

    def step(event: Event) -> None:
        value = ref.get(event)
        if type(value) in (str, list):
            changed = do.over_texts(cached(pattern.render(event), replacement.render(event)))(value)
            if changed is not value:
                ref.set(event, changed)

    return Operation(step)


def _substitution(pattern: str, replacement: str) -> Callable[[str], str]:
    """Return a function that replaces every match of ``pattern``. Raises PatternError if that is invalid."""
    compiled = compile_regex(pattern)
    substitute, new = compiled.matcher().sub, compiled.replacement(replacement)
    return lambda text: substitute(new, text)
