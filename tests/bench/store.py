"""``make bench-store``: what the built-in store costs, in CPU, bytes and seconds of waiting for an answer.

Three million events over thirty days are appended, sealed and queried, then ten million of one day; then it is measured
whether sealing keeps up with 20,000 events a second. With ``--large``, instead of all that, thirty million over thirty
days: 6 GB of disk, ten minutes. ``--events`` and ``--days`` choose something else.

Each query runs in a fresh process, first after the kernel has forgotten the files, then five times more (three times of
more than three million events), of which the median is printed; the bytes are those that the first one read from files,
cached or not. Figures of shared machines vary: the load is how many times longer than its CPU time a busy loop took. A
figure above its goal is marked.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ingestd.stores.local import LocalWriter
from ingestd.stores.local.index.layout import store_root
from tests.bench.store_events import documents
from tests.bench.store_queries import QUERIES
from tests.bench.store_rate import RATE

SHAPES = ((3_000_000, 30), (10_000_000, 1))
LARGE = (30_000_000, 30)

GOALS_S = {
    "first page of the dashboard": 3,
    "top words": 0.05,
    "top paths of errors": 0.08,
    "top words of a country": 0.05,
    "top of a field that is not declared": 0.04,
    "histogram by level, hours": 0.12,
    "latest 50": 0.03,
    "latest 50 WARNING and above": 0.03,
    "latest 50 of a word": 0.03,
    "substring, Korean": 0.15,
    "substring, of no event": 0.15,
    "substring, counted": 0.15,
    "path prefix, counted": 0.04,
    "word and level, counted": 0.04,
}
"""Of three million events, warm; of the first page, of any number."""

ANY_NUMBER = {"first page of the dashboard"}
GOAL_BYTES, GOAL_CPU_US, GOAL_QUERY_MB, GOAL_LARGE_QUERY_MB, GOAL_SEALER_MB = 24, 10, 150, 300, 300

DIFFERENT_DAYS = 3
"""Of thirty million events: the others are like these, as making them takes longer than all else."""

BETWEEN_SEALS = 1_000_000
"""Events that are appended before they are sealed, so that the disk need not hold all of them in both forms."""

BYTES_FREE = 700
"""Per event that is not sealed yet, and its sealed form, which are on the disk at the same time."""


@dataclass(slots=True)
class Cost:
    """Of filling a store: CPU seconds of appending and of sealing, bytes of the append logs, highest memory in kB."""

    append_s: float = 0.0
    seal_s: float = 0.0
    raw_bytes: int = 0
    sealer_kb: int = 0


def main() -> None:
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(prog="make bench-store", description=__doc__)
    arguments.add_argument("--events", type=int, help="only this many events")
    arguments.add_argument("--days", type=int, help="over this many days (default: 30)")
    arguments.add_argument("--large", action="store_true", help="thirty million events over thirty days instead")
    arguments.add_argument("--rate", action="store_true", help="only whether sealing keeps up with 20,000 events/s")
    arguments.add_argument("--only", nargs="+", metavar="QUERY", help="only queries with these words in their names")
    arguments.add_argument("--folder", type=Path, help="keep the store in this folder, or query the one that is there")
    options = arguments.parse_args()
    shapes: tuple[tuple[int, int], ...] = (LARGE,) if options.large else () if options.rate else SHAPES
    if options.events or options.days or options.folder:
        shapes = ((options.events or SHAPES[0][0], options.days or SHAPES[0][1]),)
    for count, days in shapes:
        with tempfile.TemporaryDirectory() as temporary:
            root = store_root(options.folder or Path(temporary))
            if not root.exists():
                _fill(root, count, days)
            _query_all(root, count, options.only)
    if options.rate or shapes == SHAPES:
        _measure_rate(options.folder)


def _fill(root: Path, count: int, days: int) -> None:
    print(f"\n{count:,} events, {days} {'day' if days == 1 else 'days'}   load {_load():.1f}", flush=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    needed = min(count, BETWEEN_SEALS) * BYTES_FREE * (1 + DIFFERENT_DAYS) + count * GOAL_BYTES * 3
    if shutil.disk_usage(root.parent).free < needed:
        sys.exit(f"{root.parent} needs {needed / 1e9:.0f} GB free; choose another disk with --folder")
    cost, start = Cost(), time.perf_counter()
    with tempfile.TemporaryDirectory(dir=root.parent) as templates:
        for number in range(days):
            most = count // days + (number < count % days)
            if count < LARGE[0] or number < DIFFERENT_DAYS:
                _fill_day(root, most, number, cost, Path(templates) if count >= LARGE[0] else None)
            else:
                _repeat_day(root, number, sorted(Path(templates).glob(f"{number % DIFFERENT_DAYS}-*")), cost)
    _seal(root, "join", cost)
    size = _bytes(root, "*/*") / count
    total = (cost.append_s + cost.seal_s) * 1e6 / count
    files = sum(1 for _ in root.glob("*/sealed-*"))
    print(f"append     {cost.append_s * 1e6 / count:6.2f} CPU us per event   {cost.raw_bytes / count:6.1f} bytes")
    print(
        f"seal, join {cost.seal_s * 1e6 / count:6.2f} CPU us per event   {size:6.1f} bytes{_over(size, GOAL_BYTES)}   "
        f"{files} files   {cost.sealer_kb / 1024:.0f} MB peak RSS{_over(cost.sealer_kb / 1024, GOAL_SEALER_MB)}"
    )
    print(f"in all     {total:6.2f} CPU us per event{_over(total, GOAL_CPU_US)}   {time.perf_counter() - start:.0f} s")


def _day(number: int) -> datetime:
    return datetime(2026, 10, 24) + timedelta(days=number)


def _fill_day(root: Path, count: int, number: int, cost: Cost, templates: Path | None) -> None:
    """Append the events of a day, and seal them a million at a time; keep the append logs as templates."""
    day = _day(number)
    writer, pending = LocalWriter(root, "w0"), 0
    for batch, ids in documents(count, day, number):
        start = time.process_time()
        writer.append(f"logstash-{day:%Y.%m.%d}", batch, ids)
        cost.append_s += time.process_time() - start
        pending += len(batch)
        if pending >= BETWEEN_SEALS:
            writer.close()
            _seal_kept(root, number, cost, templates)
            writer, pending = LocalWriter(root, "w0"), 0
    start = time.process_time()
    writer.close()
    cost.append_s += time.process_time() - start
    _seal_kept(root, number, cost, templates)


def _seal_kept(root: Path, number: int, cost: Cost, templates: Path | None) -> None:
    if templates is not None:
        for path in root.glob("*/tail-*"):
            os.link(path, templates / f"{number}-{path.name}")
    _seal(root, "seal", cost)


def _repeat_day(root: Path, number: int, templates: Sequence[Path], cost: Cost) -> None:
    """Make a day like an earlier one, with other times and ids: that takes a tenth of the time."""
    folder, like = root / f"logstash-{_day(number):%Y.%m.%d}", number % DIFFERENT_DAYS
    folder.mkdir()
    for path in templates:
        lines = path.read_bytes().replace(b'"%b' % _date(like), b'"%b' % _date(number))
        lines = lines.replace(b'\t"%04x-' % like, b'\t"%04x-' % number)
        (folder / path.name.partition("-")[2]).write_bytes(lines)
    cost.append_s += cost.append_s / number  # as much as for each of the days before
    _seal(root, "seal", cost)


def _date(number: int) -> bytes:
    return f"{_day(number):%Y-%m-%d}".encode()


def _measure_rate(folder: Path | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as root:
        command = [sys.executable, "-m", "tests.bench.store_rate", root]
        found = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    grows = found["second_s"] > 1.2 * found["first_s"] + 5  # an append log is 5 s of events
    keeps_up = "no" if grows or found["rate"] < 0.99 * RATE else "yes"
    print(f"\nsealing keeps up with {RATE:,} events/s on one core, at low priority: {keeps_up}   load {_load():.1f}")
    print(
        f"appended {found['rate']:,.0f} events/s; not sealed: up to {found['first_s']:.0f} s of events in the first "
        f"half, {found['second_s']:.0f} s in the second; the sealer took {found['core']:.2f} of the core, "
        f"{found['memory_kb'] / 1024:.0f} MB"
    )


def _seal(root: Path, step: str, cost: Cost) -> None:
    """Seal what was appended, in a process of its own, or join the small files, as it would be the day after."""
    cost.raw_bytes += _bytes(root, "*/tail-*")
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.store_sealing", root, step], capture_output=True, check=True, text=True
    )
    result = json.loads(done.stdout)
    cost.seal_s += result["cpu_s"]
    cost.sealer_kb = max(cost.sealer_kb, result["memory_kb"])


def _query_all(root: Path, count: int, only: list[str] | None) -> None:
    heads = f"{'cold s':>8}{'warm s':>8}{'CPU s':>8}{'goal':>7}{'RSS MB':>8}{'read MB':>9}{'answer':>9}"
    print(f"\n{'query':38}{heads}   load {_load():.1f}", flush=True)
    for name in QUERIES:
        if not only or any(word in name for word in only):
            _query(root, name, large=count > SHAPES[0][0])
    print(f"load {_load():.1f}")


def _query(root: Path, name: str, *, large: bool) -> None:
    for path in root.glob("*/*"):
        _forget(path)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.store_queries", root, name, "3" if large else "5"],
        capture_output=True,
        check=True,
        text=True,
    )
    result = json.loads(done.stdout)
    warm, megabytes = result["warm"][len(result["warm"]) // 2], result["memory_kb"] / 1024
    goal = GOALS_S.get(name) if not large or name in ANY_NUMBER else None
    over = [_over(warm, goal, " s")] if goal else []
    over.append(_over(megabytes, GOAL_LARGE_QUERY_MB if large else GOAL_QUERY_MB, " MB"))
    figures = f"{goal or '':>7}{megabytes:8.0f}{result['read_bytes'] / 1e6:9.1f}{result['answer']:9,}{''.join(over)}"
    print(f"{name:38}{result['cold']:8.3f}{warm:8.3f}{result['cpu']:8.3f}{figures}", flush=True)


def _over(figure: float, goal: float, unit: str = "") -> str:
    return f"   (goal: {goal:g}{unit})" if figure > goal else ""


def _forget(path: Path) -> None:
    """Make the kernel drop its copy of a file."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def _load() -> float:
    """Return how many times longer a busy loop took than it had the CPU: 1.0 on a machine of our own."""
    start, cpu = time.perf_counter(), time.process_time()
    while time.process_time() - cpu < 0.5:
        pass
    return (time.perf_counter() - start) / 0.5


def _bytes(root: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in root.glob(pattern))


if __name__ == "__main__":
    main()
