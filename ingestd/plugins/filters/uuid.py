"""``uuid``: set a field to a random UUID.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-uuid.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.filters._targets import target as checked
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option, required


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``uuid``."""

    target: FieldRef = required("Field for the UUID.")
    overwrite: bool = option(False, "Replace a value that the field has.")


def _touches(options: Options) -> Touch:
    field = frozenset({options.target.text})
    return Touch(reads=field, sets=field)


@filter_plugin("uuid", Options, touches=_touches, columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Set a field to a random UUID (version 4).

    An event that is read from the journal again after a crash gets another one; as the id of a document, leave the
    default of the outputs, which stays the same.
    """
    target, overwrite = checked(options.target), options.overwrite

    def uuid(table: Table, rows: Rows, received_ns: int) -> Rows:
        values, put = table.values(target), table.setter(target)
        for row in rows if overwrite else [row for row in rows if values[row] is ABSENT or values[row] is None]:
            put(row, str(uuid4()))
        return rows

    return uuid
