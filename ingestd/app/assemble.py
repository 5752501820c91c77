"""Builds running pipelines from configs and settings."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter

from ingestd.app.addresses import check_addresses
from ingestd.app.conflicts import check_ports, check_sincedbs
from ingestd.compiler.pipeline import Pipeline, compile_pipeline
from ingestd.config.errors import ConfigError, ConfigErrors
from ingestd.config.nodes import Config
from ingestd.dead_letters.pipeline import PipelineDeadLetters
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.journal.base import RecordQueue
from ingestd.logs import get_logger
from ingestd.names import OutputCollisionError, check_store_writer_ids, worker_name, writer_id
from ingestd.pipeline.failures import report_failures
from ingestd.pipeline.pipeline import RunningPipeline
from ingestd.plugins.pipeline_bus import PipelineBus
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings

log = get_logger(__name__)

Configs = dict[str, Config]


def dead_letter_writer(settings: Settings, writer: str, writers: int) -> DeadLetterWriter:
    """Return the dead letter writer of one of ``writers`` processes, which share the space."""
    folder = settings.data_dir / "deadletters"
    return DeadLetterWriter(folder, settings.dead_letters.max_bytes // writers, time.time, writer)


def config_version(config: Config) -> str:
    """Return a short hash of the text of a config: 12 hexadecimal digits."""
    return hashlib.blake2b("\0".join(config.sources.values()).encode(), digest_size=6).hexdigest()


def compile_all(settings: Settings, configs: Configs, process: str) -> dict[str, Pipeline]:
    """Return the compiled pipelines, none of which is to run: this finds every mistake before the start.

    ``process`` is the name of the process that is to write for them; of several, the longest name.

    Raises:
        ConfigErrors: A config is wrong, two inputs, or one and the dashboard, would listen on the same port, two inputs
            would use the same sincedb, two outputs would write to the same files, or pipelines cannot send events to
            each other as they say.
    """
    pipelines = {
        name: compile_pipeline(
            config, BuildContext(settings=settings, pipeline_id=name, writer_id=writer_id(process, name))
        )
        for name, config in configs.items()
    }
    check_ports(pipelines, configs, settings.http if settings.explicit("http") else None)
    check_store_outputs(pipelines, configs)
    check_addresses(pipelines, configs)
    check_sincedbs(pipelines, configs)
    return pipelines


def check_store_outputs(pipelines: Mapping[str, Pipeline], configs: Configs) -> None:
    """Raise ConfigErrors if two outputs would write to the same files of the built-in store."""
    outputs = [(name, built) for name, pipeline in pipelines.items() for route in pipeline.routes for built in route]
    if all(built.step.spec.name != "store" for _, built in outputs):
        return
    from ingestd.plugins.outputs.store import StoreOutput  # noqa: PLC0415 -- it takes a tenth of the start

    stores = {
        (name, built.step.plugin_id): (built.output.writer_id, built.step)
        for name, built in outputs
        if isinstance(built.output, StoreOutput)
    }
    try:
        check_store_writer_ids((*key, writer) for key, (writer, _) in stores.items())
    except OutputCollisionError as error:
        span = stores[error.pipeline, error.plugin_id][1].span
        hint = "give one of them another id => ..., short and of a-z, 0-9 and _"
        raise ConfigErrors([ConfigError(str(error), span, hint)], configs[error.pipeline].sources) from None


def running_pipeline(  # noqa: PLR0913 -- the last by name
    name: str,
    config: Config,
    settings: Settings,
    dead_letters: DeadLetterWriter,
    journal: RecordQueue,
    number: int,
    *,
    bus: PipelineBus | None = None,
) -> RunningPipeline:
    """Return a pipeline for the worker ``number``, built but not started; ``bus``: that of its process.

    Raises:
        ConfigErrors: The config is wrong.
    """
    pipeline_dead_letters = PipelineDeadLetters(dead_letters, name, config_version(config), journal)
    context = BuildContext(
        settings=settings,
        dead_letters=pipeline_dead_letters,
        pipeline_id=name,
        writer_id=writer_id(worker_name(number), name),
        bus=bus or PipelineBus(),
    )
    pipeline: Pipeline = compile_pipeline(config, context, report_failures(name))
    pipeline_dead_letters.find_frames(pipeline.own_ids, pipeline.delimiter_of)
    for warning in pipeline.warnings:
        log.note("the config may not mean what it says", pipeline=name, warning=warning, hint=warning.hint)
    return RunningPipeline(name, pipeline, journal, settings, pipeline_dead_letters, first=number == 0)


def senders_first(pipelines: Sequence[RunningPipeline]) -> list[RunningPipeline]:
    """Return pipelines so that each comes after those that send to it: they are closed in this order."""
    names = {address: pipeline.name for pipeline in pipelines for address in pipeline.receives_at}
    by_name = {pipeline.name: pipeline for pipeline in pipelines}
    receivers = {pipeline.name: [names[address] for address in pipeline.sends_to] for pipeline in reversed(pipelines)}
    return [by_name[name] for name in reversed([*TopologicalSorter(receivers).static_order()])]
