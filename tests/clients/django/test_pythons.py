"""The handler under every Python that the package names, as far as it is installed here; it needs no Django."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.clients.django.server import WAIT_SECONDS, Server
from tests.e2e.test_release import interpreter

CLIENT = Path(__file__).parents[3] / "clients" / "django"
CLASSIFIERS = tomllib.loads((CLIENT / "pyproject.toml").read_text("utf-8"))["project"]["classifiers"]
VERSIONS = [text.rpartition(" ")[2] for text in CLASSIFIERS if re.fullmatch(r"Programming .* 3\.\d+", text)]

CODE = """
import logging, sys
from ingestd_django import IngestdHandler
options = {"spool_dir": sys.argv[2], "exit_seconds": 300, "compression_level": 1}
logging.getLogger().addHandler(IngestdHandler("127.0.0.1", int(sys.argv[1]), **options))
try:
    1 / 0
except ZeroDivisionError:
    logging.exception("failed in %s", sys.version_info[:2], extra={"word": "서울"})
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_record(version: str, server: Server, tmp_path: Path) -> None:
    if (python := interpreter(version)) is None:
        pytest.skip(f"Python {version} is not installed")
    command = [str(python), "-W", "error", "-c", CODE, str(server.port), str(tmp_path / "spool")]
    environ = os.environ | {"PYTHONPATH": str(CLIENT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    [event] = server.events
    assert (event["message"], event["word"]) == (f"failed in ({version.replace('.', ', ')})", "서울")
    assert "ZeroDivisionError" in event["stack_trace"]
