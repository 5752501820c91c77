"""How a match becomes fields: the store of a grok pattern, one straight piece of generated code.

A loop over the captures takes twice the time. Only ``repr()`` of field names and our own identifiers reach
the text. A capture onto an existing text makes an array, onto an array it is added, onto anything else it is not set,
unless its field is to be overwritten. Empty captures are left out unless they are to be kept.
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

Store = Callable[[Event, "re.Match[str]"], bool]
"""Sets the fields of a match; False if one could not be set: then the pattern counts as not matched."""


@dataclass(frozen=True, slots=True)
class CaptureRules:
    """What holds for all captures of a filter."""

    target: FieldRef | None
    overwrite: frozenset[FieldRef]
    keep_empty: bool


class CaptureTarget(NamedTuple):
    """Where one capture goes; ``name`` is the field's if that can simply be set, else None."""

    name: str | None
    ref: FieldRef
    convert: Callable[[str], Any] | None
    overwrite: bool


def field_of(capture: Capture, inside: FieldRef | None) -> FieldRef:
    """Return the field that a capture goes to. Raises FieldError if its name is no field reference."""
    ref = FieldRef(capture.field)
    return target(ref if inside is None else f"{inside}{ref}")


def make_store(pattern: GrokPattern, rules: CaptureRules) -> Store:
    """Return the store of ``pattern``."""
    slots = [_slot(capture, rules) for capture in pattern.captures]
    lines = ["def store(event, match):"]
    lines += [f"    {line}" for line in _taking([capture.group for capture in pattern.captures], pattern)]
    names: dict[str, Any] = {"put": _put, "fixed": frozenset({int, float, bool, dict})}  # nothing is added to these
    for number, slot in enumerate(slots):
        lines += [f"    {line}" for line in _setting(number, slot, rules.keep_empty)]
        names |= {f"ref{number}": slot.ref, f"convert{number}": slot.convert}
    lines.append("    return True")
    exec(compile("\n".join(lines), "<grok captures>", "exec"), names)  # noqa: S102 -- see above
    store: Store = names["store"]
    return store if all(slot.name is not None for slot in slots) else _guarded(store)


def _taking(groups: list[int], pattern: GrokPattern) -> list[str]:
    """Return the line that takes the texts of ``groups`` out of the match, as t0, t1 ..."""
    targets = ", ".join(f"t{number}" for number in range(len(groups)))
    if not groups:
        return []
    if len(groups) == 1:
        return [f"t0 = match[{groups[0]}]"]
    if groups == list(range(1, len(pattern.program.translation.names) + 1)):
        return [f"{targets} = match.groups()"]
    return [f"{targets} = match.group({', '.join(map(str, groups))})"]


def _setting(number: int, slot: CaptureTarget, keep_empty: bool) -> list[str]:
    """Return the lines that set the field of one capture."""
    text, value = f"t{number}", f"t{number}"
    if slot.convert is not None:
        value = f"convert{number}({text})"
        if slot.convert is to_i:  # a short run of digits, the usual case, is read without a call
            value = f"int({text}) if len({text}) < 19 and {text}.isdigit() and {text}.isascii() else {value}"
        if keep_empty:
            value = f"None if {text} is None else ({value})"
    if slot.name is None:
        lines = [f"ref{number}.set(event, {value})" if slot.overwrite else f"put(event, ref{number}, {value})"]
    elif slot.overwrite:
        lines = [f"event[{slot.name!r}] = {value}"]
    else:
        lines = [f"if {slot.name!r} not in event:", f"    event[{slot.name!r}] = {value}"]
        lines += [f"elif type(event[{slot.name!r}]) not in fixed:", f"    put(event, ref{number}, {value})"]
    if keep_empty:
        return lines
    test = f"if {text}:" if slot.convert is None else f"if {text} is not None:"
    return [test, *[f"    {line}" for line in lines]]


def _guarded(store: Store) -> Store:
    def guarded(event: Event, match: re.Match[str]) -> bool:
        try:
            return store(event, match)
        except FieldError:
            return False

    return guarded


def _slot(capture: Capture, rules: CaptureRules) -> CaptureTarget:
    ref = field_of(capture, rules.target)
    convert = {"int": to_i, "float": _to_float, None: None}[capture.convert]
    overwrite = ref in rules.overwrite or FieldRef(capture.field) in rules.overwrite
    return CaptureTarget(plain_name(ref), ref, convert, overwrite)


def _to_float(text: str) -> float:
    plain = text.isascii() and text.replace(".", "", 1).isdigit()
    return float(text) if plain else to_f(text)


def _put(event: Event, ref: FieldRef, value: Any) -> None:
    """Set a field, or add to what it holds already. Raises FieldError if it cannot hold the value."""
    held = ref.get(event)
    if held is not None and ref.path == ("@timestamp",):
        return  # no text in Logstash, so it is left alone
    if held is None:
        ref.set(event, value)
    elif type(held) is list:
        ref.set(event, [*held, value])
    elif type(held) is str:
        ref.set(event, [held, value])
