"""What ``ingestd run`` does for configs that listen on sockets: a supervisor, workers, an HTTP process, helpers."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from ingestd.app.assemble import Configs, compile_all, dead_letter_writer, running_pipeline, senders_first
from ingestd.compiler.pipeline import Pipeline
from ingestd.config.errors import ConfigErrors
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.files import file_version
from ingestd.journal.base import START
from ingestd.journal.folders import copy_folder, journal_folder, journal_folders
from ingestd.journal.journal import Journal
from ingestd.journal.positions import load_positions
from ingestd.journal.recovery import missing_tail
from ingestd.logs import get_logger
from ingestd.names import journal_name, parse_journal_name, worker_name
from ingestd.pipeline.pipeline import RunningPipeline
from ingestd.plugins.inputs._streams import StreamIds
from ingestd.plugins.interfaces import DatagramInput, Preloads, SocketInput
from ingestd.plugins.pipeline_bus import PipelineBus
from ingestd.settings import Settings, reloaded, remember_zone, stored_zone_path
from ingestd.supervisor.connections.acceptor import UPGRADE_VARIABLE
from ingestd.supervisor.connections.datagrams import DatagramListener
from ingestd.supervisor.connections.sockets import Listener
from ingestd.supervisor.control.plan import Plan
from ingestd.supervisor.control.request_results import RequestResults
from ingestd.supervisor.notify import Notifier
from ingestd.supervisor.pidfile import claim
from ingestd.supervisor.processes.channel import Channel
from ingestd.supervisor.processes.children import LOSS_EXIT_CODE
from ingestd.supervisor.processes.helpers import Helper
from ingestd.supervisor.processes.worker import run_worker
from ingestd.supervisor.supervisor import Supervisor
from ingestd.web.auth.access import AccessError
from ingestd.web.dashboard_config import make_dashboard_config
from ingestd.web.server import check_address

log = get_logger(__name__)


def run_daemon(
    settings: Settings,
    first: Configs,
    load_settings: Callable[[], Settings],
    load_configs: Callable[[Settings], Configs],
    helpers: Sequence[Helper] = (),
) -> int:
    """Be the supervisor of workers and ``helpers``; returns the exit code.

    ``load_settings`` and ``load_configs`` read the settings and the configs again, for a reload.

    Raises:
        ConfigErrors: A config is wrong.
        OSError: An address cannot be listened on, that of the pages only if ``http_required`` is set; or the pages
            would be open to everyone.
    """

    def reload() -> Plan:
        new, needs_restart = reloaded(settings, load_settings())
        try:
            plan = make_plan(new, load_configs(new))
        except ConfigErrors as errors:
            raise ValueError(errors.render()) from None
        except AccessError as error:
            raise ValueError(str(error)) from None
        return dataclasses.replace(plan, needs_restart=tuple(needs_restart))

    plan = make_plan(settings, first)
    claim(settings.data_dir)  # held until the process ends
    if settings.http_required and settings.http is not None and UPGRADE_VARIABLE not in os.environ:
        check_address(settings.http)
    _remember_zone(settings)
    results = RequestResults(settings.data_dir)
    stream_ids = StreamIds()
    return Supervisor(plan, reload, lambda: stream_ids.new().id, os.environ, results, helpers).run()


def _remember_zone(settings: Settings) -> None:
    before = remember_zone(settings, time.time())
    path = str(stored_zone_path(settings.data_dir))
    if before is not None:
        log.warning(
            "the time zone of days has changed: days that are stored keep the one before",
            before=before.zone,
            now=settings.index_timezone,
        )
    elif settings.origins.get("index_timezone") == path:
        log.info(
            "index_timezone is not set: days stay those of the data folder", zone=settings.index_timezone, file=path
        )


def make_plan(settings: Settings, configs: Configs) -> Plan:
    """Return what to run with these settings and configs.

    Raises:
        ConfigErrors: A config is wrong.
        AccessError: The pages would be open to everyone.
        SettingsError: An alert is wrong.
    """
    workers = settings.workers or _cores()
    pipelines = compile_all(settings, configs, worker_name(workers - 1))
    dashboard = make_dashboard_config(settings, pipelines, configs)

    def work(number: int, channel: Channel) -> int:
        def build() -> list[RunningPipeline]:
            return _pipelines(settings, configs, number, dead_letters)

        with closing(dead_letter_writer(settings, worker_name(number), workers)) as dead_letters:
            kept = Notifier(os.environ).present
            code = run_worker(number, build, channel, settings.shutdown_timeout, sockets_kept=kept)
        return LOSS_EXIT_CODE if dead_letters.lost else code

    def serve(channel: Channel) -> int:
        from ingestd.web.processes.http_process import run_http_process  # noqa: PLC0415 -- in its own process

        assert settings.http is not None  # noqa: S101 -- else this is not called, see below
        return run_http_process(settings.http, channel, dashboard)

    return Plan(
        listeners=_listeners(pipelines),
        datagrams=_datagrams(pipelines),
        workers=workers,
        journals=_journals(settings),
        worker_main=work,
        preload=partial(_preload, pipelines),
        http_main=serve if settings.http is not None else None,
        http_config=dashboard,
        helper_config=dashboard.alerts,
        fingerprint=lambda: _fingerprint(configs),
        watchdog_seconds=settings.watchdog_timeout,
        watch=settings.watch,
    )


def _preload(pipelines: Mapping[str, Pipeline]) -> None:
    outputs = [built.output for pipeline in pipelines.values() for route in pipeline.routes for built in route]
    for output in outputs:
        if isinstance(output, Preloads):
            output.preload()


def _fingerprint(configs: Configs) -> object:
    """Return the state of the config files that exist."""
    files = [Path(file) for config in configs.values() for file in config.sources]
    return [(file, file_version(file)) for file in files if file.is_file()]


def _listeners(pipelines: Mapping[str, Pipeline]) -> tuple[Listener, ...]:
    """Return what the inputs listen on."""
    found: list[Listener] = []
    for name, pipeline in pipelines.items():
        for built in pipeline.inputs:
            if isinstance(built.input, SocketInput):
                host, port = built.input.address
                limit, outlives = built.input.max_connections, built.input.outlives_reader
                found.append(Listener(name, built.step.plugin_id, host, port, limit, outlives))
    return tuple(found)


def _datagrams(pipelines: Mapping[str, Pipeline]) -> tuple[DatagramListener, ...]:
    """Return the sockets for datagrams that the inputs need."""
    return tuple(
        DatagramListener(name, built.step.plugin_id, wanted)
        for name, pipeline in pipelines.items()
        for built in pipeline.inputs
        if isinstance(built.input, DatagramInput)
        for wanted in built.input.datagram_sockets
    )


def _cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _journals(settings: Settings) -> int:
    """Return how many workers have left a journal, or one that was deleted with events that were not delivered."""
    folders = [
        folder
        for folder in journal_folders(settings.data_dir)
        if folder.is_dir() or missing_tail(START, load_positions(copy_folder(folder)))
    ]
    names = [parse_journal_name(folder.name) for folder in folders]
    return max((name[0] + 1 for name in names if name is not None), default=0)


def _pipelines(
    settings: Settings, configs: Configs, number: int, dead_letters: DeadLetterWriter
) -> list[RunningPipeline]:
    """Return the pipelines of one worker, each with its journal."""
    limits, bus = settings.journal, PipelineBus()
    running = []
    for name, config in configs.items():
        folder = journal_folder(settings.data_dir, journal_name(number, name))
        limit, size = limits.max_bytes, limits.segment_bytes
        journal = Journal(folder, max_bytes=limit, segment_bytes=size, copy=copy_folder(folder))
        running.append(running_pipeline(name, config, settings, dead_letters, journal, number, bus=bus))
    return senders_first(running)
