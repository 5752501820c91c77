"""A pass of the sealer in a process of its own: ``python -m tests.bench.store_sealing ROOT seal|join``.

Prints its CPU seconds, without those of the start, as the daemon's sealer runs for months; the highest memory in kB
(that of getrusage includes the process that started it); and what it wrote.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from ingestd.stores.local.duckdb.core import load_duckdb
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from tests.processes import peak_bytes

POLICIES = {"seal": Policy(idle_s=0), "join": Policy(idle_s=0, quiet_s=0)}
"""Seal all append logs, or also join the small files, as it would be the day after."""


def main(root: Path, step: str) -> None:
    """Do the step once."""
    load_duckdb()
    start = time.process_time()
    new_files = seal_once(root, POLICIES[step])
    cpu_s = time.process_time() - start
    print(json.dumps({"cpu_s": cpu_s, "memory_kb": peak_bytes(os.getpid()) >> 10, "files": len(new_files)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
