"""``ingestd backup``: back up days, list and verify backups."""

from __future__ import annotations

import datetime
from typing import Any

import click

from ingestd.cli.common.backups import (
    BackedUpStore,
    acting,
    lifecycle_lock,
    opened_with_backups,
    snapshot_document,
    write_snapshots,
)
from ingestd.cli.common.options import json_option, repository_option, store_options
from ingestd.cli.common.terminal import progress, write_json
from ingestd.cli.common.times import Days, day_range
from ingestd.lifecycle.lifecycle import Lifecycle
from ingestd.settings import Settings
from ingestd.stores.backups import BackupError, newest
from ingestd.stores.base import StoreError


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
    """Back up days, list and verify backups.

    Examples: `ingestd backup yesterday`, `ingestd backup 2019.05.01..2019.05.15`, `ingestd backup --missing`. Once
    there is a repository, the daemon does this every night.
    """


@backup.command()
@click.argument("days", type=Days(), metavar="[DAY]", required=False)
@click.option("--missing", is_flag=True, help="All past days that are not backed up.")
@repository_option
@json_option
@store_options
def create(
    settings: Settings, days: list[datetime.date] | None, missing: bool, repository: str | None, as_json: bool
) -> None:
    """Back up DAY, a day or a range of days, and verify the backups; exit code 1 if one failed."""
    if (days is None) != missing:
        raise click.UsageError("name a day, or use --missing")
    with (
        opened_with_backups(settings) as opened,
        acting(settings, "index.backup", day_range(days)) as record,
        progress("backing up") as update,
    ):
        work = opened.lifecycle(opened.repository(repository))
        indices = [index.index for index in work.missing()] if days is None else _indices_of(opened, work, days)
        results = work.back_up(indices, update)
        record.text = ", ".join(result.snapshot.name for result in results if result.snapshot)
        if errors := [f"{result.index}: {result.error}" for result in results if result.error]:
            record.fail("; ".join(errors))
    snapshots = [result.snapshot for result in results if result.snapshot]
    failed = [result for result in results if result.error]
    if as_json:
        failures = [{"index": result.index, "state": "failed", "reason": result.error} for result in failed]
        write_json([snapshot_document(snapshot) for snapshot in snapshots] + failures)
    else:
        write_snapshots(snapshots)
        for result in failed:
            click.echo(f"{result.index}: {result.error}", err=True)
        if not results:
            click.echo("nothing to back up", err=True)
    if failed:
        raise SystemExit(1)


@backup.command("list")
@repository_option
@json_option
@store_options
def list_backups(settings: Settings, repository: str | None, as_json: bool) -> None:
    """List the backups in a repository."""
    with opened_with_backups(settings) as opened:
        snapshots = opened.backups.snapshots(opened.repository(repository))
    if as_json:
        write_json([snapshot_document(snapshot) for snapshot in snapshots])
    elif snapshots:
        write_snapshots(snapshots)
    else:
        click.echo("no backups yet", err=True)


@backup.command()
@click.argument("days", type=Days(), metavar="DAY")
@repository_option
@store_options
def verify(settings: Settings, days: list[datetime.date], repository: str | None) -> None:
    """Read all of the newest backup of DAY, and compare counts and checksums; exit code 1 if something is wrong."""
    damaged = 0
    with opened_with_backups(settings) as opened, lifecycle_lock(settings), progress("verifying") as update:
        work = opened.lifecycle(opened.repository(repository))
        found = [
            snapshot
            for snapshot in opened.backups.snapshots(work.repository)
            if snapshot.day in days and snapshot.complete
        ]
        for snapshot in newest(found):
            try:
                work.verify(snapshot.name, update, snapshot.events)
                click.echo(f"{snapshot.name}: good")
            except BackupError as error:
                damaged += 1
                click.echo(str(error))
    if not found:
        raise click.ClickException("there is no backup of that day")
    if damaged:
        raise SystemExit(1)


def _indices_of(opened: BackedUpStore, work: Lifecycle, days: list[datetime.date]) -> list[str]:
    found = [index.index for index in opened.store.indices() if index.day in days and work.covers(index.index)]
    if not found:
        raise StoreError(f"there is no index of {days[0]:%Y.%m.%d}" + (" or the days after" if len(days) > 1 else ""))
    return found
