"""The plain contract: ``ingestd run -f``, events in on standard input, documents out in order, logs aside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import WAIT_SECONDS

CONFIG = """
input { stdin { codec => json_lines } }
filter {
  if [n] == 2 { drop { } }
  mutate { add_field => { "seen" => "%{n}" } }
}
output { stdout { codec => json_lines } }
"""


def ingestd(tmp_path: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "INGESTD_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-m", "ingestd", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=WAIT_SECONDS, check=False)


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "main.conf"
    path.write_text(CONFIG)
    return str(path)


def test_events_in_documents_out(tmp_path: Path, config: str) -> None:
    data = b"".join(b'{"n":%d,"@metadata":{"x":1}}\n' % number for number in range(5000))
    done = ingestd(tmp_path, "run", "-f", config, stdin=data)
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [document["n"] for document in documents] == [number for number in range(5000) if number != 2]
    assert all(set(document) == {"n", "seen", "@timestamp", "@version"} for document in documents)


def test_last_line_without_end_and_bad_lines(tmp_path: Path, config: str) -> None:
    done = ingestd(tmp_path, "run", "-f", config, stdin=b'\n{"n":1}\nnot json\n\r\n{"n":3}')
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [document.get("n", document.get("message")) for document in documents] == [1, "not json", 3]


@pytest.mark.sampled
@pytest.mark.parametrize("stdin", [b"", b"\n", b" \r\n\n"], ids=["empty", "line_end", "blanks"])
def test_no_events(tmp_path: Path, config: str, stdin: bytes) -> None:
    done = ingestd(tmp_path, "run", "-f", config, stdin=stdin)
    assert (done.returncode, done.stdout) == (0, b"")


def test_standard_input_may_be_the_null_device_or_a_file(tmp_path: Path, config: str) -> None:
    events = tmp_path / "events"
    events.write_bytes(b'{"n":1}\n{"n":3}')
    environment = {**os.environ, "INGESTD_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "ingestd", "run", "-f", config]
    for path, count in ((Path("/dev/null"), 0), (events, 2)):
        with path.open("rb") as stdin:
            done = subprocess.run(
                command, stdin=stdin, capture_output=True, env=environment, timeout=WAIT_SECONDS, check=False
            )
        assert (done.returncode, done.stdout.count(b"\n")) == (0, count), done.stderr


def test_logs_and_failures_go_to_standard_error(tmp_path: Path) -> None:
    text = CONFIG.replace("mutate {", 'mutate { convert => { "bad" => "integer" }')
    done = ingestd(tmp_path, "run", "-e", text, stdin=b'{"n":1,"bad":"1e999999"}\n')
    assert done.returncode == 0
    assert json.loads(done.stdout)["tags"] == ["_mutate_error"]
    assert b"mutate" in done.stderr


def test_several_files_are_one_pipeline(tmp_path: Path) -> None:
    for name, text in (("1.conf", CONFIG), ("2.conf", 'filter { mutate { add_tag => "second" } }')):
        (tmp_path / name).write_text(text)
    done = ingestd(tmp_path, "run", "-f", str(tmp_path), stdin=b'{"n":1}')
    assert json.loads(done.stdout)["tags"] == ["second"]


def test_a_wrong_config_ends_with_its_place(tmp_path: Path) -> None:
    done = ingestd(tmp_path, "run", "-e", "filter {\n  mutat { }\n}", stdin=b"{}")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"-e:2:3: error: unknown filter plugin 'mutat'" in done.stderr
    assert b"did you mean 'mutate'?" in done.stderr


def test_a_reader_that_goes_ends_the_command(tmp_path: Path, config: str) -> None:
    environment = {**os.environ, "INGESTD_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "ingestd", "run", "-f", config]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as process:  # type: ignore[call-overload]
        process.stdout.close()
        process.stdin.write(b'{"n":1}\n' * 10)
        process.stdin.flush()
        assert process.wait(60) == 1
        assert b"the reader of stdout_0 has gone" in process.stderr.read()
