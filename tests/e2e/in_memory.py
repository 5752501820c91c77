"""A whole pipeline in this process: its inputs read real sockets, its journal and its output are in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.parser import parse
from ingestd.event.batch import Batch
from ingestd.journal.memory import MemoryJournal
from ingestd.pipeline.pipeline import RunningPipeline
from ingestd.plugins.interfaces import Prepared, StopMode
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from tests.dead_letters.memory import MemoryDeadLetters
from tests.waiting import WAIT_SECONDS, eventually


class Memory:
    """An output that keeps the documents, and takes none while ``gate`` is cleared."""

    concurrency = 1
    batch_bytes = 1 << 16

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.gate, self.first = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def open(self) -> None:
        pass

    def prepare(self, batch: Batch) -> Prepared[list[bytes]]:
        self.ids += batch.ids()
        return Prepared(batch.documents(), sum(map(len, batch.documents())))

    async def deliver(self, loads: Sequence[list[bytes]]) -> None:
        await self.gate.wait()
        self.documents += [json.loads(document) for load in loads for document in load]
        self.first.set()

    async def close(self) -> None:
        pass


class MemoryPipeline:
    """A pipeline whose only output is ``memory``."""

    def __init__(self, config: str, journal_bytes: int = 1 << 30, **settings: Any) -> None:
        self.letters, self.memory = MemoryDeadLetters(), Memory()
        known = replace(Settings(), **settings)
        known = replace(known, journal=replace(known.journal, sync_interval=0.05))
        pipeline = compile_pipeline(parse(config, "test.conf", {}), BuildContext(settings=known))
        route = [replace(built, output=self.memory) for built in pipeline.routes[0]]
        self.journal = MemoryJournal(max_bytes=journal_bytes)
        self.running = RunningPipeline("main", replace(pipeline, routes=[route]), self.journal, known, self.letters)
        self.input = pipeline.inputs[0].input
        self.stopped = False

    async def until(self, count: int) -> list[dict[str, Any]]:
        """Wait until ``count`` documents have come, return them all."""
        await eventually(lambda: len(self.memory.documents) >= count)
        return self.memory.documents

    async def stop(self, mode: StopMode = "drain") -> None:
        """Let the inputs end, and deliver everything; a second call does nothing."""
        if not self.stopped:
            self.stopped = True
            self.running.stop_inputs(mode)
            async with asyncio.timeout(WAIT_SECONDS):
                await self.running.drain()
            await self.running.close()
