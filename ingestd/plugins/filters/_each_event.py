"""Filters that work on events, for those that work on columns: what they do in rare cases."""

from __future__ import annotations

from ingestd.event.table import Rows, Table
from ingestd.plugins.registry import ColumnsFn, FilterFn, Touch


def each_event(change: FilterFn, touch: Touch) -> ColumnsFn:
    """Return a filter that calls ``change`` for each event, with the fields in ``touch``."""
    names = tuple(sorted({*touch.tops(), "tags"}))

    def change_all(table: Table, rows: Rows, received_ns: int) -> Rows:
        events = table.take(rows, names)
        try:
            return [row for row, event in zip(rows, events, strict=True) if change(event)]
        finally:  # what an event got before its failure stays
            table.put_back(rows, events, names)

    return change_all
