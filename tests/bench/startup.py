"""CPU seconds of a start, of ``ingestd check``, and of a question to a small store."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from ingestd.stores.local import LocalWriter
from ingestd.stores.local.index.layout import store_root
from tests.bench.options import Options
from tests.bench.processes import cpu_seconds
from tests.bench.reference import Reference, ReferenceProcess
from tests.bench.results import Result, Unit
from tests.bench.store_events import documents
from tests.e2e.daemon import Daemon, environment

_RUNS = 5
_EVENTS = 2000
_BLOCK = r"""
filter {{
  if [type] == "t{n}" {{
    grok {{ match => {{ "message" => "%{{IP:client}} %{{WORD:verb{n}}} %{{NOTSPACE:path}} %{{INT:status}}" }} }}
    mutate {{
      add_field => {{ "seen{n}" => "%{{verb{n}}}" }}
      remove_field => ["verb{n}"]
    }}
  }}
}}
"""
"""10 lines of a config."""


def startup(options: Options) -> Iterator[Result]:
    """Measure each in a fresh process, several times; the least counts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        listening, ready, reference = _runs(folder)
        yield Result("run, until it listens", listening, Unit.CPU_S, reference, 0.25)
        yield Result("run, until all processes are ready", ready, Unit.CPU_S, reference, 0.5)
        config = folder / "500.conf"
        config.write_text("".join(_BLOCK.format(n=n) for n in range(50)) + "output { stdout { } }\n")
        seconds, reference = _least(lambda: _command(folder, "check", "-f", str(config)))
        yield Result("check of a config of 500 lines", seconds, Unit.CPU_S, reference, 0.4)
        _fill(folder)
        seconds, reference = _least(lambda: _command(folder, "top", "search_word"))
        yield Result(f"top search_word of {_EVENTS:,} events", seconds, Unit.CPU_S, reference, 0.15)


def _least(measure: Callable[[], float]) -> tuple[float, Reference]:
    with ReferenceProcess() as reference:
        return min(measure() for _ in range(_RUNS)), reference.result()


def _command(folder: Path, *arguments: str) -> float:
    """Run a command and return its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "ingestd", *arguments]
    subprocess.run(command, env=environment(folder), check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _fill(folder: Path) -> None:
    writer = LocalWriter(store_root(folder), "w0")
    for batch, ids in documents(_EVENTS, datetime(2026, 11, 1), 1):
        writer.append("logstash-2026.11.01", batch, ids)
    writer.close()


def _runs(folder: Path) -> tuple[float, float, Reference]:
    """Return the least CPU seconds until it listens, until it is ready, and the reference."""
    with ReferenceProcess() as reference:
        runs = [_run(folder / f"run-{number}") for number in range(_RUNS)]
        return min(run[0] for run in runs), min(run[1] for run in runs), reference.result()


def _run(folder: Path) -> tuple[float, float]:
    """Start a daemon; return its CPU seconds until it listens, and until it reports to systemd that it is ready."""
    folder.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(folder / "notify"))
        os.environ["NOTIFY_SOCKET"] = str(folder / "notify")
        daemon = Daemon(folder, workers="2")
        del os.environ["NOTIFY_SOCKET"]
        try:
            while not daemon.said("listening for events"):
                time.sleep(0.002)
            listening = cpu_seconds(daemon.process.pid)
            while b"READY=1" not in notified.recv(4096):
                pass
            return listening, cpu_seconds(daemon.process.pid)
        finally:
            daemon.stop()
