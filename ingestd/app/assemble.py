"""Put running pipelines together out of configs and settings."""

from __future__ import annotations

import hashlib
import re
import time

from ingestd.compiler.pipeline import Pipeline, compile_pipeline
from ingestd.config.nodes import Config
from ingestd.dead_letters.counted import CountedDeadLetters
from ingestd.dead_letters.pipeline import PipelineDeadLetters
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.journal.base import RecordQueue
from ingestd.logs import get_logger
from ingestd.pipeline.clock import ReceiveClock
from ingestd.pipeline.pipeline import RunningPipeline, report_failures
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings

log = get_logger(__name__)

Configs = dict[str, Config]


def dead_letters(settings: Settings, writer: str, writers: int) -> DeadLetterWriter:
    """Return the dead letters of one of ``writers`` processes."""
    folder = settings.data_dir / "deadletters"
    return DeadLetterWriter(folder, settings.dead_letters.max_bytes // writers, time.time, writer)


def config_version(config: Config) -> str:
    """Return a short hash of a config's text: 12 hexadecimal digits, other ones for another text."""
    return hashlib.blake2b("\0".join(config.sources.values()).encode(), digest_size=6).hexdigest()


def _writer_id(pipeline: str, number: int) -> str:
    """Return a name for the files that one worker writes for one pipeline."""
    return f"w{number}" if pipeline == "main" else f"w{number}_{re.sub(r'[^a-z0-9_]', '_', pipeline.lower())}"[:24]


def running_pipeline(
    name: str, config: Config, settings: Settings, letters: DeadLetterWriter, journal: RecordQueue, number: int
) -> RunningPipeline:
    """Return a pipeline for the worker ``number``, built and not started.

    Raises:
        ConfigErrors: The config is wrong.
    """
    for warning in config.warnings:
        log.warning("the config may not mean what it says", pipeline=name, warning=warning)
    clock = ReceiveClock()
    counted = CountedDeadLetters(PipelineDeadLetters(letters, name, config_version(config), journal))
    context = BuildContext(
        settings=settings, dead_letters=counted, pipeline_id=name, clock=clock, writer_id=_writer_id(name, number)
    )
    pipeline: Pipeline = compile_pipeline(config, context, report_failures(name))
    return RunningPipeline(name, pipeline, journal, clock, settings, counted, first=number == 0)
