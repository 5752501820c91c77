"""Memory of an import is bounded by what it holds, not by the bytes that it reads: the server is away."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.daemon import environment, free_port
from tests.processes import open_files, peak_bytes, rests
from tests.waiting import wait_until

_LIMIT_BYTES = 250 << 20
"""An import of nothing needs 60 MB."""

_ZSTD_START, _ZSTD_END = b"\x28\xb5\x2f\xfd\x00\x38", b"\x01\x00\x00"
_ZSTD_LINE = b"\x02\x00\x10x" + b"\x08\x00\x00\n"
"""A block of 128 KiB of one byte and one with the end of the line, neither the last one of its frame."""

CONTENTS = {  # id: a file whose events, or whose content, would take far more than that
    "short_lines": b"{}\n" * 1_000_000,
    "gzip": gzip.compress(b"{}\n" * 1_000_000, 9) * 20,
    "zstd": _ZSTD_START + _ZSTD_LINE * 2_000 + _ZSTD_END,
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


@pytest.mark.parametrize("content", CONTENTS)
def test_peak(content: str, tmp_path: Path) -> None:
    path, config = tmp_path / "log", tmp_path / "my.conf"
    path.write_bytes(CONTENTS[content])
    output = f'output {{ elasticsearch {{ hosts => ["http://127.0.0.1:{free_port()}"] }} }}'
    config.write_text((GROW if content == "lines_that_grow" else "") + output)
    with importing(tmp_path, path, config) as process:

        def bounded() -> bool:
            assert peak_bytes(process.pid) < _LIMIT_BYTES
            if process.poll() is not None:  # it has read all
                assert process.returncode == 0
                return True
            return str(tmp_path / "data" / "import" / ".lock") in open_files(process.pid) and rests(process.pid)

        wait_until(bounded, "the import to have read what it may hold")
