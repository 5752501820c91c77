"""``ingestd import``: log files through the pipeline, each line once."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from ingestd.app.jobs.file_import import ImportResult, import_files
from ingestd.app.jobs.file_import_inputs import AUTO, CODECS, ImportOptions
from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.common.errors import config_errors
from ingestd.cli.common.old_days import announce_old_days
from ingestd.cli.common.options import config_option, settings_options
from ingestd.cli.common.owner import ActionOutcome, recorded
from ingestd.cli.common.terminal import progress
from ingestd.cli.common.times import now
from ingestd.files import readable_path
from ingestd.jobs.import_checkpoints import ImportBusyError
from ingestd.names import MAIN
from ingestd.pipeline.delivery import OutputGoneError
from ingestd.plugins.charsets import find_charset
from ingestd.settings import Settings
from ingestd.stores.base import StoreError
from ingestd.supervisor.logs import set_up_logging
from ingestd.units import counted


class Charset(click.ParamType[str]):
    """The name of an encoding, as Python's, or None for UTF-8."""

    name = "charset"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return Python's name of the encoding."""
        try:
            return find_charset(value)
        except ValueError as error:
            self.fail(str(error).removeprefix("charset "), param, ctx)


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@config_option(
    "--config",
    "-f",
    "--path-config",
    text="Config to use; its filters and outputs are run, its inputs are not.  [default: the built-in pipeline]",
)
@click.option(
    "--codec",
    type=click.Choice(CODECS),
    default=AUTO,
    show_default=True,
    help="How lines are decoded; auto: by the first lines of each file as JSON, as text, or, if there are both, each "
    "line on its own. plain is the same as line.",
)
@click.option(
    "--charset",
    type=Charset(),
    help="Encoding of the files, such as cp949, euc-kr or utf-16.  [default: utf-8, or what a byte order mark says]",
)
@click.option("--no-filters", is_flag=True, help="Store events unchanged, as ingestd export wrote them.")
@click.option(
    "--again",
    is_flag=True,
    help="Read files from the start even if they were imported before, say to bring back deleted days. Events that "
    "are still stored are not stored twice.",
)
@settings_options("data_dir", "elasticsearch")
def import_(  # noqa: PLR0913 -- its options
    settings: Settings,
    files: tuple[Path, ...],
    config_paths: tuple[Path, ...],
    codec: str,
    *,
    charset: str | None,
    no_filters: bool,
    again: bool,
) -> None:
    """Import log files, through the same pipeline as live events.

    Files are JSON lines or text, plain, gzip or zstd. Each line is stored once: files that were imported before are
    recognised by their content, only the new lines of a file that has grown are read, and an interrupted or killed
    import continues where it stopped. The daemon may be running.

    If a file was changed within the last minute, a last line without a line end is left for the next import. Whole JSON
    objects and compressed files do not wait. Byte order marks and NULs around lines are skipped.

    Days older than retention.max_age are announced before they are stored, and stay for restore.keep.

    Exit codes: 0 all complete lines are stored; 1 some became dead letters, a file is damaged, or the import was
    interrupted.
    """
    set_up_logging(settings.log_format, "warning")

    try:
        with config_errors():
            config = pipeline_configs(config_paths, None, (), settings)[MAIN]
            if no_filters:
                config = msgspec.structs.replace(config, filters=())
            names = ", ".join(readable_path(file.absolute()) for file in files)
            with recorded(settings, "import", names) as record, progress("importing") as update:
                options, announce = ImportOptions(codec, charset, again), announce_old_days("imported", settings)
                result = import_files(settings, config, files, options, update, announce)
                _note(record, result)
    except (OSError, OutputGoneError, ImportBusyError, StoreError) as error:
        raise click.ClickException(str(error)) from None
    _report(result)
    if result.old_indices:
        click.echo(_old_indices(result.old_indices, settings), err=True)
    if not _complete(result):
        raise SystemExit(1)


def _old_indices(indices: list[str], settings: Settings) -> str:
    """Return what was stored although retention keeps nothing as old."""
    names = indices[0] if len(indices) == 1 else f"{indices[0]} to {indices[-1]}"
    until = now(settings.site_zone) + datetime.timedelta(seconds=settings.restore.keep)
    count = f"{len(indices):,} {'index' if len(indices) == 1 else 'indices'}"
    return f"{count} older than retention.max_age: {names}; kept until {until:%Y-%m-%d %H:%M %Z}"


def _note(record: ActionOutcome, result: ImportResult) -> None:
    """Record the outcome of an import in the action log."""
    record.text = "; ".join((_counts(result), *result.problems, *["it was interrupted"] * result.stopped))
    record.failed = not _complete(result)


def _complete(result: ImportResult) -> bool:
    """Return whether all complete lines are stored."""
    return not (result.tally.dead or result.problems or result.stopped)


def _report(result: ImportResult) -> None:
    """Print one line of counts, and what went wrong."""
    click.echo(_counts(result))
    for path in result.unchanged:
        click.echo(
            f"{readable_path(path)} was imported before and has nothing new; --again imports it once more", err=True
        )
    for path, size in result.waiting:
        text = "has no line end yet and waits for it; import the file again once it is complete, or in a minute"
        click.echo(f"{readable_path(path)}: the last line ({size:,} bytes) {text}", err=True)
    for problem in result.problems:
        click.echo(f"error: {problem}", err=True)
    if result.tally.dead:
        click.echo("see the dead letters: ingestd deadletters list", err=True)
    if result.stopped:
        click.echo("interrupted; run the same command again to continue", err=True)


def _counts(result: ImportResult) -> str:
    tally = result.tally
    done = [f"{tally.delivered:,} stored", f"{tally.duplicates:,} already stored"]
    if result.output:
        done = [f"{tally.delivered:,} delivered to output {result.output}, none stored"]
    parts = [f"{tally.received:,} read", *done, counted(tally.dead, "dead letter")]
    if tally.dropped_events:
        parts.append(f"{tally.dropped_events:,} dropped by a filter")
    if tally.elsewhere:
        parts.append(f"{tally.elsewhere:,} for other outputs")
    return ", ".join(parts)
