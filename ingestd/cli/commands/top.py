"""``ingestd top``: the most frequent values of a field."""

from __future__ import annotations

import sys

import click

from ingestd.cli.common import tables
from ingestd.cli.common.events import report_no_match
from ingestd.cli.common.options import csv_options, json_option, limit_option, store_options
from ingestd.cli.common.queries import FieldName, query_options
from ingestd.cli.common.stores import opened_store
from ingestd.cli.common.tables import csv_text, value_text
from ingestd.cli.common.terminal import write_json, write_table
from ingestd.settings import Settings
from ingestd.stores.known_fields import PATH_FIELDS
from ingestd.stores.query import Query


@click.command()
@click.argument("field", type=FieldName())
@query_options()
@limit_option(20, "Show at most this many values.")
@click.option("--query-strings", is_flag=True, help="Count paths with different query strings separately.")
@store_options
@json_option
@csv_options
def top(  # noqa: PLR0913 -- click passes one argument for each option
    settings: Settings,
    field: str,
    query: Query,
    limit: int,
    *,
    query_strings: bool,
    as_json: bool,
    as_csv: bool,
    bom: bool,
) -> None:
    """Count the most frequent values of FIELD, such as search_word. Only events that match QUERY are counted.

    Values of request_path and url.path are counted without their query strings.

    A request may have several records: its access line, and one of django.request. The QUERY 'NOT visit:false' counts
    it once, as the dashboard does: ingestd top status_code 'NOT visit:false'.
    """
    with opened_store(settings) as store:
        found = store.top(field, query, limit, paths=field in PATH_FIELDS and not query_strings)
        if as_json:
            write_json([{"value": term.value, "count": term.count} for term in found])
        elif as_csv:
            rows = [(field, "count"), *((value_text(term.value), str(term.count)) for term in found)]
            sys.stdout.buffer.write(csv_text(rows, bom=bom))
        elif not found:
            report_no_match(store, settings, query, field)
        else:
            rows = [(value_text(term.value), f"{term.count:,}") for term in found]
            write_table((tables.printable(field).upper(), "COUNT"), rows, numbers=1, fit=True)
