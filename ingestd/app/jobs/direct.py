"""What ``ingestd run`` does for configs that listen on no socket: it runs them in its own process."""

from __future__ import annotations

import uvloop

from ingestd.app.assemble import Configs, compile_all, dead_letter_writer, running_pipeline, senders_first
from ingestd.jobs.direct import run_direct
from ingestd.journal.memory import MemoryJournal
from ingestd.names import worker_name
from ingestd.plugins.pipeline_bus import PipelineBus
from ingestd.settings import Settings
from ingestd.tasks import BackgroundTasks
from ingestd.web.health import Health, stall_details

_PROCESS = worker_name(0)


def run_here(settings: Settings, configs: Configs) -> int:
    """Run the pipelines until their inputs end or a signal comes; returns the exit code.

    Raises:
        ConfigErrors: A config is wrong.
        OSError: An input or output cannot be opened.
        OutputGoneError: An output cannot accept anything any more.
    """
    return 0 if uvloop.run(_main(settings, configs)) else 1


async def _main(settings: Settings, configs: Configs) -> bool:
    compiled = compile_all(settings, configs, _PROCESS)
    dead_letters, bus = dead_letter_writer(settings, _PROCESS, 1), PipelineBus()
    journals = {name: MemoryJournal(max_bytes=settings.queue_bytes) for name in configs}
    pipelines = senders_first(
        [
            running_pipeline(name, config, settings, dead_letters, journals[name], 0, bus=bus)
            for name, config in configs.items()
        ]
    )

    async def health() -> Health:
        for pipeline in pipelines:
            pipeline.measure()
        stalls = [stall for pipeline in pipelines for stall in pipeline.stalls()]
        problems = [text for pipeline in pipelines for text in pipeline.problems()]
        return Health(degraded=(*map(str, stalls), *problems), details=stall_details(stalls))

    endless = not all(pipeline.finite for pipeline in pipelines)
    server, tasks = None, BackgroundTasks("http")
    if settings.http is not None and (settings.explicit("http") or endless):
        from ingestd.web.dashboard_config import make_dashboard_config  # noqa: PLC0415
        from ingestd.web.server import HttpServer, check_address  # noqa: PLC0415 -- a command that ends has none

        if settings.http_required:
            check_address(settings.http)
        server = HttpServer(settings.http, health, make_dashboard_config(settings, compiled, configs))
        await server.start()
        tasks.keep_running("serving later", server.listen_later)
    try:
        complete = await run_direct(pipelines, settings.shutdown_timeout)
    finally:
        await tasks.close()
        if server is not None:
            await server.stop()
        dead_letters.close()
    return complete and not dead_letters.lost
