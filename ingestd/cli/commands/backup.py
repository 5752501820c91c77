"""``ingestd backup``: back up days, list and verify backups."""

from __future__ import annotations

import datetime
from typing import Any

import click

from ingestd.cli.common import tables
from ingestd.cli.common.days import Days
from ingestd.cli.common.flags import settings_options
from ingestd.cli.common.lifecycle import Opened, alone, opened, progress, snapshot_document, snapshot_row
from ingestd.event.jsontext import dumps
from ingestd.lifecycle.work import Lifecycle
from ingestd.settings import Settings
from ingestd.stores.backups import BackupError, Snapshot, newest
from ingestd.stores.base import StoreError

_settings = settings_options("data_dir", "store", "elasticsearch")
_repository = click.option("--repository", "name", help="Which repository.  [default: setting backup.repository]")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_HEADS = ("SNAPSHOT", "STATE", "EVENTS", "SIZE")


class _DayOrCommand(click.Group):
    """A group that takes a day in place of a subcommand: ``backup yesterday`` is ``backup create yesterday``."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Return the subcommand."""
        if args and args[0] not in self.commands:
            args = ["create", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let options of ``create`` come first, too."""
        if args and args[0].startswith("-") and args[0] not in {"-h", "--help"}:
            args = ["create", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_DayOrCommand)
def backup() -> None:
    """Back up days: `ingestd backup yesterday`, `ingestd backup 2019.05.01..2019.05.15`, `ingestd backup --missing`.

    The daemon does this each night of its own accord, once there is a repository.
    """


@backup.command()
@click.argument("days", type=Days(), required=False)
@click.option("--missing", is_flag=True, help="All days that have ended and are not backed up.")
@_repository
@_json
@_settings
def create(
    settings: Settings, days: list[datetime.date] | None, missing: bool, name: str | None, as_json: bool
) -> None:
    """Back up DAY, a day or a range of days, and read the backups again; exit code 1 if one failed."""
    if (days is None) != missing:
        raise click.UsageError("name a day, or use --missing")
    with opened(settings) as where, alone(settings), progress("backing up") as tell:
        work = where.lifecycle()
        work.repository = where.repository(name)
        indices = [one.index for one in work.missing()] if days is None else _of_days(where, work, days)
        results = work.back_up(indices, tell)
    if as_json:
        documents = [snapshot_document(one.snapshot) for one in results if one.snapshot]
        failed = [{"index": one.index, "state": "failed", "reason": one.error} for one in results if one.error]
        click.echo(dumps(documents + failed))
    else:
        _print([one.snapshot for one in results if one.snapshot])
        for one in results:
            if one.error:
                click.echo(f"{one.index}: {one.error}", err=True)
        if not results:
            click.echo("nothing to back up", err=True)
    if any(one.error for one in results):
        raise SystemExit(1)


@backup.command("list")
@_repository
@_json
@_settings
def list_backups(settings: Settings, name: str | None, as_json: bool) -> None:
    """List the backups in a repository."""
    with opened(settings) as where:
        found = where.backups.snapshots(where.repository(name))
    if as_json:
        click.echo(dumps([snapshot_document(one) for one in found]))
    elif found:
        _print(found)
    else:
        click.echo("no backups yet", err=True)


@backup.command()
@click.argument("days", type=Days())
@_repository
@_settings
def verify(settings: Settings, days: list[datetime.date], name: str | None) -> None:
    """Read the newest backup of DAY again, all of it: counts and checksums; exit code 1 if something is wrong."""
    wrong = 0
    with opened(settings) as where, alone(settings), progress("verifying") as tell:
        work = where.lifecycle()
        work.repository = where.repository(name)
        found = [one for one in where.backups.snapshots(work.repository) if one.day in days and one.state == "success"]
        for snapshot in newest(found):
            try:
                work.verify(snapshot.name, tell)
                click.echo(f"{snapshot.name}: good")
            except BackupError as error:
                wrong += 1
                click.echo(str(error))
    if not found:
        raise click.ClickException("there is no backup of that day")
    if wrong:
        raise SystemExit(1)


def _of_days(where: Opened, work: Lifecycle, days: list[datetime.date]) -> list[str]:
    known = {one.index: one.day for one in where.store.indices()}
    found = [index for index, day in known.items() if day in days and work.looks_at(index)]
    if not found:
        raise StoreError(f"there is no index of {days[0]:%Y.%m.%d}" + (" or the days after" if len(days) > 1 else ""))
    return found


def _print(snapshots: list[Snapshot]) -> None:
    if snapshots:
        for line in tables.table(_HEADS, [snapshot_row(one) for one in snapshots], None, numbers=2):
            click.echo(line.rstrip())
