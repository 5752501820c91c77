"""``ingestd export``: the events that match a query, as a file."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path
from typing import Any

import click

from ingestd.cli.common.errors import check_overwrite
from ingestd.cli.common.options import bom_option, overwrite_option, store_options
from ingestd.cli.common.queries import FieldName, query_options
from ingestd.cli.common.stores import opened_store
from ingestd.cli.common.terminal import progress
from ingestd.settings import Settings
from ingestd.stores.export.documents import STDOUT, documents_of, export_target, hits_by_day
from ingestd.stores.export.formats import WRITERS
from ingestd.stores.query import Query
from ingestd.units import counted

_SUFFIXES = {".csv": "csv", ".parquet": "parquet"}


class FieldList(FieldName):
    """Field names separated by commas."""

    name = "fields"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the fields, each once."""
        if isinstance(value, tuple):
            return value
        names = dict.fromkeys(name.strip() for name in value.split(","))
        return tuple(FieldName.convert(self, name, param, ctx) for name in names if name)


@click.command()
@query_options()
@click.option("--format", "form", type=click.Choice(list(WRITERS)), help="[default: from FILE's ending, else ndjson]")
@click.option("--output", "-o", default=STDOUT, metavar="FILE", help="Output file; - is stdout.  [default: -]")
@click.option(
    "--fields", "columns", type=FieldList(), default=(), help="Only these fields: level,search_word,client_ip."
)
@bom_option
@overwrite_option
@store_options
def export(  # noqa: PLR0913, PLR0917 -- click passes one argument for each option
    settings: Settings,
    query: Query,
    form: str | None,
    output: str,
    columns: tuple[str, ...],
    bom: bool,
    overwrite: bool,
) -> None:
    """Write the events that match QUERY to a file, newest first.

    ndjson: each document as it is stored; `ingestd import --no-filters` reads it back. csv: a column for each field,
    nested ones as a.b. parquet: the same, with types where all values of a field have the same one. The file appears
    under its name only when it is complete; one that exists is replaced only with --overwrite.
    """
    form = form or _SUFFIXES.get(Path(output).suffix.lower(), "ndjson")
    if output == STDOUT and form == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet cannot be shown on a terminal; use --output FILE")
    if bom and form != "csv":
        raise click.UsageError("only CSV has a byte order mark; use --format csv")
    if output != STDOUT:
        check_overwrite(Path(output), overwrite=overwrite)
    with opened_store(settings) as store:
        total = store.count(query)
        with export_target(output) as (target, folder), progress("exporting") as update:
            documents = documents_of(hits_by_day(store, query, total), total, update)
            if bom:
                target.write(codecs.BOM_UTF8)
            WRITERS[form](documents, target, columns, folder)
        if output != STDOUT:
            click.echo(f"{counted(total, 'event')} written to {output}", err=True)
