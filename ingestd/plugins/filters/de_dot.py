"""``de_dot``: replace dots in the names of fields, or make nested fields of them.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-de_dot and the plugin's version 1.1.
Difference: fields beside a renamed one in a hash whose name has a dot are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import is_
from typing import Any, NamedTuple

from ingestd.event.fields import Event, FieldRef
from ingestd.plugins.filters._each_event import each_event
from ingestd.plugins.filters._targets import target as checked
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option

_Path = tuple[str, ...]
_Rename = Callable[[str], _Path]
"""Returns the names that take the place of a name."""

_CACHED_NAMES = 4096


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``de_dot``."""

    separator: str = option("_", "Text to put in place of a dot.")
    nested: bool = option(False, "Make `[a][b]` of `a.b`; `separator` is then ignored.")
    fields: list[FieldRef] = option([], "Fields to rename; default: all at the top of the event.")
    recursive: bool = option(False, "Rename fields inside of these fields as well.")


def _touches(options: Options) -> Touch:
    if not options.fields:
        return Touch(unknown="de_dot without fields renames any field with a dot")
    rename = _renaming(options)
    old = frozenset(ref.text for ref in options.fields)
    return Touch(reads=old, sets=old | {_renamed(ref, rename).text for ref in options.fields}, removes=old)


@filter_plugin("de_dot", Options, touches=_touches, columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Replace dots in the names of fields.

    With `nested`, a field that has to become part of another one fails if that is not a hash.
    """
    if "." in options.separator and not options.nested:
        raise ValueError("separator must not contain a dot")
    rename = lru_cache(_CACHED_NAMES)(_renaming(options))
    moves = [_Move(checked(ref), checked(_renamed(ref, rename))) for ref in options.fields]

    def de_dot(event: Event) -> bool:
        for move in moves or _moves(event, rename, every=options.recursive):
            if move.old.exists(event):
                _move(event, move)
            if options.recursive and move.new.exists(event):
                value = move.new.get(event)
                if (changed := _inside(value, rename)) is not value:
                    move.new.set(event, changed)
        return True

    return each_event(de_dot, _touches(options))


class _Move(NamedTuple):
    old: FieldRef
    new: FieldRef


def _renaming(options: Options) -> _Rename:
    if options.nested:
        return lambda name: tuple(filter(None, name.split("."))) or (name,)
    return lambda name: (name.replace(".", options.separator),)


def _renamed(ref: FieldRef, rename: _Rename) -> FieldRef:
    return FieldRef.of_path(tuple(part for name in ref.path for part in rename(name)))


def _moves(event: Event, rename: _Rename, *, every: bool) -> list[_Move]:
    """Return the fields at the top of an event that have dots, or all, and what they are to be called."""
    names = [name for name in event if ("." in name or every) and name != "@metadata"]
    return [_Move(FieldRef.of_path((name,)), checked(FieldRef.of_path(rename(name)))) for name in names]


def _move(event: Event, move: _Move) -> None:
    old, new = move
    if old == new:
        return
    new.set(event, old.get(event))
    old.remove(event)
    for depth in range(len(old.path) - 1, 0, -1):  # hashes with a dot that the field was alone in
        parent = FieldRef.of_path(old.path[:depth])
        if parent.get(event) == {} and any("." in name for name in parent.path):
            parent.remove(event)


def _inside(value: Any, rename: _Rename) -> Any:
    """Return a value with the names inside of it replaced; the same one if none has a dot."""
    if type(value) is list:
        items = [_inside(item, rename) for item in value]
        return value if all(map(is_, items, value)) else items
    if type(value) is not dict:
        return value
    made: Event = {}
    for name, item in value.items():
        changed = _inside(item, rename)
        if "." in name:
            FieldRef.of_path(rename(name)).set(made, changed)
        else:
            made[name] = changed
    return value if [*made] == [*value] and all(map(is_, made.values(), value.values())) else made
