"""What takes long to import is imported when it is needed, and not before the daemon listens."""

import subprocess
import sys

import pytest

HEAVY = {"aiohttp", "django", "duckdb", "elastic_transport", "elasticsearch", "prometheus_client"}


MODULES = ["ingestd.__main__", *(f"ingestd.cli.{name}" for name in ("run", "config", "search", "tail", "histogram"))]


@pytest.mark.parametrize("module", MODULES)
def test_heavy_modules_are_not_imported(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
