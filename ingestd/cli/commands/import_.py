"""``ingestd import``: log files through the pipeline, each line once."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import click
import msgspec
import uvloop

from ingestd.app.assemble import config_version, dead_letters
from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.common.options import settings_options
from ingestd.cli.common.terminal import progress
from ingestd.compiler.bound import Step
from ingestd.compiler.check import STREAM_CODECS
from ingestd.compiler.common import InputCommon
from ingestd.compiler.pipeline import BuiltInput, BuiltOutput, Pipeline, compile_pipeline
from ingestd.config.errors import ConfigErrors, Span
from ingestd.config.nodes import Config
from ingestd.dead_letters.counted import CountedDeadLetters
from ingestd.dead_letters.pipeline import PipelineDeadLetters
from ingestd.jobs.direct import run_direct
from ingestd.jobs.import_files import Content, ContentError
from ingestd.jobs.import_input import FileInput, Imports, TrackedJournal
from ingestd.jobs.import_known import Known, NewOnly, known_ids
from ingestd.jobs.import_places import BusyError, Places, destination_of
from ingestd.journal.base import START
from ingestd.pipeline.delivery import OutputGoneError
from ingestd.pipeline.ledger import Sheet
from ingestd.pipeline.pipeline import RunningPipeline, report_failures
from ingestd.plugins.interfaces import Codec
from ingestd.plugins.outputs.store import StoreOutput
from ingestd.plugins.registry import BuildContext, find
from ingestd.settings import Settings
from ingestd.stores.base import StoreError
from ingestd.stores.open import LOCAL, open_store
from ingestd.stores.query import Query
from ingestd.supervisor.logs import set_up_logging

_WRITER = "import"
"""A writer of its own, beside the daemon's workers."""

_PIPELINE = "main"
"""The dead letters are those of the pipeline of this name: ``ingestd deadletters replay`` sends them through it."""

_CODECS = ("auto", "plain", "line", "json_lines")
_BATCH_BYTES = 1 << 20
"""The output ``store`` looks for what a crash left in the last megabytes: documents may grow eightfold on their way."""

