"""Where the time goes: each stage of a pipeline alone, in this process, in turns with the reference loop."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingestd.app.pipelines import default_config
from ingestd.compiler.pipeline import Pipeline, compile_pipeline
from ingestd.config.parser import parse
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.tally import Tally
from ingestd.journal.journal import Journal
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from ingestd.supervisor.processes.worker import keep_freed_memory
from tests.bench import reference
from tests.bench.cases import CASES
from tests.bench.cost import DISTINCT
from tests.bench.options import Options
from tests.bench.reference import Reference
from tests.bench.results import Result, Unit

SERVER = "http://127.0.0.1:1"
_CLIENT = {"host": "127.0.0.1", "port": 5959}
_ROUNDS = 5


def stages(options: Options) -> Iterator[Result]:
    """Measure each stage of the default pipeline."""
    keep_freed_memory()  # as a worker does
    lines = CASES["default"].make_lines(min(options.events, DISTINCT))
    spent, loop = least_us(default_pipeline(), lines, _ROUNDS, journal=True)
    for stage, us in spent.items():
        yield Result(f"stage {stage}", us, Unit.CPU_US, loop)
    yield Result("all stages", sum(spent.values()), Unit.CPU_US, loop)


def default_pipeline() -> Pipeline:
    """Return the default pipeline into Elasticsearch."""
    return compile_pipeline(default_config(Settings(elasticsearch=SERVER)), BuildContext())


def pipeline_of(text: str) -> Pipeline:
    """Return the pipeline of a config that may use ``${INGESTD_ELASTICSEARCH}``."""
    return compile_pipeline(parse(text, "-e", {"INGESTD_ELASTICSEARCH": SERVER}), BuildContext())


def least_us(
    pipeline: Pipeline, lines: list[bytes], rounds: int, *, journal: bool = False
) -> tuple[dict[str, float], Reference]:
    """Return the CPU microseconds per event of each stage, and those of the reference loop: the least of all rounds."""
    chunks, least = list(_chunks(lines)), dict[str, float]()
    wall, cpu = time.perf_counter(), time.process_time()
    with _no_collections():
        for _ in range(rounds):
            spent = _journal(chunks) if journal else {}
            spent |= _once(pipeline, chunks) | {"reference": _reference(chunks)}
            least = {stage: min(seconds, least.get(stage, seconds)) for stage, seconds in spent.items()}
    load = (time.perf_counter() - wall) / (time.process_time() - cpu)
    us = {stage: seconds / len(lines) * 1e6 for stage, seconds in least.items()}
    return us, Reference(us.pop("reference"), load)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep the garbage collector, which looks at all of this process, out of the figures."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _chunks(lines: list[bytes]) -> Iterator[Chunk]:
    """Yield the lines as the tcp input reads them: as many as fit into its buffer."""
    some: list[bytes] = []
    size = offset = 0
    for line in [*lines, b""]:
        if some and (not line or size + len(line) > Settings().batch.max_bytes):
            yield Chunk("tcp_0", "bench", _CLIENT, offset, time.time_ns(), len(some), b"".join(some))
            offset += size
            some, size = [], 0
        some.append(line)
        size += len(line)


class _Watch:
    """CPU seconds by stage."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def __call__(self, stage: str, work: Callable[..., Any], *arguments: object) -> Any:
        start = time.process_time()
        result = work(*arguments)
        self.spent[stage] = self.spent.get(stage, 0.0) + time.process_time() - start
        return result


def _once(pipeline: Pipeline, chunks: list[Chunk]) -> dict[str, float]:
    built, output, timed = pipeline.inputs[0], pipeline.routes[0][0].output, _Watch()
    for chunk in chunks:
        table = timed("decode", built.decode, chunk)
        (rows,) = timed("filter", pipeline.process, table, None, chunk.time_ns, Tally())
        batch = Batch(table, rows, "bench", chunk.time_ns)
        timed("documents", batch.pieces)
        timed("payload", output.prepare, batch)
    return timed.spent


def _journal(chunks: list[Chunk]) -> dict[str, float]:
    timed = _Watch()
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "w0")
        journal.consumers(["output"])
        for chunk in chunks:
            end = timed("journal", journal.append, [chunk])
            timed("journal", journal.commit, "output", end)
        journal.close()
    return timed.spent


def _reference(chunks: list[Chunk]) -> float:
    timed = _Watch()
    for chunk in chunks:
        timed("reference", reference.bulk_body, chunk.data)
    return timed.spent["reference"]
