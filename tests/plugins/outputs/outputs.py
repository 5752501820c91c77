"""Run one output of a config on events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.parser import parse
from ingestd.event.batch import Batch
from ingestd.plugins.interfaces import Rejection
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from tests.dead_letters.memory import MemoryDeadLetters

RECEIVED_NS = 1_795_341_600_000_000_000
STAMP = {"@timestamp": "2026-11-22T10:00:00.000Z", "@version": "1"}


def build(text: str, data_dir: Path | None = None, letters: MemoryDeadLetters | None = None) -> Any:
    """Return the output that ``text`` configures."""
    config = f"input {{ stdin {{ }} }} output {{ {text} }}"
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    context = BuildContext(settings=settings, dead_letters=letters or MemoryDeadLetters())
    return compile_pipeline(parse(config, "test.conf", {}), context).routes[0][0].output


def batch(*events: dict[str, Any], first: int = 0) -> Batch:
    """Return events as a batch; each has a timestamp."""
    whole = [{**STAMP, **event} for event in events]
    return Batch.of_events(whole, range(first, first + len(whole)), "o", RECEIVED_NS)


async def deliver(output: Any, *batches: Batch) -> list[Rejection]:
    """Deliver batches in one call, as a pipeline does; return what the output rejected of them."""
    prepared = [output.prepare(part) for part in batches]
    await output.deliver([payload for payload, _, _ in prepared])
    return [rejection for _, _, rejected in prepared for rejection in rejected]
