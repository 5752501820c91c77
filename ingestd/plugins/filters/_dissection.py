"""Compile the patterns of the filter ``dissect``: ``%{ts} %{+ts} %{host} %{?skipped->} %{&skipped}: %{rest}``.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-dissect. Each part of a text reaches to
the first place where the delimiter after it stands, which one possessive expression of ``re`` finds in linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from ingestd.event.fields import FieldRef

_PART = re.compile(r"(.*?)%\{([^}]*)\}", re.DOTALL)
_SUFFIX = re.compile(r"(.*?)((?:/\d{1,2})?(?:->)?(?:/\d{1,2})?)", re.DOTALL | re.ASCII)
_DEFAULT_JOIN = " "
_SHOWN = 60
"""Characters of a text in a sentence about it."""


class _Part(NamedTuple):
    """``%{+name/2->}``; ``kind`` is its first character, or empty for a field that is set."""

    kind: str
    name: str
    order: int
    padded: bool
    before: str


class Appended(NamedTuple):
    """A group to append to a field, after ``join``."""

    join: str
    group: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a field is set to: ``group``, or its present value if that is None; then ``appended``."""

    ref: FieldRef
    group: int | None
    appended: tuple[Appended, ...]


class Indirect(NamedTuple):
    """A field whose name is the value of another: ``key``, or if no event has that, ``key_group`` of the match."""

    key: FieldRef
    key_group: int | None
    group: int


@dataclass(frozen=True, slots=True)
class Dissection:
    """A compiled pattern: ``match`` a text with ``pattern``, then set fields to its groups."""

    pattern: re.Pattern[str]
    assignments: tuple[Assignment, ...]
    indirect: tuple[Indirect, ...]


def compile_dissection(text: str) -> Dissection:
    """Compile a pattern.

    Raises:
        ValueError: It has no field, or a wrong one.
    """
    parts, after = _parts(text)
    named = [part.name for part in parts]
    return Dissection(
        re.compile(_expression(parts, after), re.DOTALL),
        tuple(_assignments(parts)),
        tuple(
            Indirect(FieldRef.named(part.name), _other(named, part.name, number), number + 1)
            for number, part in enumerate(parts)
            if part.kind == "&"
        ),
    )


def _other(names: list[str], name: str, number: int) -> int | None:
    """Return the group of another part called ``name``."""
    return next((other + 1 for other, known in enumerate(names) if known == name and other != number), None)


def _parts(text: str) -> tuple[list[_Part], str]:
    """Return the parts of a pattern, and the delimiter after the last."""
    parts: list[_Part] = []
    end = 0
    for match in _PART.finditer(text):
        parts.append(_part(match[2], match[1]))
        end = match.end()
    if not parts:
        raise ValueError(f"mapping {text!r} has no field, as %{{name}}")
    return parts, text[end:]


def _part(field: str, before: str) -> _Part:
    kind = field[:1] if field[:1] in {"?", "+", "&"} else ""
    if field[:2] in ("+&", "&+"):
        raise ValueError(f"mapping: %{{{field}}} cannot both append and be indirect")
    match = _SUFFIX.fullmatch(field, len(kind))
    assert match is not None  # noqa: S101 -- both groups may be empty
    name, suffix = match[1], match[2]
    if not name and kind in ("+", "&"):
        raise ValueError(f"mapping: %{{{field}}} has no name")
    order = re.search(r"\d+", suffix)
    return _Part(kind if name else "?", name, int(order[0]) if order else 0, "->" in suffix, before)


def missing_delimiter(pattern: str, text: str) -> str:
    """Return what a text lacks that does not match a pattern, in a sentence; empty if it lacks nothing."""
    parts, after = _parts(pattern)
    delimiters = [part.before for part in parts] + [after] * bool(after)
    at = 0
    for number, delimiter in enumerate(delimiters):
        found = text.find(delimiter, at)
        if number == 0 and found != 0:
            return f"it does not start with {delimiter!r}"
        if found < 0:
            return f"{delimiter!r} after %{{{parts[number - 1].name}}} is not in {text[at : at + _SHOWN]!r}"
        at = found + len(delimiter)
        while number and parts[number - 1].padded and delimiter and text.startswith(delimiter, at):
            at += len(delimiter)
    return ""


def _expression(parts: list[_Part], after: str) -> str:
    """Return an expression with a group for each part."""
    written = [re.escape(parts[0].before)]
    delimiters = [part.before for part in parts[1:]] + ([after] if after else [])
    for number, part in enumerate(parts):
        if number == len(delimiters):
            written.append("(.*+)")
            break
        delimiter = delimiters[number]
        escaped = re.escape(delimiter)
        if not delimiter:  # the end of the part is nowhere
            written.append("((?!))")
        elif len(delimiter) == 1:
            written.append(f"([^{escaped}]*+){escaped}")
        else:
            written.append(f"(?>(.*?){escaped})")
        if part.padded:
            written.append(f"(?:{escaped})*+")
    return "".join(written)


def _assignments(parts: list[_Part]) -> list[Assignment]:
    """Return what each field is set to: first to plain parts, then the others are appended in their order."""
    groups: dict[str, int | None] = {}
    appended: dict[str, list[Appended]] = {}
    for number, part in enumerate(parts, 1):
        if not part.kind:
            groups[part.name] = number
    numbered = [*enumerate(parts, 1)]
    for number, part in sorted(numbered, key=lambda item: item[1].order):
        if part.kind == "+":
            groups.setdefault(part.name, None)
            appended.setdefault(part.name, []).append(Appended(part.before or _DEFAULT_JOIN, number))
    return [Assignment(FieldRef(name), group, tuple(appended.get(name, ()))) for name, group in groups.items()]
