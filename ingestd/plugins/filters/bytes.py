"""``bytes``: read a size such as ``123 MB`` as a number of bytes.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-bytes and the plugin's version 1.0.
Differences: spaces and underscores separate digits, and the prefix ``E`` is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.filters._ruby import to_f, to_s
from ingestd.plugins.filters._targets import target as checked
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option, required

_PREFIXES = "kmgtpe"
_MAX_CHARS = 64
_CACHED_TEXTS = 4096

_Read = Callable[[str], float | None]
"""Returns the number of bytes that a text means, None if it is not a size."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``bytes``."""

    target: FieldRef = required("Field for the number of bytes.")
    source: FieldRef = option(FieldRef("message"), "Field with the size: a number, a prefix (`k` to `E`) and `B`.")
    conversion_method: str = option(
        "binary", "Whether `k` means 1024 (`binary`) or 1000 (`metric`).", choices=("binary", "metric")
    )
    decimal_separator: str = option(
        ".", "What the separator in `1,333` means: with `,` a decimal point, with `.` it separates groups of digits."
    )
    tag_on_failure: list[str] = option(["_bytesparsefailure"], "Tags for an event whose source is not a size.")


def _touches(options: Options) -> Touch:
    target = options.target.text
    tags = frozenset({"tags"}) if options.tag_on_failure else frozenset()
    return Touch(reads=frozenset({options.source.text, target}) | tags, sets=tags | {target})


@filter_plugin("bytes", Options, touches=_touches, columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Set a field to the number of bytes that a size such as `123 MB` means."""
    target, tags = checked(options.target), options.tag_on_failure
    read = _reader(options)

    def sizes(table: Table, rows: Rows, received_ns: int) -> Rows:
        values, put, passed = [*table.values(options.source)], table.setter(target), []
        for row in rows:
            size = read(_text(values[row]))
            if size is not None:
                put(row, size)
                passed.append(row)
                continue
            for tag in tags:
                table.add_tag(row, tag)
        return passed

    return sizes


def _text(value: Any) -> str:
    """Return the text of a value, empty if it is missing, an array or a hash."""
    if type(value) is str:
        return value
    return "" if value is ABSENT or type(value) in (list, dict, bool) else to_s(value)


def _reader(options: Options) -> _Read:
    """Return the function that reads a size."""
    decimal = options.decimal_separator
    chars = f"[0-9 _.,{re.escape(decimal)}]*"
    size = re.compile(f"({chars}[0-9]{chars})([{_PREFIXES}]?)b?", re.IGNORECASE)
    step = 1024 if options.conversion_method == "binary" else 1000

    @lru_cache(_CACHED_TEXTS)
    def read(text: str) -> float | None:
        match = size.fullmatch(text)
        if match is None:
            return None
        number, prefix = match[1].strip(), match[2].lower()
        return to_f(_number(number, decimal)) * float(step ** (_PREFIXES.find(prefix) + 1 if prefix else 0))

    return lambda text: read(text.strip()) if len(text) <= _MAX_CHARS else None


def _number(text: str, decimal: str) -> str:
    """Return a number without separators of groups, and with a decimal point.

    The last of several separators is the decimal one; a single one with three digits after it only if it is
    ``decimal``.
    """
    separators = [position for position, char in enumerate(text) if char in ".,"]
    last = separators[-1] if separators else len(text)
    if len(separators) == 1 and len(text) - last - 1 == 3:
        last = text.find(decimal) if decimal and decimal in text else len(text)
    return f"{_digits(text[:last])}.{_digits(text[last + 1 :]) or '0'}"


def _digits(text: str) -> str:
    return "".join([char for char in text if char in "0123456789"]) or "0"
