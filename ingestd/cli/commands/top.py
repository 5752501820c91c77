"""``ingestd top``: the most frequent values of a field."""

from __future__ import annotations

import click

from ingestd.cli.common import tables
from ingestd.cli.common.events import report_no_match
from ingestd.cli.common.options import json_option, store_options
from ingestd.cli.common.queries import FieldName, query_options
from ingestd.cli.common.stores import opened_store
from ingestd.cli.common.terminal import write, write_table
from ingestd.event.jsontext import dumps
from ingestd.settings import Settings
from ingestd.stores.query import Query


@click.command()
@click.argument("field", type=FieldName())
@query_options()
@click.option(
    "-n", "n", type=click.IntRange(min=1), default=20, show_default=True, help="Show at most this many values."
)
@store_options
@json_option
def top(settings: Settings, field: str, query: Query, n: int, as_json: bool) -> None:
    """Count the most frequent values of FIELD, such as search_word. Only events that match QUERY are counted."""
    with opened_store(settings) as store:
        found = store.top(field, query, n)
        if as_json:
            write(dumps([{"value": term.value, "count": term.count} for term in found]))
        elif not found:
            report_no_match(store)
        else:
            values = [term.value if isinstance(term.value, str) else dumps(term.value).decode() for term in found]
            rows = [(value, f"{term.count:,}") for value, term in zip(values, found, strict=True)]
            write_table((tables.printable(field).upper(), "COUNT"), rows, numbers=1, fit=True)
