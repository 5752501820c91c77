"""``ingestd reprocess``: run stored days through a changed pipeline."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import click

from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.common.backups import BackedUpStore, acting, lifecycle_lock, opened_with_backups
from ingestd.cli.common.errors import config_errors
from ingestd.cli.common.options import store_options
from ingestd.cli.common.terminal import progress
from ingestd.cli.common.times import Days, day_range
from ingestd.compiler.pipeline import Pipeline, compile_pipeline
from ingestd.jobs.reprocess import Reprocessing
from ingestd.pipeline.failures import report_failures
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from ingestd.stores.backups import Snapshot, to_restore
from ingestd.stores.base import IndexInfo, StoreError
from ingestd.units import counted


@click.command()
@click.option("--from", "days", type=Days(), required=True, help="A day, or a range such as 2019.05.01..2019.05.15.")
@click.option(
    "--config",
    "-f",
    "config_path",
    type=click.Path(path_type=Path, exists=True),
    help="The changed config; only its filters are run.  [default: the built-in pipeline]",
)
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would be written.")
@click.option("--repository", "repository", help="The repository to read days from if they are not in the store.")
@store_options
def reprocess(
    settings: Settings, days: list[datetime.date], config_path: Path | None, dry_run: bool, repository: str | None
) -> None:
    """Run stored days through the filters again, say after fixing a pattern.

    Events keep their indices and ids. A day that is no longer in the store is read from its backup. An index is
    replaced only after all of it is parsed.
    """
    pipeline = _pipeline(config_path, settings)
    act = lifecycle_lock(settings) if dry_run else acting(settings, "reprocess", day_range(days))
    with opened_with_backups(settings) as opened, act as record:
        found = _indices(opened, days, repository)
        if not found:
            raise click.ClickException("there is neither an index nor a backup of that day")
        for index, backups in sorted(found.items()):
            text = _reprocess(opened, index, backups, pipeline, repository, dry_run=dry_run)
            click.echo(text)
            if record is not None:
                record.text = "; ".join(filter(None, (record.text, text)))


def _pipeline(config_path: Path | None, settings: Settings) -> Pipeline:
    with config_errors():
        configs = pipeline_configs((config_path,) if config_path else (), None, (), settings)
        (config,) = configs.values()
        context = BuildContext(settings=settings, again=True)
        return compile_pipeline(config, context, report_failures("reprocess"), project_fields=False)


def _indices(opened: BackedUpStore, days: list[datetime.date], repository: str | None) -> dict[str, list[str]]:
    """Return the indices of the days, each with the backups to read it from; none if it is in the store."""
    work = opened.lifecycle()

    def wanted(found: IndexInfo | Snapshot) -> bool:
        return found.day in days and work.covers(found.index)

    stored: dict[str, list[str]] = {index.index: [] for index in opened.store.indices() if wanted(index)}
    if not repository and not work.repository:
        return stored
    snapshots = opened.backups.snapshots(opened.repository(repository))
    return to_restore(filter(wanted, snapshots)) | stored


def _reprocess(
    opened: BackedUpStore,
    index: str,
    backups: list[str],
    pipeline: Pipeline,
    repository: str | None,
    *,
    dry_run: bool,
) -> str:
    """Reprocess an index; returns the outcome."""
    with progress(f"reprocessing {index}") as update:
        stored = (
            opened.backups.snapshot_documents(opened.repository(repository), backups)
            if backups
            else _stored(opened, index)
        )
        total = 0 if backups else _events(opened, index)
        work = Reprocessing(pipeline, lambda read: update(read, max(total, read)))
        documents = work.run(stored)
        if dry_run:
            for _ in documents:
                pass
        else:
            opened.backups.write_index(index, documents, overwrite=True)
    counts = work.counts
    text = f"{index}: {counted(counts.read, 'event')} read, {counts.written:,} {'would be ' * dry_run}written"
    if counts.dropped:
        text += f", {counts.dropped:,} dropped by a filter"
    return f"{text}; {counts.failed:,} have failures now, {counts.were_failed:,} had before"


def _stored(opened: BackedUpStore, index: str) -> Iterator[tuple[str, bytes]]:
    """Yield (id, document) of an index; raises StoreError at the end if events arrived in the meantime."""
    before = _events(opened, index)
    yield from opened.backups.index_documents(index)
    if (after := _events(opened, index)) != before:
        raise StoreError(
            f"{counted(after - before, 'event')} arrived in {index} meanwhile; nothing was changed, try again later"
        )


def _events(opened: BackedUpStore, index: str) -> int:
    return next((info.events for info in opened.store.indices() if info.index == index), 0)
