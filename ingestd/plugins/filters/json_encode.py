"""``json_encode``: write the value of a field as JSON text.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-json_encode and the plugin's version
3.0. Unlike there, a missing field stays missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.fields import FieldRef
from ingestd.event.jsontext import dumps
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.filters._targets import target
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option, required


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``json_encode``."""

    source: FieldRef = required("Field with the value.")
    target: FieldRef | None = option(None, "Field for the text; default: `source`.")


def _touches(options: Options) -> Touch:
    names = frozenset({options.source.text, (options.target or options.source).text})
    return Touch(reads=names, sets=names)


@filter_plugin("json_encode", Options, touches=_touches, failure_tag="_jsongeneratefailure", columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Write the value of a field as JSON text. A missing field is skipped."""
    source, destination = options.source, target(options.target or options.source)
    nested = len(source.path) > 1  # then null and missing look the same

    def json_encode(table: Table, rows: Rows, received_ns: int) -> Rows:
        values = table.pick(table.values(source), rows)
        put = table.setter(destination)
        passed: list[int] = []
        for row, value in zip(rows, values, strict=True):
            if value is not ABSENT and not (nested and value is None):
                put(row, dumps(value).decode())
                passed.append(row)
        return passed

    return json_encode
