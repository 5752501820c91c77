"""``ingestd`` with a helper process for tests: it writes down its life in a file named by INGESTD_TEST_HELPER.

If INGESTD_TEST_HELPER_DEAF is set, the helper does not stop when it is asked to, and is not waited for.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import ingestd.app.helpers
from ingestd import metrics
from ingestd.cli.main import main
from ingestd.supervisor.processes.helpers import Helper

FILE = Path(os.environ["INGESTD_TEST_HELPER"])
DEAF = "INGESTD_TEST_HELPER_DEAF" in os.environ


def note(word: str) -> None:
    with FILE.open("a") as file:
        file.write(f"{word} {os.getpid()} {os.nice(0)}\n")


def run(stop: threading.Event) -> None:
    note("start")
    metrics.BYTES_RECEIVED.add(7, "helper", "test")
    stop.wait()
    note("stop")
    if DEAF:
        threading.Event().wait()


if __name__ == "__main__":
    helper = Helper("test helper", run, stop_seconds=0.5 if DEAF else 300.0)
    ingestd.app.helpers.helpers = lambda settings: [helper]
    main()
