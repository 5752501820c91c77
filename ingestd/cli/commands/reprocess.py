"""``ingestd reprocess``: put stored days through a changed pipeline."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import click

from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.common.days import Days
from ingestd.cli.common.flags import settings_options
from ingestd.cli.common.lifecycle import Opened, alone, opened, progress
from ingestd.compiler.pipeline import Pipeline, compile_pipeline
from ingestd.config.errors import ConfigErrors
from ingestd.jobs.reprocess import Reprocessing
from ingestd.pipeline.pipeline import report_failures
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from ingestd.stores.backups import to_restore
from ingestd.stores.base import StoreError


@click.command()
@click.option("--from", "days", type=Days(), required=True, help="A day, or a range such as 2019.05.01..2019.05.15.")
@click.option(
    "--config",
    "-f",
    "config_path",
    type=click.Path(path_type=Path, exists=True),
    help="The changed config; its filters are run, its inputs and outputs are not.  [default: the built-in pipeline]",
)
@click.option("--dry-run", is_flag=True, help="Change nothing, say what would come out.")
@click.option("--repository", "name", help="Where days are taken from that are not in the store.")
@settings_options("data_dir", "store", "elasticsearch")
def reprocess(
    settings: Settings, days: list[datetime.date], config_path: Path | None, dry_run: bool, name: str | None
) -> None:
    """Run stored days through the filters again, after a pattern was fixed: same ids, same indices.

    A day that is no longer in the store is read from its backup. An index is replaced only once all of it is parsed.
    """
    pipeline = _pipeline(config_path, settings)
    with opened(settings) as where, alone(settings):
        found = _indices(where, days, name)
        if not found:
            raise click.ClickException("there is neither an index nor a backup of that day")
        for index, backups in sorted(found.items()):
            _reprocess(where, index, backups, pipeline, name, dry_run=dry_run)


def _pipeline(config_path: Path | None, settings: Settings) -> Pipeline:
    try:
        configs = pipeline_configs((config_path,) if config_path else (), None, (), settings)
        (config,) = configs.values()
        context = BuildContext(settings=settings, again=True)
        return compile_pipeline(config, context, report_failures("reprocess"), project_fields=False)
    except ConfigErrors as errors:
        click.echo(errors.render(), err=True)
        raise SystemExit(1) from None


def _indices(where: Opened, days: list[datetime.date], name: str | None) -> dict[str, list[str]]:
    """Return the indices of the days, each with the backups that it must be taken from, none if it is there."""
    work = where.lifecycle()
    found: dict[str, list[str]] = {
        one.index: [] for one in where.store.indices() if one.day in days and work.looks_at(one.index)
    }
    if name or work.repository:
        source = where.repository(name)
        kept = [one for one in where.backups.snapshots(source) if one.day in days and work.looks_at(one.index)]
        found = to_restore(kept) | found
    return found


def _reprocess(
    where: Opened, index: str, backups: list[str], pipeline: Pipeline, name: str | None, *, dry_run: bool
) -> None:
    with progress(f"reprocessing {index}") as tell:
        stored = where.backups.documents(where.repository(name), backups) if backups else _stored(where, index)
        total = 0 if backups else _events(where, index)
        work = Reprocessing(pipeline, lambda read: tell(read, max(total, read)))
        documents = work.run(stored)
        if dry_run:
            for _ in documents:
                pass
        else:
            where.backups.fill(index, documents, overwrite=True)
    counts = work.counts
    text = f"{index}: {counts.read:,} events read, {counts.written:,} {'would be ' * dry_run}written"
    if counts.dropped:
        text += f", {counts.dropped:,} dropped by a filter"
    click.echo(f"{text}; {counts.failed:,} have failures now, {counts.were_failed:,} had before")


def _stored(where: Opened, index: str) -> Iterator[tuple[str, bytes]]:
    """Return what an index holds; raises StoreError at the end if events came in meanwhile."""
    before = _events(where, index)
    yield from where.backups.content(index)
    if (after := _events(where, index)) != before:
        raise StoreError(f"{after - before:,} events came into {index} meanwhile; nothing was changed, try again later")


def _events(where: Opened, index: str) -> int:
    return next((one.events for one in where.store.indices() if one.index == index), 0)
