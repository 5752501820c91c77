"""``ingestd top``: the most frequent values of a field."""

from __future__ import annotations

import click

from ingestd.cli.common import tables
from ingestd.cli.common.asking import FieldName, as_json_option, opened_store, query_options, store_settings
from ingestd.cli.common.printing import screen_cells, tell_nothing_found, write, write_text
from ingestd.event.jsontext import dumps
from ingestd.settings import Settings
from ingestd.stores.query import Query


@click.command()
@click.argument("field", type=FieldName())
@query_options()
@click.option("-n", "n", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many values.")
@store_settings
@as_json_option
def top(settings: Settings, field: str, query: Query, n: int, as_json: bool) -> None:
    """Count the most frequent values of FIELD, such as search_word, among the events that QUERY finds."""
    with opened_store(settings) as store:
        found = store.top(field, query, n)
        if as_json:
            write(dumps([{"value": one.value, "count": one.count} for one in found]))
        elif not found:
            tell_nothing_found(store)
        else:
            values = [one.value if isinstance(one.value, str) else dumps(one.value).decode() for one in found]
            rows = [(value, f"{one.count:,}") for value, one in zip(values, found, strict=True)]
            for line in tables.table((tables.printable(field).upper(), "COUNT"), rows, screen_cells(), numbers=1):
                write_text(line)
