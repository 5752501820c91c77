"""What takes long to import is imported when it is needed, and not before the daemon listens."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ingestd.stores.local import LocalWriter, store_root
from tests.e2e.daemon import environment

HEAVY = {"_duckdb", "aiohttp", "django", "duckdb", "elastic_transport", "elasticsearch", "prometheus_client"}


COMMANDS = ("run", "config", "search", "tail", "histogram")
MODULES = ["ingestd.__main__", *(f"ingestd.cli.commands.{name}" for name in COMMANDS)]


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("module", "heavy"),
    [*((module, HEAVY) for module in MODULES), ("ingestd.web.app", HEAVY - {"aiohttp"})],
)
def test_heavy_modules_are_not_imported(module: str, heavy: set[str]) -> None:
    code = f"import sys, {module}; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


UNNEEDED = ("ingestd.stores.local", "ingestd.stores.query", "ingestd.supervisor.control.upgrade", "ingestd.web.app")
"""What a pipe from stdin to stdout needs nothing of: it would start 50 ms later."""


def test_a_config_without_a_store_loads_none() -> None:
    code = (
        "import sys, ingestd.cli.commands.run, ingestd.app.jobs.direct\n"
        "from ingestd.plugins.registry import find\n"
        "for kind, name in ('input', 'stdin'), ('filter', 'useragent'), ('output', 'stdout'): find(kind, name)\n"
        f"print(*[name for name in sys.modules if name.startswith({UNNEEDED!r})])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


OTHERS = ("ingestd.app.logstash_folder", "ingestd.config", "ingestd.stores.aggregation", "ingestd.web")
"""What a question to the built-in store needs nothing of."""


def test_a_question_loads_no_other_questions(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from ingestd.cli.main import main\n"
        "main(['top', 'word', '--json'], standalone_mode=False)\n"
        f"print(*[name for name in sys.modules if name.startswith({OTHERS!r})])"
    )
    writer = LocalWriter(store_root(tmp_path), "w0")
    writer.append("logstash-2026.11.01", [b'{"@timestamp":"2026-11-01T00:00:00.000Z","word":"x"}'], ["1"])
    writer.close()
    command, environ = [sys.executable, "-c", code], environment(tmp_path)
    done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    answer, modules = done.stdout.splitlines()
    assert [value["count"] for value in json.loads(answer)] == [1]
    assert modules == ""
