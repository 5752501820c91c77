"""Pipelines that listen on nothing: what ``ingestd run`` does for them, in its own process."""

from __future__ import annotations

import uvloop

from ingestd.app.assemble import Configs, dead_letters, running_pipeline
from ingestd.compiler.pipeline import compile_pipeline
from ingestd.jobs.direct import run_direct
from ingestd.journal.memory import MemoryJournal
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from ingestd.web.health import Health


def run_here(settings: Settings, configs: Configs) -> int:
    """Run the pipelines until their inputs end or a signal comes; returns the exit code.

    Raises:
        OSError: An input or output cannot be opened.
        OutputGoneError: An output can take nothing any more.
    """
    return 0 if uvloop.run(_main(settings, configs)) else 1


async def _main(settings: Settings, configs: Configs) -> bool:
    letters = dead_letters(settings, "w0", 1)
    pipelines = [
        running_pipeline(name, config, settings, letters, MemoryJournal(max_bytes=settings.queue_bytes), 0)
        for name, config in configs.items()
    ]

    async def health() -> Health:
        for pipeline in pipelines:
            pipeline.measure()
        return Health()

    endless = not all(pipeline.finite for pipeline in pipelines)
    server = None
    if settings.http is not None and (settings.explicit("http") or endless):
        from ingestd.web.server import HttpServer  # noqa: PLC0415 -- a command that ends by itself has none
        from ingestd.web.site import site_of  # noqa: PLC0415

        built = {
            name: compile_pipeline(config, BuildContext(settings=settings, pipeline_id=name))
            for name, config in configs.items()
        }
        site = site_of(settings, built)
        server = HttpServer(settings.http, health, site, explicit=settings.explicit("http"))
        await server.start()
    try:
        return await run_direct(pipelines, settings.shutdown_timeout)
    finally:
        if server is not None:
            await server.stop()
        letters.close()
