"""Values of source fields, for filters that distinguish a null from a missing field."""

from __future__ import annotations

from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT, Column, Table


def held_values(table: Table, ref: FieldRef) -> Column:
    """Return the values of a field that may be nested; ``ABSENT`` where an event lacks it."""
    values = table.values(ref)
    if len(ref.path) == 1:
        return values
    tops = table.column(ref.top)
    return [
        ABSENT if value is None and not ref.exists({ref.top: top}) else value
        for value, top in zip(values, tops, strict=True)
    ]
