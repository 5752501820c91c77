"""Whether sealing keeps up: ``python -m tests.bench.store_rate ROOT``.

Events are appended at a steady rate while the daemon's sealer runs at its low priority; both have a single core. What
is not sealed yet must stop growing: an append log is sealed when it is full, and small files are joined meanwhile.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ingestd.stores.local import LocalWriter
from ingestd.stores.local.duckdb.core import load_duckdb
from ingestd.stores.local.sealing.sealer import run
from tests.bench.store_events import documents
from tests.processes import peak_bytes

RATE, SECONDS = 20_000, 90
_BATCH, _DIFFERENT = 2_000, 100_000
_INTERVAL_S, _NICENESS = 10.0, 10
"""As in the daemon (``app.helpers``)."""


def main(root: Path) -> None:
    """Append for `SECONDS`, and print what that led to as JSON."""
    batches = [batch for batch, _ in documents(_DIFFERENT, datetime(2026, 11, 22), 0)]
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    command = [sys.executable, "-m", "tests.bench.store_rate", str(root), "seal"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sealer:
        assert sealer.stdout is not None
        sealer.stdout.readline()  # it has imported everything
        start = time.perf_counter()
        waiting = list(_append(root, batches))
        took_s = time.perf_counter() - start
        answer, _ = sealer.communicate()
    half = len(waiting) // 2
    figures = {"rate": RATE * SECONDS / took_s, "first_s": max(waiting[:half]), "second_s": max(waiting[half:])}
    print(json.dumps(figures | json.loads(answer) | {"core": json.loads(answer)["cpu_s"] / took_s}))


def _append(root: Path, batches: list[list[bytes]]) -> Iterator[float]:
    """Append at the rate, and yield each second how many seconds of events are not sealed."""
    writer, start = LocalWriter(root, "w0"), time.perf_counter()
    for number in range(RATE * SECONDS // _BATCH):
        batch = batches[number % len(batches)]
        writer.append("logstash-2026.11.22", batch, [f"{number:08x}-{at:06x}" for at in range(len(batch))])
        time.sleep(max(0.0, start + (number + 1) * _BATCH / RATE - time.perf_counter()))
        if number % (RATE // _BATCH) == 0:
            unsealed = sum(path.stat().st_size for path in list(root.glob("*/tail-*")) if path.exists())
            yield unsealed / (sum(map(len, batch)) / len(batch)) / RATE
    writer.close()


def seal(root: Path) -> None:
    """Be the sealer, until stdin is closed; then print CPU seconds without those of the start, and the memory in kB."""
    os.nice(_NICENESS)
    load_duckdb()
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    print(flush=True)
    before = _cpu_s()
    run(root, stop, interval_s=_INTERVAL_S)
    print(json.dumps({"cpu_s": _cpu_s() - before, "memory_kb": peak_bytes(os.getpid()) >> 10}))


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    (seal if sys.argv[2:] == ["seal"] else main)(Path(sys.argv[1]))
