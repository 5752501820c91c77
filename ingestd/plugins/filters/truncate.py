"""``truncate``: cut texts to a length in bytes.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-truncate and the plugin's version 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import is_
from typing import Any

from ingestd.event.fields import Event, FieldRef
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.filters._each_event import each_event
from ingestd.plugins.filters._targets import target
from ingestd.plugins.filters._trees import change_fields
from ingestd.plugins.registry import BuildContext, ColumnsFn, FilterFn, Touch, filter_plugin, option, required

_KEPT = ("@timestamp", "@metadata")


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``truncate``."""

    length_bytes: int = required("Maximum length of a text in UTF-8; a character is left out rather than cut.")
    fields: list[FieldRef] = option([], "Fields to cut; default: all.")


def _touches(options: Options) -> Touch:
    if not options.fields:
        return Touch(unknown="truncate without fields changes any field")
    names = frozenset(ref.text for ref in options.fields)
    return Touch(reads=names, sets=names)


@filter_plugin("truncate", Options, touches=_touches, columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Cut texts, the texts in arrays, and those in hashes at any depth.

    The common options run for events in which something was cut.
    """
    length = options.length_bytes
    if not options.fields:
        return each_event(_all_fields(length), _touches(options))
    refs = [target(ref) for ref in options.fields if ref.path != ("@timestamp",)]

    def truncate(table: Table, rows: Rows, received_ns: int) -> Rows:
        changed: set[int] = set()
        for ref in refs:
            values = table.pick(table.values(ref), rows)
            cut = [value if value is ABSENT else truncated(value, length) for value in values]
            put = table.setter(ref)
            for row, old, new in zip(rows, values, cut, strict=True):
                if new is not old:
                    put(row, new)
                    changed.add(row)
        return sorted(changed)

    return truncate


def _all_fields(length: int) -> FilterFn:
    def truncate_all(event: Event) -> bool:
        return change_fields(event, lambda value: truncated(value, length), _KEPT)

    return truncate_all


def truncated(value: Any, length: int) -> Any:
    """Return a value with its texts cut to ``length`` bytes; the value itself if all are short enough.

    As in Logstash, arrays and hashes inside of arrays stay.
    """
    if type(value) is str:
        return _cut(value, length)
    if type(value) is list:
        items = [_cut(item, length) if type(item) is str else item for item in value]
        return value if all(map(is_, items, value)) else items
    if type(value) is dict:
        fields = {key: truncated(item, length) for key, item in value.items()}
        return value if all(map(is_, fields.values(), value.values())) else fields
    return value


def _cut(text: str, length: int) -> str | None:
    if length < 0:
        return None  # as in Logstash
    if len(text) * 4 <= length or (len(text) <= length and text.isascii()):
        return text
    data = text.encode("utf-8", "surrogatepass")
    return text if len(data) <= length else data[:length].decode("utf-8", "ignore")
