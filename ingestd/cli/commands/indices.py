"""``ingestd indices``: what a store has of each day."""

from __future__ import annotations

import click

from ingestd.cli.common import tables
from ingestd.cli.common.asking import as_json_option, opened_store, store_settings
from ingestd.cli.common.printing import NO_EVENTS, screen_cells, write, write_text
from ingestd.event.jsontext import dumps
from ingestd.settings import Settings
from ingestd.units import round_size


@click.command()
@store_settings
@as_json_option
def indices(settings: Settings, as_json: bool) -> None:
    """List the indices: events and bytes of each day."""
    with opened_store(settings) as store:
        found = store.indices()
    if as_json:
        write(dumps([{"index": one.index, "events": one.events, "bytes": one.bytes} for one in found]))
    elif not found:
        click.echo(NO_EVENTS, err=True)
    else:
        rows = [(one.index, f"{one.events:,}", round_size(one.bytes)) for one in found]
        for line in tables.table(("INDEX", "EVENTS", "SIZE"), rows, screen_cells(), numbers=2):
            write_text(line)
