"""``ingestd indices``: the size of each day."""

from __future__ import annotations

import click

from ingestd.cli.common.events import report_no_events
from ingestd.cli.common.options import json_option, store_options
from ingestd.cli.common.stores import opened_store
from ingestd.cli.common.terminal import write, write_table
from ingestd.event.jsontext import dumps
from ingestd.settings import Settings
from ingestd.units import round_size


@click.command()
@store_options
@json_option
def indices(settings: Settings, as_json: bool) -> None:
    """List the indices: events and bytes of each day."""
    with opened_store(settings) as store:
        found = store.indices()
        if as_json:
            write(dumps([{"index": index.index, "events": index.events, "bytes": index.bytes} for index in found]))
        elif not found:
            report_no_events(settings)
        else:
            rows = [(index.index, f"{index.events:,}", round_size(index.bytes)) for index in found]
            write_table(("INDEX", "EVENTS", "SIZE"), rows, numbers=2, fit=True)
