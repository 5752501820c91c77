"""Store the captures of a grok match in the event, with generated code.

A loop over the captures takes twice the time. The code contains only ``repr()`` of field names and generated names. If
the field exists, text becomes an array with the capture added, an array gets the capture added, and any other value is
kept, unless the field is in ``overwrite``. Empty captures are skipped unless ``keep_empty`` is set.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ingestd.event.fields import Event, FieldError, FieldRef
from ingestd.grok.compile import Capture, GrokPattern
from ingestd.plugins.filters._ruby import to_f, to_i
from ingestd.plugins.filters._targets import plain_name, target

_NO_ARRAYS = frozenset({int, float, bool, dict})  # captures are not added to values of these types

Store = Callable[[Event, "re.Match[str]"], bool]
"""Sets the fields of a match; False if a field cannot be set: then the pattern counts as not matched."""


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


def make_store(pattern: GrokPattern, rules: CaptureRules) -> Store:
    """Return the store of ``pattern``."""
    targets = [_capture_target(capture, rules) for capture in pattern.captures]
    lines = ["def store(event, match):"]
    lines += [f"    {line}" for line in _unpacking([capture.group for capture in pattern.captures], pattern)]
    names: dict[str, Any] = {"put": _put, "no_arrays": _NO_ARRAYS}
    for number, capture_target in enumerate(targets):
        lines += [f"    {line}" for line in _assignment(number, capture_target, rules.keep_empty)]
        names |= {f"ref{number}": capture_target.ref, f"convert{number}": capture_target.convert}
    lines.append("    return True")
    exec(compile("\n".join(lines), "<grok captures>", "exec"), names)  # noqa: S102 -- see above
    store: Store = names["store"]
    return store if all(capture_target.name is not None for capture_target in targets) else _guarded(store)


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


def _assignment(number: int, capture_target: CaptureTarget, keep_empty: bool) -> list[str]:
    """Return the lines that set the field of one capture."""
    text, value = f"t{number}", f"t{number}"
    if capture_target.convert is not None:
        value = f"convert{number}({text})"
        if capture_target.convert is to_i:  # fast path for the usual case, a short run of digits
            value = f"int({text}) if len({text}) < 19 and {text}.isdigit() and {text}.isascii() else {value}"
        if keep_empty:
            value = f"None if {text} is None else ({value})"
    if capture_target.name is None:
        lines = [
            f"ref{number}.set(event, {value})" if capture_target.overwrite else f"put(event, ref{number}, {value})"
        ]
    elif capture_target.overwrite:
        lines = [f"event[{capture_target.name!r}] = {value}"]
    else:
        lines = [f"if {capture_target.name!r} not in event:", f"    event[{capture_target.name!r}] = {value}"]
        lines += [
            f"elif type(event[{capture_target.name!r}]) not in no_arrays:",
            f"    put(event, ref{number}, {value})",
        ]
    if keep_empty:
        return lines
    test = f"if {text}:" if capture_target.convert is None else f"if {text} is not None:"
    return [test, *[f"    {line}" for line in lines]]


def _guarded(store: Store) -> Store:
    def guarded(event: Event, match: re.Match[str]) -> bool:
        try:
            return store(event, match)
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


def _put(event: Event, ref: FieldRef, value: Any) -> None:
    """Set a field, or add to its existing value. Raises FieldError if it does not accept the value."""
    old = ref.get(event)
    if old is not None and ref.path == ("@timestamp",):
        return  # not text in Logstash, so it is kept
    if old is None:
        ref.set(event, value)
    elif type(old) is list:
        ref.set(event, [*old, value])
    elif type(old) is str:
        ref.set(event, [old, value])
