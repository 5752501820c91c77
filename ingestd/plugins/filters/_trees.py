"""Hashes inside hashes: trees that a filter looks up once and sets in many events, and values with texts to change."""

from __future__ import annotations

from collections.abc import Callable, Collection
from operator import is_
from typing import Any

from ingestd.event.fields import Event, FieldError, FieldRef
from ingestd.event.table import ABSENT, Table

Tree = dict[str, Any]


def copier(tree: Tree) -> Callable[[], Tree]:
    """Return a function that copies ``tree``: cheaper than a generic copy, because it knows where the dicts are."""
    nested = [(key, copier(value)) for key, value in tree.items() if type(value) is dict]
    if not nested:
        return tree.copy

    def copy() -> Tree:
        new = tree.copy()
        for key, make in nested:
            new[key] = make()
        return new

    return copy


def copied(value: Any) -> Any:
    """Return a value that shares no array and no hash with ``value``."""
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if type(value) is list else value


def on_texts(change: Callable[[str], str]) -> Callable[[Any], Any]:
    """Return a function that changes the texts in any value; a value of which none changes is returned itself.

    Args:
        change: Returns the text itself if it does not change.
    """

    def changed(value: Any) -> Any:
        if type(value) is str:
            return change(value)
        if type(value) is list:
            items = [changed(item) for item in value]
            return value if all(map(is_, items, value)) else items
        if type(value) is dict:
            fields = {key: changed(item) for key, item in value.items()}
            return value if all(map(is_, fields.values(), value.values())) else fields
        return value

    return changed


def change_fields(event: Event, change: Callable[[Any], Any], kept: Collection[str]) -> bool:
    """Change the values of all fields but those in ``kept``; return whether any changed."""
    changed = False
    for name, value in event.items():
        if name not in kept and (new := change(value)) is not value:
            event[name] = new  # no key is added, so the iteration is safe
            changed = True
    return changed


def with_tree(old: Any, tree: Tree, name: str) -> Tree:
    """Return ``tree`` merged into the value ``old`` of a field, whose other fields are kept.

    Raises:
        FieldError: The value is neither a hash nor null.
    """
    if old is ABSENT or old is None:
        return tree
    if type(old) is dict:
        return _merged(old, tree)
    raise FieldError(f"cannot set fields of {name}: its value {old!r} is not a hash")


def _merged(old: Any, tree: Tree) -> Tree:
    if type(old) is not dict:
        return tree
    nested = {key: _merged(old.get(key), value) for key, value in tree.items() if type(value) is dict}
    return {**old, **tree, **nested}


def put_tree(table: Table, row: int, tree: Tree) -> None:
    """Set the fields of an event that ``tree`` has. Raises what ``with_tree`` raises."""
    for name, value in tree.items():
        column = table.writable(name)
        column[row] = with_tree(column[row], value, f"[{name}]") if type(value) is dict else value


def set_in(tree: Tree, ref: FieldRef, value: Any) -> None:
    """Set a field of a tree that is still being made."""
    for part in ref.path[:-1]:
        tree = tree.setdefault(part, {})
    tree[ref.path[-1]] = value
