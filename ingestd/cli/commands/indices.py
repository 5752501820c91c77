"""``ingestd indices``: the size of each day."""

from __future__ import annotations

from typing import Any

import click

from ingestd.cli.common.events import report_no_events
from ingestd.cli.common.options import json_option, store_options
from ingestd.cli.common.stores import opened_store
from ingestd.cli.common.terminal import write_json, write_table
from ingestd.settings import Settings
from ingestd.stores.backups import left_out_note
from ingestd.stores.base import IndexInfo
from ingestd.units import round_size


@click.command()
@store_options
@json_option
def indices(settings: Settings, as_json: bool) -> None:
    """List the indices: events and bytes of each day."""
    with opened_store(settings) as store:
        found = store.indices()
        if as_json:
            write_json([_document(index) for index in found])
        elif not found:
            report_no_events(settings)
        else:
            rows = [(index.index, f"{index.events:,}", round_size(index.bytes)) for index in found]
            write_table(("INDEX", "EVENTS", "SIZE"), rows, numbers=2, fit=True)
            for index in found:
                if index.restored_from:
                    click.echo(f"{index.index}: restored{left_out_note(index.index, index.restored_from)}", err=True)


def _document(index: IndexInfo) -> dict[str, Any]:
    """Return an index as JSON types; ``restored_from`` only if queries leave it out unless they name it."""
    document = {"index": index.index, "events": index.events, "bytes": index.bytes}
    return document | ({"restored_from": index.restored_from} if index.restored_from else {})
