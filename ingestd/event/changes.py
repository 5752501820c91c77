"""The fields in which two events differ."""

from __future__ import annotations

from typing import Any, NamedTuple

from ingestd.event.fields import Event
from ingestd.event.table import ABSENT


class Change(NamedTuple):
    """One field that differs: its reference, and both values, of which one may be ``ABSENT``."""

    field: str
    before: Any
    after: Any

    def document(self) -> dict[str, Any]:
        """Return it as JSON; a missing value is left out."""
        values = {"before": self.before, "after": self.after}
        return {"field": self.field} | {name: value for name, value in values.items() if value is not ABSENT}


def changes(before: Event, after: Event) -> list[Change]:
    """Return the fields that differ, those of objects one by one, in the order of their names."""
    return _changes(before, after, ())


def same(left: Any, right: Any) -> bool:
    """Return whether two values are the same in JSON: 1, 1.0 and true are three, the order of keys is free."""
    if type(left) is not type(right):
        return False
    if type(left) is dict:
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if type(left) is list:
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def reference(path: tuple[str, ...]) -> str:
    """Return the field reference of a path: ``name`` or ``[outer][inner]``."""
    return path[0] if len(path) == 1 else "".join(f"[{part}]" for part in path)


def _changes(before: Event, after: Event, path: tuple[str, ...]) -> list[Change]:
    found: list[Change] = []
    for name in sorted(before.keys() | after.keys()):
        old, new, inner = before.get(name, ABSENT), after.get(name, ABSENT), (*path, name)
        if type(old) is dict and type(new) is dict:
            found += _changes(old, new, inner)
        elif not same(old, new):
            found.append(Change(reference(inner), old, new))
    return found
