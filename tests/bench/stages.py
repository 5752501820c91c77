"""Where the time goes: each stage of the default pipeline alone, in this process, over the same chunks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ingestd.cli.pipelines import default_config
from ingestd.compiler.pipeline import compile_pipeline
from ingestd.event.record import Batch
from ingestd.plugins.inputs._streams import LineStream
from ingestd.plugins.interfaces import Chunk, Origin
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings

CHUNK_BYTES = Settings().batch.max_bytes


class _Collector:
    """A sink that only keeps chunks."""

    full = False

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []

    def put(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)

    def reject(self, raw: bytes, reason: str, origin: Origin) -> None:
        raise AssertionError(reason)

    async def room(self) -> None:
        """Return at once."""


def measure(lines: list[bytes]) -> list[tuple[str, float]]:
    """Return pairs of stage and CPU microseconds per event, the best of three runs."""
    best: dict[str, float] = {}
    for _ in range(3):
        for stage, seconds in _once(lines).items():
            best[stage] = min(best.get(stage, seconds), seconds)
    return [(stage, seconds / len(lines) * 1e6) for stage, seconds in best.items()]


def _once(lines: list[bytes]) -> dict[str, float]:
    pipeline = compile_pipeline(default_config(Settings(elasticsearch="http://127.0.0.1:1")), BuildContext())
    codec, output = pipeline.inputs[0].codec, pipeline.routes[0][0].output
    touched = pipeline.touched
    data = b"".join(lines)
    collector = _Collector()
    stream = LineStream(collector, Origin("bench"), 1 << 20)
    reads = [data[begin : begin + CHUNK_BYTES] for begin in range(0, len(data), CHUNK_BYTES)]
    spent: dict[str, float] = {}

    def timed(stage: str, action: Callable[[], Any]) -> Any:
        begin = time.process_time()
        result = action()
        spent[stage] = spent.get(stage, 0.0) + time.process_time() - begin
        return result

    for read in reads:
        timed("cut lines", lambda: stream.feed(read))  # noqa: B023
        for chunk in collector.chunks:
            decoded = timed("decode", lambda: codec.decode(chunk))  # noqa: B023
            (records,) = timed("filter", lambda: pipeline.process(decoded, None))  # noqa: B023
            batch = Batch(records, "bench", touched)
            timed("documents", batch.documents)
            timed("bulk body", lambda: output.prepare(batch))  # noqa: B023
        collector.chunks.clear()
    return spent