_SNIFFED_BYTES = 1 << 16


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
    help="Config whose filters and outputs are run, its inputs are not.  [default: the built-in pipeline]",
)
@click.option(
    "--codec",
    type=click.Choice(_CODECS),
    default="auto",
    show_default=True,
    help="What a line is; auto: json_lines for files that begin with {, else line. plain is line.",
)
@click.option("--no-filters", is_flag=True, help="Store the events as they are: what ingestd export wrote.")
@click.option(
    "--again",
    is_flag=True,
    help="From the begin of the files, although they were imported: for days that were deleted. What is still there "
    "is recognised.",
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
    """Import log files: JSON lines or text, plain, gzip or zstd, through the same pipeline as what comes in.

    Each line is stored once: a file that was imported is recognised by its content, one that has grown goes on, and
    an import that was interrupted or killed goes on with the next one. It may run beside the daemon.

    Exit codes: 0 all lines are stored; 1 some became dead letters, a file is damaged, or it was interrupted.
    """
    set_up_logging(settings.log_format, "warning")
    try:
        config = pipeline_configs(config_paths, None, (), settings)["main"]
        if no_filters:
            config = msgspec.structs.replace(config, filters=())
        places = Places(settings.data_dir / "import", destination_of(config.outputs))
        with places.held(), closing(dead_letters(settings, _WRITER, 1)) as letters:
            imports = Imports(places, again=again)
            journal = TrackedJournal(imports.delivered, settings.queue_bytes)
            counted = CountedDeadLetters(PipelineDeadLetters(letters, _PIPELINE, config_version(config), journal))
            counted.recall(START)  # a kill may have come between a letter and the note that its line is done with
            asked = None if again else places.under_way()
            result = _run(settings, config, _Parts(files, codec, asked, imports, journal, counted))
            if result.drained:
                places.settle()
    except ConfigErrors as errors:
        click.echo(errors.render(), err=True)
        raise SystemExit(1) from None
    except (OSError, OutputGoneError, BusyError, StoreError) as error:
        raise click.ClickException(str(error)) from None
    _tell(result)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What an import is put together from; ``asked``: see `known_ids`."""

    files: tuple[Path, ...]
    codec: str
    asked: dict[str, int] | None
    imports: Imports
    journal: TrackedJournal
    letters: CountedDeadLetters


@dataclass(frozen=True, slots=True)
class _Result:
    """What came of an import.

    ``problems`` are sentences; ``known`` files had nothing new; ``stopped``: a signal ended it; ``drained``: all that
    was read was delivered.
    """

    sheet: Sheet
    problems: list[str]
    known: list[Path]
    stopped: bool
    drained: bool


def _run(settings: Settings, config: Config, parts: _Parts) -> _Result:
    """Import; raises ConfigErrors, OSError, OutputGoneError."""
    context = BuildContext(settings=settings, dead_letters=parts.letters, pipeline_id=_PIPELINE, writer_id=_WRITER)
    pipeline = compile_pipeline(config, context, report_failures(_PIPELINE))
    pipeline = replace(pipeline, routes=_routes(pipeline, settings, parts.asked))
    total, done = sum(path.stat().st_size for path in parts.files), 0
    with progress("importing") as tell:

        def read(size: int) -> None:
            nonlocal done
            done += size
            tell(min(done, total), total)

        inputs, problems = _inputs(parts, pipeline, context, read)
        pipeline = replace(pipeline, inputs=[built for built, _ in inputs])
        running = RunningPipeline(_PIPELINE, pipeline, parts.journal, settings, parts.letters)
        try:
            drained = uvloop.run(run_direct([running], settings.shutdown_timeout))
        finally:
            gc.unfreeze()  # DuckDB takes what is frozen at the end of the process for a leak, and says so
    problems += [problem for _, one in inputs for problem in one.problems]
    stopped = not drained or not all(one.finished for _, one in inputs)
    known = [path for _, one in inputs for path in one.known]
    return _Result(_sheet(parts.journal, running), problems, known, stopped, drained)


def _routes(pipeline: Pipeline, settings: Settings, asked: dict[str, int] | None) -> list[list[BuiltOutput]]:
    """Return the outputs; those into the built-in store with small batches, and such that know what it has.

    ``asked``: the streams of which that is asked, None: all.
    """
    known: Known | None = None

    def adapted(built: BuiltOutput) -> BuiltOutput:
        nonlocal known
        if not isinstance(built.output, StoreOutput):
            return built
        built.output.batch_bytes = _BATCH_BYTES
        if asked == {}:
            return built
        if known is None:
            with closing(open_store(LOCAL, settings.data_dir)) as store:
                known = known_ids(store.search(Query(), 0), asked)
        return BuiltOutput(built.step, NewOnly(built.output, known))

    return [[adapted(built) for built in route] for route in pipeline.routes]


def _inputs(
    parts: _Parts, pipeline: Pipeline, context: BuildContext, read: Callable[[int], None]
) -> tuple[list[tuple[BuiltInput, FileInput]], list[str]]:
    """Return an input for each codec that files need, and what is wrong with files that cannot be read."""
    problems: list[str] = []
    by_codec: dict[str, list[Path]] = defaultdict(list)
    for path in parts.files:
        try:
            name = _sniff(path) if parts.codec == "auto" else parts.codec
            by_codec[STREAM_CODECS.get(name, name)].append(path)
        except ContentError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{path}: {error.strerror or error}")
    found = []
    for name, paths in by_codec.items():
        files = FileInput(paths, parts.imports, context.settings.max_line_bytes, read)
        found.append((_built(name, files, pipeline, context), files))
    return found, problems


def _sniff(path: Path) -> str:
    """Return the codec for a file, by what its content begins with."""
    with closing(Content(path)) as content:
        begin = content.read(_SNIFFED_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    return "json_lines" if begin.startswith(b"{") else "line"


def _built(codec: str, files: FileInput, pipeline: Pipeline, context: BuildContext) -> BuiltInput:
    """Return the input of files: what comes in looks as if it came through an input of the config.

    That is the first one with this codec, whose options (such as ``charset``) hold then; else the first one, whose
    ``type``, ``tags`` and ``add_field`` hold.
    """
    alike = (one for one in pipeline.inputs if one.step.codec is not None and one.step.codec.spec.name == codec)
    model = next(alike, None)
    spec, stdin = find("codec", codec), find("input", "stdin")
    assert spec is not None  # noqa: S101 -- both are part of ingestd
    assert stdin is not None  # noqa: S101
    own: Codec = spec.build(spec.options(), replace(context, fields=pipeline.projection.fields))
    first = model or next(iter(pipeline.inputs), None)
    step = Step(f"import_{codec}", stdin, None, InputCommon(), None, Span("import", 1, 1))
    return BuiltInput(step, files, model.codec if model else own, first.decorate if first else None)


def _sheet(journal: TrackedJournal, running: RunningPipeline) -> Sheet:
    """Return what the first output made of everything."""
    sheet = Sheet()
    for delivery in running.deliveries[:1]:
        _, state = journal.committed(delivery.name)
        for inputs in (state or {}).get("days", {}).values():
            for counts in inputs.values():
                sheet.add(Sheet.of(counts))
    return sheet


def _tell(result: _Result) -> None:
    """Print one sentence, and what went wrong; end with exit code 1 if something did."""
    sheet = result.sheet
    parts = [f"{sheet.received:,} read", f"{sheet.delivered:,} stored", f"{sheet.duplicates:,} there already"]
    parts.append(f"{sheet.dead:,} dead letters")
    if sheet.dropped_events:
        parts.append(f"{sheet.dropped_events:,} dropped by a filter")
    if sheet.elsewhere:
        parts.append(f"{sheet.elsewhere:,} for other outputs")
    click.echo(", ".join(parts))
    for path in result.known:
        click.echo(f"{path} was imported before and has nothing new; --again imports it once more", err=True)
    for problem in result.problems:
        click.echo(f"error: {problem}", err=True)
    if sheet.dead:
        click.echo("see the dead letters: ingestd deadletters list", err=True)
    if result.stopped:
        click.echo("stopped before the end; the same command goes on", err=True)
    if sheet.dead or result.problems or result.stopped:
        raise SystemExit(1)
