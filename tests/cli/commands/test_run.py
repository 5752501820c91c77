"""``ingestd run``: what keeps it from starting. What it does with events is in tests/conformance and tests/e2e."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import WAIT_SECONDS


def run(tmp_path: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "INGESTD_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-m", "ingestd", "run", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=WAIT_SECONDS, check=False)


def test_all_errors_of_the_config_are_reported(tmp_path: Path) -> None:
    done = run(tmp_path, "-e", "input { stdn { } } filter { mutat { } }")
    assert done.returncode == 1
    assert b"unknown input plugin 'stdn'" in done.stderr
    assert b"unknown filter plugin 'mutat'" in done.stderr


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        tcp = f"tcp {{ host => '127.0.0.1' port => {taken.getsockname()[1]} }}"
        done = run(tmp_path, "-e", f"input {{ {tcp} }} output {{ stdout {{ }} }}")
    assert done.returncode == 1
    assert b"is another program using the port?" in done.stderr
    assert b"Traceback" not in done.stderr


def test_wrong_settings(tmp_path: Path) -> None:
    settings = tmp_path / "ingestd.toml"
    settings.write_text("nonsense = 1")
    done = run(tmp_path, "--settings", str(settings), "-e", "input { stdin { } } output { stdout { } }")
    assert done.returncode == 2
    assert b"nonsense" in done.stderr


def test_named_pipelines_run_together(tmp_path: Path) -> None:
    arguments: list[str] = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.conf"
        path.write_text(
            f'input {{ generator {{ count => 2 }} }} output {{ file {{ path => "{tmp_path}/{name}.out" }} }}'
        )
        arguments += ["--pipeline", f"{name}={path}"]
    done = run(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / f"{name}.out").read_bytes().count(b"\n") for name in ("one", "two")] == [2, 2]


BAD_NAMES = [  # id, names of pipelines, what stderr says
    ("outside", ["x/../../../y"], b"'/' is not allowed; use letters, digits,"),
    ("collision", ["a-b", "a_b"], b"pipelines 'a-b' and 'a_b' would write to the same files; rename one of them"),
]


@pytest.mark.parametrize(("names", "why"), [row[1:] for row in BAD_NAMES], ids=[row[0] for row in BAD_NAMES])
def test_bad_pipeline_names(tmp_path: Path, names: list[str], why: bytes) -> None:
    config = tmp_path / "one.conf"
    config.write_text("input { tcp { port => 0 } } output { stdout { } }")
    done = run(tmp_path, *(word for name in names for word in ("--pipeline", f"{name}={config}")))
    assert done.returncode == 2
    assert why in done.stderr.replace(b"\n", b" ")
    assert not (tmp_path / "data").exists()
    assert not (tmp_path.parent / "y").exists()


def test_two_outputs_of_the_store_with_the_same_files(tmp_path: Path) -> None:
    stores = "store { id => 'a-b' } store { id => 'a_b' }"
    done = run(tmp_path, "-e", f"input {{ generator {{ count => 2 }} }}\noutput {{ {stores} }}")
    assert done.returncode == 1
    assert b":2:32: error: output 'a_b' of pipeline 'main' would write to the same files of the store" in done.stderr
    assert b"help: give one of them another id" in done.stderr
