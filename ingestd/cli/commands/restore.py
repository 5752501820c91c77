"""``ingestd restore``: bring days back from their backups."""

from __future__ import annotations

import datetime

import click

from ingestd.cli.common.days import Days
from ingestd.cli.common.flags import settings_options
from ingestd.cli.common.lifecycle import alone, opened, progress
from ingestd.settings import Settings
from ingestd.stores.backups import to_restore
from ingestd.stores.base import StoreError


@click.command()
@click.argument("days", type=Days())
@click.option("--rename", metavar="PREFIX", default="", help="Put this before the names of the restored indices.")
@click.option("--overwrite", is_flag=True, help="Replace indices that are there.")
@click.option("--repository", "name", help="Which repository.  [default: setting backup.repository]")
@click.option("--to", "target", metavar="URL", help="Another store to bring them into: a URL, or `local`.")
@click.option("--index", "pattern", default="", metavar="NAME", help="Only indices whose names begin so.")
@settings_options("data_dir", "store", "elasticsearch")
def restore(  # noqa: PLR0913, PLR0917 - click passes one argument for each option
    settings: Settings,
    days: list[datetime.date],
    rename: str,
    overwrite: bool,
    name: str | None,
    target: str | None,
    pattern: str,
) -> None:
    """Bring DAY back, a day or a range such as 2019.05.01..2019.05.15.

    Retention leaves what was restored alone for a week (setting restore.keep). Exit code 1 if a day failed or has no
    backup; the others are restored all the same.
    """
    failed = False
    with opened(settings) as where, alone(settings), progress("restoring") as tell:
        source = where.repository(name)
        chosen = [
            one
            for one in where.backups.snapshots(source)
            if one.day in days and one.state == "success" and one.index.startswith(pattern)
        ]
        for day in sorted(set(days) - {one.day for one in chosen}):
            failed = True
            click.echo(f"{day:%Y.%m.%d}: there is no backup", err=True)
        for index, parts in to_restore(chosen).items():
            try:
                if target is None:
                    events = where.backups.restore(source, parts, rename + index, overwrite=overwrite, progress=tell)
                else:
                    documents = where.backups.documents(source, parts)
                    events = where.elsewhere(target).fill(rename + index, documents, overwrite=overwrite)
                click.echo(f"{rename + index}: {events:,} events")
            except StoreError as error:
                failed = True
                click.echo(f"{index}: {error}", err=True)
    if failed:
        raise SystemExit(1)
