"""Store the captures of grok matches in the columns of a table, those of many rows together.

If the field exists, text becomes an array with the capture added, an array gets the capture added, and any other value
is kept, unless the field is in ``overwrite``. Empty captures are skipped unless ``keep_empty`` is set.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ingestd.event.fields import FieldError, FieldRef
from ingestd.event.table import ABSENT, Column, Rows, Table, is_absent
from ingestd.grok.compile import Capture, GrokPattern
from ingestd.grok.engine import Match
from ingestd.plugins.filters._ruby import to_f, to_i
from ingestd.plugins.filters._targets import plain_name, target

Convert = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class CaptureRules:
    """The options for all captures of a filter."""

    target: FieldRef | None
    overwrite: frozenset[FieldRef]
    keep_empty: bool


class CaptureTarget(NamedTuple):
    """The field of one capture; ``name`` is its name if it is a plain top-level field, else None."""

    group: int
    name: str | None
    ref: FieldRef
    convert: Convert | None
    overwrite: bool


def field_of(capture: Capture, parent: FieldRef | None) -> FieldRef:
    """Return the field of a capture. Raises FieldError if its name is not a field reference."""
    ref = FieldRef(capture.field)
    return target(ref if parent is None else f"{parent}{ref}")


_NO_TEXT = (None, ABSENT)


class Captures:
    """Sets the fields that a pattern names."""

    def __init__(self, pattern: GrokPattern, rules: CaptureRules) -> None:
        self._targets = [_capture_target(capture, rules) for capture in pattern.captures]
        self._keep_empty = rules.keep_empty
        self._never_fails = all(capture_target.name is not None for capture_target in self._targets)

    def store(self, table: Table, rows: Rows, matches: Sequence[Match]) -> Rows:
        """Set the fields of matches, one in each of ``rows``.

        Returns:
            The rows where that was possible: if a field does not accept its value, the pattern counts as not matched.
        """
        if self._never_fails:
            self._store(table, rows, matches)
            return rows
        passed: list[int] = []
        for row, match in zip(rows, matches, strict=True):
            with contextlib.suppress(FieldError):
                self._store(table, (row,), (match,))
                passed.append(row)
        return passed

    def _store(self, table: Table, rows: Rows, matches: Sequence[Match]) -> None:
        texts: list[tuple[Any, ...]] = [match.groups() for match in matches]
        if len(table) // 2 < len(rows) < len(table):  # it costs less to set all rows, the others to what they have
            held = [(ABSENT if self._keep_empty else None,) * len(texts[0])] * len(table)
            for row, text in zip(rows, texts, strict=True):
                held[row] = text
            rows, texts = table.rows, held
        groups = [*zip(*texts, strict=True)]
        for capture_target in self._targets:
            values = self._values(groups[capture_target.group - 1], capture_target.convert)
            if capture_target.name is not None:
                _add(table, rows, values, capture_target.name, overwrite=capture_target.overwrite)
                continue
            put = _setter(capture_target, table)
            for row, value in zip(rows, values, strict=True):
                if value is not ABSENT:
                    put(row, value)

    def _values(self, texts: Column, convert: Convert | None) -> Column:
        """Return the values of captures; ``ABSENT`` sets nothing."""
        if self._keep_empty:
            return texts if convert is None else [text if text in _NO_TEXT else convert(text) for text in texts]
        if convert is None:
            return texts if all(texts) else [text or ABSENT for text in texts]
        return [ABSENT if text is None else convert(text) for text in texts]


def _add(table: Table, rows: Rows, values: Column, name: str, *, overwrite: bool) -> None:
    """Add values to a top-level field, or replace its values."""
    held = table.pick(table.column(name), rows)
    if not is_absent(held):
        combined = _overwritten if overwrite else _combined
        pairs = zip(held, values, strict=True)
        values = [value if old is ABSENT else old if value is ABSENT else combined(old, value) for old, value in pairs]
    table.replace(name, rows, values)


def _overwritten(old: Any, value: Any) -> Any:
    return value


def _setter(capture_target: CaptureTarget, table: Table) -> Callable[[int, Any], None]:
    """Return a function that sets a field, or adds to its value. It raises FieldError if that does not accept it."""
    ref, put = capture_target.ref, table.setter(capture_target.ref)

    def add(row: int, value: Any) -> None:
        top = table.column(ref.top)[row]
        old = None if top is ABSENT else ref.inside(top)
        if old is None:
            put(row, value)
        elif ref.path != ("@timestamp",) and (new := _combined(old, value)) is not old:  # that is not text in Logstash
            put(row, new)

    return put if capture_target.overwrite else add


def _capture_target(capture: Capture, rules: CaptureRules) -> CaptureTarget:
    ref = field_of(capture, rules.target)
    convert = {"int": _to_int, "float": _to_float, None: None}[capture.convert]
    overwrite = ref in rules.overwrite or FieldRef(capture.field) in rules.overwrite
    return CaptureTarget(capture.group, plain_name(ref), ref, convert, overwrite)


def _to_int(text: str) -> int:
    plain = len(text) < 19 and text.isdigit() and text.isascii()
    return int(text) if plain else to_i(text)


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
