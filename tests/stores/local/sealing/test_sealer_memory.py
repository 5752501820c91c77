"""The memory of the sealer depends on its settings, not on how many events an index has."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from ingestd.stores.local import LocalWriter
from tests.bench.store_events import documents
from tests.random_cases import share

INDEX = "logstash-2026.11.22"
MEMORY_BYTES = 112 << 20
PROGRAM = """
import os, sys
from pathlib import Path
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from tests.processes import peak_bytes

seal_once(Path(sys.argv[1]), Policy(idle_s=0, quiet_s=0, batch_bytes=8 << 20, memory_bytes=int(sys.argv[2])))
print(peak_bytes(os.getpid()))
"""


def peak_of_sealing(root: Path, append_log: Path, count: int) -> int:
    """Return the most memory of a process that seals so many equal append logs, and joins the files."""
    (root / INDEX).mkdir(parents=True)
    for number in range(1, count + 1):
        os.link(append_log, root / INDEX / f"tail-w0-{number:05d}.ndjson")
    command = [sys.executable, "-c", PROGRAM, str(root), str(MEMORY_BYTES)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(share() > 1, reason="--fast")
def test_memory_does_not_grow_with_the_number_of_events(tmp_path: Path) -> None:
    """33 MB of documents are sorted as a whole when their files are joined, 99 MB take more than the memory."""
    writer = LocalWriter(tmp_path / "source", "w0")
    for batch, ids in documents(10_000, datetime(2026, 11, 22), 1):
        writer.append(INDEX, batch, ids)
    writer.close()
    [append_log] = (tmp_path / "source" / INDEX).glob("tail-*")
    few, many = (peak_of_sealing(tmp_path / str(count), append_log, count) for count in (5, 15))
    assert many < few * 1.1
    assert many < MEMORY_BYTES + (130 << 20)  # Python and DuckDB have 90 MB before they seal anything
