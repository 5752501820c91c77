"""``ingestd restore``: bring days back from their backups."""

from __future__ import annotations

import datetime

import click

from ingestd.cli.common.backups import acting, opened_with_backups
from ingestd.cli.common.options import repository_option, store_options
from ingestd.cli.common.terminal import progress
from ingestd.cli.common.times import Days, day_range
from ingestd.settings import Settings
from ingestd.stores.backups import left_out_note, to_restore
from ingestd.stores.base import StoreError
from ingestd.units import counted


@click.command()
@click.argument("days", type=Days(), metavar="DAY")
@click.option(
    "--rename",
    metavar="PREFIX",
    default="",
    help="Put this in front of the restored indices' names. Queries leave them out unless they name them.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing indices.")
@repository_option
@click.option("--to", "target", metavar="URL", help="Restore into another store: a URL, or `local`.")
@click.option("--index", "prefix", default="", metavar="NAME", help="Only indices whose names start with this.")
@store_options
def restore(  # noqa: PLR0913, PLR0917 - click passes one argument for each option
    settings: Settings,
    days: list[datetime.date],
    rename: str,
    overwrite: bool,
    repository: str | None,
    target: str | None,
    prefix: str,
) -> None:
    """Restore the backups of DAY, a day or a range such as 2019.05.01..2019.05.15.

    Retention spares a restored index for a week (setting restore.keep). An index restored under another name, with
    --rename, holds events a second time: searches and counts leave it out unless the query names it, as in
    '_index:restored-*'. Exit code 1 if a day failed or has no backup; the others are restored all the same.
    """
    failed, said = False, list[str]()

    def say(text: str, *, bad: bool = False) -> None:
        nonlocal failed
        failed = failed or bad
        said.append(text)
        click.echo(text, err=bad)

    with (
        opened_with_backups(settings) as opened,
        acting(settings, "restore", day_range(days)) as record,
        progress("restoring") as update,
    ):
        source = opened.repository(repository)
        chosen = [
            snapshot
            for snapshot in opened.backups.snapshots(source)
            if snapshot.day in days and snapshot.complete and snapshot.index.startswith(prefix)
        ]
        for day in sorted(set(days) - {snapshot.day for snapshot in chosen}):
            say(f"{day:%Y.%m.%d}: there is no backup", bad=True)
        for index, parts in to_restore(chosen).items():
            name = rename + index
            try:
                if target is None:
                    events = opened.backups.restore(source, parts, name, overwrite=overwrite, progress=update)
                else:
                    documents = opened.backups.snapshot_documents(source, parts)
                    events = opened.backups_of(target).write_index(name, documents, overwrite=overwrite, source=index)
                say(f"{name}: {counted(events, 'event')}{left_out_note(name, index)}")
            except StoreError as error:
                say(f"{index}: {error}", bad=True)
        record.text, record.failed = "; ".join(said), failed
    if failed:
        raise SystemExit(1)
