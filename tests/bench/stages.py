"""Where the time goes: each stage of the default pipeline alone, in this process, over the same chunks."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ingestd.app.pipelines import default_config
from ingestd.compiler.pipeline import compile_pipeline
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.tally import Tally
from ingestd.journal.journal import Journal
from ingestd.plugins.registry import BuildContext
from ingestd.protocols.bulk import bulk_body
from ingestd.settings import Settings

CHUNK_BYTES = Settings().batch.max_bytes


def measure(lines: list[bytes]) -> list[tuple[str, float]]:
    """Return pairs of stage and CPU microseconds per event, the best of three runs."""
    best: dict[str, float] = {}
    for _ in range(3):
        for stage, seconds in _once(lines).items():
            best[stage] = min(best.get(stage, seconds), seconds)
    return [(stage, seconds / len(lines) * 1e6) for stage, seconds in best.items()]


def _chunks(lines: list[bytes]) -> Iterator[Chunk]:
    """Yield the lines as the tcp input reads them: as many as fit into its buffer."""
    some: list[bytes] = []
    size = offset = 0
    for line in [*lines, b""]:
        if some and (not line or size + len(line) > CHUNK_BYTES):
            yield Chunk("tcp_0", "bench", {}, offset, time.time_ns(), len(some), b"".join(some))
            offset += size
            some, size = [], 0
        some.append(line)
        size += len(line)


def _once(lines: list[bytes]) -> dict[str, float]:
    pipeline = compile_pipeline(default_config(Settings(elasticsearch="http://127.0.0.1:1")), BuildContext())
    codec, output = pipeline.inputs[0].codec, pipeline.routes[0][0].output
    spent: dict[str, float] = {}

    def timed(stage: str, action: Callable[[], Any]) -> Any:
        begin = time.process_time()
        result = action()
        spent[stage] = spent.get(stage, 0.0) + time.process_time() - begin
        return result

    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "w0")
        journal.consumers(["output"])
        for chunk in _chunks(lines):
            end = timed("journal", lambda: journal.append([chunk]))  # noqa: B023
            table = timed("decode", lambda: codec.decode(chunk))  # noqa: B023
            (rows,) = timed("filter", lambda: pipeline.process(table, None, chunk.time_ns, Tally()))  # noqa: B023
            batch = Batch(table, rows, "bench", chunk.time_ns)
            timed("documents", batch.documents)
            payload = timed("payload", lambda: output.prepare(batch)).payload  # noqa: B023
            timed("bulk body", lambda: bulk_body([(payload.actions, payload.documents)]))  # noqa: B023
            timed("journal", lambda: journal.commit("output", end))  # noqa: B023
        journal.close()
    return spent
