"""What takes long to import is imported when it is needed, and not before the daemon listens."""

import subprocess
import sys

import pytest

HEAVY = {"_duckdb", "aiohttp", "django", "duckdb", "elastic_transport", "elasticsearch", "prometheus_client"}


COMMANDS = ("run", "config", "search", "tail", "histogram")
MODULES = ["ingestd.__main__", *(f"ingestd.cli.commands.{name}" for name in COMMANDS)]


@pytest.mark.parametrize("module", MODULES)
def test_heavy_modules_are_not_imported(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
