"""``make bench-store``: what the built-in store costs, in CPU, bytes and seconds of waiting for the dashboard.

Three million events over thirty days are appended, sealed, and asked; ``ARGS="--day 10000000"``: so many in one
day. Each query runs in a fresh process, first after the kernel has forgotten the files, then five times more (the
median is printed). Figures of shared machines vary: the load is how much longer than its CPU time a busy loop took.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from ingestd.stores.local import LocalWriter
from ingestd.stores.local.files.layout import store_root
from ingestd.stores.local.files.sealer import Policy, seal_once
from tests.bench.store_events import documents
from tests.bench.store_queries import QUERIES

LIMITS_S = {
    "top words": 0.3,
    "histogram by level, hours": 0.5,
    "latest 50 WARNING and above": 0.5,
    "substring, of no event": 3,
    "substring, Korean": 3,
    "substring, counted": 3,
}


def main() -> None:
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(prog="make bench-store", description=__doc__)
    arguments.add_argument("--events", type=int, default=3_000_000)
    arguments.add_argument("--days", type=int, default=30)
    arguments.add_argument("--day", type=int, metavar="EVENTS", help="So many events in one day.")
    arguments.add_argument("--folder", type=Path, help="Where to put the store, which then stays; asked only if there.")
    options = arguments.parse_args()
    count, days = (options.day, 1) if options.day else (options.events, options.days)
    with tempfile.TemporaryDirectory() as temporary:
        root = store_root(options.folder or Path(temporary))
        if not root.exists():
            _fill(root, count, days)
        heads = f"{'cold s':>8}{'warm s':>8}{'CPU s':>8}{'limit':>7}{'RSS MB':>8}{'answer':>9}"
        print(f"\n{'query':38}{heads}   load {_load():.1f}")
        for name in QUERIES:
            _ask(root, name)
        print(f"load {_load():.1f}")


def _fill(root: Path, count: int, days: int) -> None:
    print(f"{count:,} events over {days} days   load {_load():.1f}", flush=True)
    cpu = _append(root, count, days)
    raw = _bytes(root, "*/tail-*")
    print(f"appended   {cpu * 1e6 / count:6.2f} CPU us per event   {raw / count:6.1f} bytes per event")
    begin = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", f"from tests.bench.store import seal; seal({str(root)!r})"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    files = sum(1 for _ in root.glob("*/sealed-*"))
    print(
        f"sealed     {cpu * 1e6 / count:6.2f} CPU us per event   {_bytes(root, '*/*') / count:6.1f} bytes per event   "
        f"{files} files   {time.perf_counter() - begin:.0f} s   {after.ru_maxrss / 1024:.0f} MB peak RSS"
    )


def seal(root: str) -> None:
    """Seal everything, and join the small files, as it would be the day after."""
    seal_once(Path(root), Policy(idle_s=0))
    seal_once(Path(root), Policy(idle_s=0, quiet_s=0))


def _append(root: Path, count: int, days: int) -> float:
    writer, spent = LocalWriter(root, "w0"), 0.0
    for number in range(days):
        day = datetime(2026, 10, 24) + timedelta(days=number)
        share = count // days + (number < count % days)
        for batch, ids in documents(share, day, number):
            begin = time.process_time()
            writer.append(f"logstash-{day:%Y.%m.%d}", batch, ids)
            spent += time.process_time() - begin
    begin = time.process_time()
    writer.close()
    return spent + time.process_time() - begin


def _ask(root: Path, name: str) -> None:
    for path in root.glob("*/*"):
        _forget(path)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.store_queries", root, name], capture_output=True, check=True, text=True
    )
    result = json.loads(done.stdout)
    warm, limit = result["warm"][len(result["warm"]) // 2], LIMITS_S.get(name)
    over = "   OVER" if limit and max(warm, result["cold"]) > limit else ""
    figures = f"{limit or '':>7}{result['memory_kb'] / 1024:8.0f}{result['answer']:9,}{over}"
    print(f"{name:38}{result['cold']:8.3f}{warm:8.3f}{result['cpu']:8.3f}{figures}", flush=True)


def _forget(path: Path) -> None:
    """Make the kernel drop its copy of a file."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def _load() -> float:
    """Return how many times longer a busy loop took than it had the CPU: 1.0 on a machine of our own."""
    begin, cpu = time.perf_counter(), time.process_time()
    while time.process_time() - cpu < 0.5:
        pass
    return (time.perf_counter() - begin) / 0.5


def _bytes(root: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in root.glob(pattern))


if __name__ == "__main__":
    main()
