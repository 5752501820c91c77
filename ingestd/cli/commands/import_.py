"""``ingestd import``: log files through the pipeline, each line once."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from ingestd.app.file_import import ImportResult, import_files
from ingestd.app.file_import_inputs import AUTO, CODECS
from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.common.errors import config_errors
from ingestd.cli.common.options import settings_options
from ingestd.cli.common.terminal import progress
from ingestd.jobs.import_checkpoints import ImportBusyError
from ingestd.names import MAIN
from ingestd.pipeline.delivery import OutputGoneError
from ingestd.settings import Settings
from ingestd.stores.base import StoreError
from ingestd.supervisor.logs import set_up_logging


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--config",
    "-f",
    "--path-config",
    "config_paths",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Config to use; its filters and outputs are run, its inputs are not.  [default: the built-in pipeline]",
)
@click.option(
    "--codec",
    type=click.Choice(CODECS),
    default=AUTO,
    show_default=True,
    help="How lines are decoded; auto: json_lines for files that start with {, else line. plain is the same as line.",
)
@click.option("--no-filters", is_flag=True, help="Store events unchanged, as ingestd export wrote them.")
@click.option(
    "--again",
    is_flag=True,
    help="Read files from the start even if they were imported before, say to bring back deleted days. Events that "
    "are still stored are not stored twice.",
)
@settings_options("data_dir", "elasticsearch")
def import_(
    settings: Settings,
    files: tuple[Path, ...],
    config_paths: tuple[Path, ...],
    codec: str,
    *,
    no_filters: bool,
    again: bool,
) -> None:
    """Import log files, through the same pipeline as live events.

    Files are JSON lines or text, plain, gzip or zstd. Each line is stored once: files that were imported before are
    recognised by their content, of a file that has grown only the new lines are read, and an interrupted or killed
    import continues where it stopped. The daemon may be running.

    Exit codes: 0 all lines are stored; 1 some became dead letters, a file is damaged, or the import was interrupted.
    """
    set_up_logging(settings.log_format, "warning")
    try:
        with config_errors():
            config = pipeline_configs(config_paths, None, (), settings)[MAIN]
            if no_filters:
                config = msgspec.structs.replace(config, filters=())
            with progress("importing") as update:
                result = import_files(settings, config, files, codec, update, again=again)
    except (OSError, OutputGoneError, ImportBusyError, StoreError) as error:
        raise click.ClickException(str(error)) from None
    _report(result)


def _report(result: ImportResult) -> None:
    """Print one line of counts, and what went wrong; exit code 1 if anything did."""
    click.echo(_counts(result))
    for path in result.unchanged:
        click.echo(f"{path} was imported before and has nothing new; --again imports it once more", err=True)
    for problem in result.problems:
        click.echo(f"error: {problem}", err=True)
    if result.tally.dead:
        click.echo("see the dead letters: ingestd deadletters list", err=True)
    if result.stopped:
        click.echo("interrupted; run the same command again to continue", err=True)
    if result.tally.dead or result.problems or result.stopped:
        raise SystemExit(1)


def _counts(result: ImportResult) -> str:
    tally = result.tally
    parts = [
        f"{tally.received:,} read",
        f"{tally.delivered:,} stored",
        f"{tally.duplicates:,} already stored",
        f"{tally.dead:,} dead letters",
    ]
    if tally.dropped_events:
        parts.append(f"{tally.dropped_events:,} dropped by a filter")
    if tally.elsewhere:
        parts.append(f"{tally.elsewhere:,} for other outputs")
    return ", ".join(parts)
