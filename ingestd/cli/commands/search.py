"""``ingestd search``: the newest events that match a query."""

from __future__ import annotations

import sys

import click

from ingestd.cli.common.events import event_head, event_printer, report_no_match
from ingestd.cli.common.options import json_option, limit_option, store_options
from ingestd.cli.common.queries import query_options
from ingestd.cli.common.stores import opened_store
from ingestd.cli.common.terminal import write, write_text
from ingestd.event.jsontext import readable_line
from ingestd.settings import Settings
from ingestd.stores.query import Query


@click.command()
@query_options()
@limit_option(50, "Show at most this many, newest first.")
@store_options
@json_option
def search(settings: Settings, query: Query, limit: int, as_json: bool) -> None:
    """Show events, newest first.

    QUERY is what the dashboard's search box takes: 서울, level:>=WARNING, search_word:"서울 맛집",
    status_code:[400 TO 499], AND, OR, NOT. Quote it: 'level:ERROR AND timeout'.
    """
    with opened_store(settings) as store:
        documents = (hit.document for hit in store.search(query, limit))
        if as_json:
            for document in documents:
                write(readable_line(document))
        elif (first := next(documents, None)) is None:
            report_no_match(store, settings, query)
        else:
            write_text(event_head(settings.site_zone))
            lines = event_printer(settings.site_zone)
            for document in (first, *documents):
                for line in lines(document):
                    write_text(line)
        sys.stdout.flush()
