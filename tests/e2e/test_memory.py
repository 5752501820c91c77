"""Memory of an import is bounded by what it holds, not by the bytes that it reads: the server is away."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.daemon import environment, free_port
from tests.e2e.test_import_export import cpu_seconds
from tests.waiting import wait_until

_LIMIT_MB = 250
"""An import of nothing needs 60 MB."""

_ZSTD_START, _ZSTD_END = b"\x28\xb5\x2f\xfd\x00\x38", b"\x01\x00\x00"
_ZSTD_RLE = bytes([0x02, 0x00, 0x10]) + b"\n"
"""A block of 128 KiB of one byte, not the last one of its frame."""

CONTENTS = {  # id: a file whose events, or whose content, would take far more than that
    "short_lines": b"{}\n" * 1_000_000,
    "gzip": gzip.compress(b"{}\n" * 1_000_000, 9) * 20,
    "zstd": _ZSTD_START + _ZSTD_RLE * 2_000 + _ZSTD_END,
    "lines_that_grow": b"0123456789\n" * 200_000,
}
GROW = 'filter { mutate { add_field => { "more" => "%s" } } }' % ("y" * 3000)


@contextmanager
def importing(folder: Path, path: Path, config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run an import until the end of the block, with the memory limit of queues that CI machines can afford."""
    environ = environment(folder / "data") | {"INGESTD_QUEUE_BYTES": "32MiB", "INGESTD_SHUTDOWN_TIMEOUT": "0.1s"}
    command = [sys.executable, "-m", "ingestd", "import", "-f", str(config), str(path)]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        process.wait()
    finally:
        process.kill()
        process.wait()


def peak_mb(pid: int) -> int:
    """Return the most resident memory that a process has had, in megabytes; 0 of one that has ended."""
    _, _, peak = Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")
    return int(peak.split()[0]) // 1024 if peak else 0


def rests(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a process has read all, or has work no more."""
    if process.poll() is not None:
        assert process.returncode == 0
        return True
    before = cpu_seconds(process.pid)
    time.sleep(0.5)
    return before > 0.5 and cpu_seconds(process.pid) - before < 0.1


@pytest.mark.parametrize("content", CONTENTS)
def test_peak(content: str, tmp_path: Path) -> None:
    path, config = tmp_path / "log", tmp_path / "my.conf"
    path.write_bytes(CONTENTS[content])
    output = f'output {{ elasticsearch {{ hosts => ["http://127.0.0.1:{free_port()}"] }} }}'
    config.write_text((GROW if content == "lines_that_grow" else "") + output)
    with importing(tmp_path, path, config) as process:

        def bounded() -> bool:
            assert peak_mb(process.pid) < _LIMIT_MB
            return rests(process)

        wait_until(bounded, "the import to have read what it may hold")
