"""Store the captures of a grok match in the columns of a table, with generated code.

A loop over the captures takes twice the time. The code contains only ``repr()`` of field names and generated names. If
the field exists, text becomes an array with the capture added, an array gets the capture added, and any other value is
kept, unless the field is in ``overwrite``. Empty captures are skipped unless ``keep_empty`` is set.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ingestd.event.fields import FieldError, FieldRef
from ingestd.event.table import ABSENT, Table
from ingestd.grok.compile import Capture, GrokPattern
from ingestd.plugins.filters._ruby import to_f, to_i
from ingestd.plugins.filters._targets import plain_name, target

Bind = Callable[[Table], list[Any]]
"""Returns what the captures of a pattern are stored in: a column, or a function of a row and a value."""

Store = Callable[[list[Any], int, "re.Match[str]"], bool]
"""Sets the fields of a match in a row; False if a field cannot be set: then the pattern counts as not matched."""


@dataclass(frozen=True, slots=True)
class CaptureRules:
    """The options for all captures of a filter."""

    target: FieldRef | None
    overwrite: frozenset[FieldRef]
    keep_empty: bool


class CaptureTarget(NamedTuple):
    """The field of one capture; ``name`` is its name if it is a plain top-level field, else None."""

    name: str | None
    ref: FieldRef
    convert: Callable[[str], Any] | None
    overwrite: bool


def field_of(capture: Capture, parent: FieldRef | None) -> FieldRef:
    """Return the field of a capture. Raises FieldError if its name is not a field reference."""
    ref = FieldRef(capture.field)
    return target(ref if parent is None else f"{parent}{ref}")


def make_store(pattern: GrokPattern, rules: CaptureRules) -> tuple[Bind, Store]:
    """Return how the captures of ``pattern`` are stored."""
    targets = [_capture_target(capture, rules) for capture in pattern.captures]
    lines = ["def store(columns, row, match):"]
    lines += [f"    {line}" for line in _unpacking([capture.group for capture in pattern.captures], pattern)]
    if targets:
        lines.append(f"    {', '.join(f'c{number}' for number in range(len(targets)))}, = columns")
    for number, capture_target in enumerate(targets):
        if capture_target.name is None:
            setting = [f"c{number}(row, v)"]
        elif capture_target.overwrite:
            setting = [f"c{number}[row] = v"]
        else:
            setting = [f"old = c{number}[row]", f"c{number}[row] = v if old is ABSENT else combined(old, v)"]
        lines += _assignment(number, capture_target, rules.keep_empty, setting)
    names: dict[str, Any] = {"combined": _combined, "ABSENT": ABSENT}
    names |= {f"convert{number}": capture_target.convert for number, capture_target in enumerate(targets)}
    exec(compile("\n".join([*lines, "    return True"]), "<grok captures>", "exec"), names)  # noqa: S102 -- see above
    store: Store = names["store"]
    plain = all(capture_target.name is not None for capture_target in targets)
    return partial(_bind, targets), store if plain else _guarded(store)


def _bind(targets: list[CaptureTarget], table: Table) -> list[Any]:
    return [
        table.writable(capture_target.name) if capture_target.name is not None else _setter(capture_target, table)
        for capture_target in targets
    ]


def _setter(capture_target: CaptureTarget, table: Table) -> Callable[[int, Any], None]:
    """Return a function that sets a field, or adds to its value. It raises FieldError if that does not accept it."""
    ref, put = capture_target.ref, table.setter(capture_target.ref)

    def add(row: int, value: Any) -> None:
        top = table.column(ref.top)[row]
        old = None if top is ABSENT else ref.inside(top)
        if old is None:
            put(row, value)
        elif ref.path != ("@timestamp",) and (new := _combined(old, value)) is not old:  # that is no text in Logstash
            put(row, new)

    return put if capture_target.overwrite else add


def _unpacking(groups: list[int], pattern: GrokPattern) -> list[str]:
    """Return the line that assigns the texts of ``groups`` to t0, t1 ..."""
    targets = ", ".join(f"t{number}" for number in range(len(groups)))
    if not groups:
        return []
    if len(groups) == 1:
        return [f"t0 = match[{groups[0]}]"]
    if groups == list(range(1, len(pattern.program.translation.names) + 1)):
        return [f"{targets} = match.groups()"]
    return [f"{targets} = match.group({', '.join(map(str, groups))})"]


def _assignment(number: int, capture_target: CaptureTarget, keep_empty: bool, setting: list[str]) -> list[str]:
    """Return the lines that set the field of one capture; those of ``setting`` set it to ``v``."""
    text = value = f"t{number}"
    if capture_target.convert is not None:
        value = f"convert{number}({text})"
        if capture_target.convert is to_i:  # fast path for the usual case, a short run of digits
            value = f"int({text}) if len({text}) < 19 and {text}.isdigit() and {text}.isascii() else {value}"
        if keep_empty:
            value = f"None if {text} is None else ({value})"
    lines = [f"v = {value}", *setting]
    if keep_empty:
        return [f"    {line}" for line in lines]
    test = f"if {text}:" if capture_target.convert is None else f"if {text} is not None:"
    return [f"    {test}", *[f"        {line}" for line in lines]]


def _guarded(store: Store) -> Store:
    def guarded(columns: list[Any], row: int, match: re.Match[str]) -> bool:
        try:
            return store(columns, row, match)
        except FieldError:
            return False

    return guarded


def _capture_target(capture: Capture, rules: CaptureRules) -> CaptureTarget:
    ref = field_of(capture, rules.target)
    convert = {"int": to_i, "float": _to_float, None: None}[capture.convert]
    overwrite = ref in rules.overwrite or FieldRef(capture.field) in rules.overwrite
    return CaptureTarget(plain_name(ref), ref, convert, overwrite)


def _to_float(text: str) -> float:
    plain = text.isascii() and text.replace(".", "", 1).isdigit()
    return float(text) if plain else to_f(text)


def _combined(old: Any, value: Any) -> Any:
    """Return what a field with the value ``old`` becomes if ``value`` is added to it."""
    if old is None:
        return value
    if type(old) is list:
        return [*old, value]
    return [old, value] if type(old) is str else old
