"""``ingestd export``: what a query finds, as a file."""

from __future__ import annotations

import datetime
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import click

from ingestd.cli.common.asking import FieldName, opened_store, query_options, store_settings
from ingestd.cli.common.formats import WRITERS
from ingestd.cli.common.lifecycle import progress
from ingestd.files import open_atomic
from ingestd.settings import Settings
from ingestd.stores.base import Hit, LogStore
from ingestd.stores.query import Query

_DAY = 86_400
_SUFFIXES = {".csv": "csv", ".parquet": "parquet"}


class FieldList(FieldName):
    """Fields with commas between them."""

    name = "fields"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the fields."""
        if isinstance(value, tuple):
            return value
        names = dict.fromkeys(name.strip() for name in value.split(","))
        return tuple(FieldName.convert(self, name, param, ctx) for name in names if name)


@click.command()
@query_options()
@click.option("--format", "form", type=click.Choice(list(WRITERS)), help="[default: as FILE ends, else ndjson]")
@click.option("--output", "-o", default="-", metavar="FILE", help="Where to; - is the standard output.  [default: -]")
@click.option("--fields", "columns", type=FieldList(), default=(), help="Only these: level,search_word,client_ip.")
@store_settings
def export(settings: Settings, query: Query, form: str | None, output: str, columns: tuple[str, ...]) -> None:
    """Write the events that QUERY finds to a file, the newest first.

    ndjson: each document byte for byte; ingestd import --no-filters takes it back. csv: a column for each field, those
    of objects as a.b. parquet: the same with types, where all values of a field have one. The file has its name only
    when it is complete.
    """
    form = form or _SUFFIXES.get(Path(output).suffix.lower(), "ndjson")
    if output == "-" and form == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for a terminal; use --output FILE")
    with opened_store(settings) as store:
        total = store.count(query)
        with _target(output) as (target, folder), progress("exporting") as tell:
            documents = _counted(_found(store, query, total), total, tell)
            WRITERS[form](documents, target, columns, folder)
    if output != "-":
        click.echo(f"{total:,} events written to {output}", err=True)


def _found(store: LogStore, query: Query, total: int) -> Iterator[Hit]:
    """Return all hits, day by day: sorting one is what memory must be enough for."""
    days = store.histogram(query, _DAY)
    if sum(sum(day.counts.values()) for day in days) < total:  # some events have no time, and so are in no day
        yield from store.search(query, 0)
        return
    for day in reversed(days):
        begin = datetime.datetime.fromisoformat(day.time)
        end = (begin + datetime.timedelta(seconds=_DAY)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        since, until = max(query.since or day.time, day.time), min(query.until or end, end)  # all of the same form
        yield from store.search(replace(query, since=since, until=until), 0)


def _counted(hits: Iterable[Hit], total: int, tell: Any) -> Iterator[bytes]:
    """Return the documents of hits; the bar is moved now and then."""
    step = max(total // 200, 1)
    done = 0
    for done, hit in enumerate(hits, 1):
        yield hit.document
        if done % step == 0:
            tell(done, max(total, done))
    tell(done, max(done, 1))


@contextmanager
def _target(output: str) -> Iterator[tuple[IO[bytes], Path]]:
    """Give the file to write to and a folder for what lies aside; the file gets its name when all went well."""
    if output == "-":
        yield sys.stdout.buffer, Path(tempfile.gettempdir())
        sys.stdout.flush()
        return
    path = Path(output)
    with open_atomic(path) as file:
        yield file, path.parent
