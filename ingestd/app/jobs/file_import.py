"""What ``ingestd import`` does: log files through a pipeline, each line stored once."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import uvloop

from ingestd.app.addresses import refuse_addresses
from ingestd.app.assemble import check_store_outputs, config_version, dead_letter_writer
from ingestd.app.jobs.file_import_inputs import ImportOptions, file_inputs
from ingestd.app.jobs.file_import_outputs import ImportOutputs
from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.nodes import Config
from ingestd.dead_letters.pipeline import PipelineDeadLetters
from ingestd.event.tally import Tally
from ingestd.jobs.direct import run_direct
from ingestd.jobs.import_checkpoints import ImportCheckpoints, destination_of
from ingestd.jobs.import_input import Imports, TrackedJournal
from ingestd.names import MAIN
from ingestd.pipeline.delivery import Delivery
from ingestd.pipeline.failures import report_failures
from ingestd.pipeline.pipeline import RunningPipeline
from ingestd.plugins.registry import BuildContext
from ingestd.settings import ACCEPT, Settings
from ingestd.stores.open import STORE_OUTPUTS

_WRITER = "import"
"""Its own writer id: an import may run next to the daemon's workers."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of an import.

    Attributes:
        tally: What became of the events for the first output that stores them, else for the first.
        output: The id of that output if it is not a store, else empty.
        problems: What went wrong with files, one sentence each.
        unchanged: Files with nothing new since they were imported before.
        old_indices: What was stored although it is older than retention keeps, in order.
        waiting: Files whose last line has no end yet and was left, and how many bytes of it are there.
        stopped: Whether a signal ended the import early.
        drained: Whether everything that was read has been delivered.
    """

    tally: Tally
    output: str
    problems: list[str]
    unchanged: list[Path]
    old_indices: list[str]
    waiting: list[tuple[Path, int]]
    stopped: bool
    drained: bool


def import_files(
    settings: Settings,
    config: Config,
    files: Sequence[Path],
    options: ImportOptions,
    progress: Callable[[int, int], None],
    announce: Callable[[str], None],
) -> ImportResult:
    """Run files through the filters and outputs of a config.

    Args:
        settings: The data folder, limits and timeouts.
        config: Its inputs are not run; they say how lines are decoded and which fields are added.
        files: Plain, gzip or zstd.
        options: How the files are read.
        progress: Called with the bytes read and the bytes of all files.
        announce: Called with the first index that is older than retention keeps, before anything is stored in it.

    Raises:
        ConfigErrors: The config is wrong.
        ImportBusyError: Another import is running on this data folder.
        OutputGoneError: An output cannot accept anything any more.
        StoreError: The store cannot be read.
        OSError: An output cannot be opened, or the disk cannot be written.
    """
    settings = _any_date(settings)
    checkpoints = ImportCheckpoints(settings.data_dir / "import", destination_of(config.outputs))
    with checkpoints.locked(), closing(dead_letter_writer(settings, _WRITER, 1)) as writer:
        imports = Imports(checkpoints, again=options.again, charset=options.charset)
        journal = TrackedJournal(imports.delivered, settings.queue_bytes)
        # A kill may have come between a dead letter and the note that its line is done.
        repeated = () if options.again else checkpoints.in_progress()
        dead_letters = PipelineDeadLetters(writer, MAIN, config_version(config), journal, repeated)
        context = BuildContext(settings=settings, dead_letters=dead_letters, pipeline_id=MAIN, writer_id=_WRITER)
        pipeline = compile_pipeline(config, context, report_failures(MAIN))
        check_store_outputs({MAIN: pipeline}, {MAIN: config})
        refuse_addresses(pipeline, config)
        outputs = ImportOutputs(settings, None if options.again else checkpoints.in_progress(), announce)
        pipeline = replace(pipeline, routes=outputs.routes(pipeline))
        inputs, problems = file_inputs(files, options, imports, pipeline, context, _read_counter(files, progress))
        pipeline = replace(pipeline, inputs=[built for built, _ in inputs])
        running = RunningPipeline(MAIN, pipeline, journal, settings, dead_letters)
        try:
            drained = uvloop.run(run_direct([running], settings.shutdown_timeout))
        finally:
            gc.unfreeze()  # at exit, DuckDB reports frozen objects as a leak
        if drained:
            checkpoints.mark_complete()
    sources = [source for _, source in inputs]
    problems += [problem for source in sources for problem in source.problems]
    stopped = not drained or not all(source.finished for source in sources)
    unchanged = [path for source in sources for path in source.known]
    waiting = [row for source in sources for row in source.waiting]
    counted = _counted(running)
    tally = _tally(journal, counted) if counted else Tally()
    output = counted.name if counted and not _stores(counted) else ""
    return ImportResult(tally, output, problems, unchanged, outputs.old_indices, waiting, stopped, drained)


def _any_date(settings: Settings) -> Settings:
    """Return settings that take events of any day, unless they were set: who imports files means what is in them."""
    late = settings.late if settings.explicit("late") else ACCEPT
    future = settings.future if settings.explicit("future") else ACCEPT
    limit = settings.new_indices_per_hour if settings.explicit("new_indices_per_hour") else 0
    return replace(settings, late=late, future=future, new_indices_per_hour=limit)


def _read_counter(files: Sequence[Path], progress: Callable[[int, int], None]) -> Callable[[int], None]:
    total, done = sum(path.stat().st_size for path in files), 0

    def read(size: int) -> None:
        nonlocal done
        done += size
        progress(min(done, total), total)

    return read


def _counted(running: RunningPipeline) -> Delivery | None:
    """Return the output whose numbers are reported; None if there is no output."""
    return next(filter(_stores, running.deliveries), None) or next(iter(running.deliveries), None)


def _stores(delivery: Delivery) -> bool:
    return delivery.built.step.spec.name in STORE_OUTPUTS


def _tally(journal: TrackedJournal, delivery: Delivery) -> Tally:
    """Return what became of all events for an output."""
    tally = Tally()
    _, state = journal.committed(delivery.name)
    for inputs in (state or {}).get("days", {}).values():
        for counts in inputs.values():
            tally.add(Tally.of(counts))
    return tally
