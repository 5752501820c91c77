"""``ingestd migrate``: the report, the settings file, the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ingestd.cli.main import main
from tests.app.migration.layouts import debian, put


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return debian(tmp_path, "9.1.2")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "ingestd.toml"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


def test_what_runs_is_written_and_started(folder: Path, output: Path) -> None:
    result = run("migrate", folder, "-o", output)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Logstash 9.1.2 (found in ")
    assert f"{folder}/conf.d/main.conf" in lines
    assert "     2  runs        input tcp" in lines
    assert lines[-3].startswith("7 run as they are, 6 differ, 0 need work.")
    assert 'ecs_compatibility = "v8"' in output.read_text()
    command = lines[-1].removeprefix("start:    ingestd run ").replace("'", "").split(" ")
    assert run("check", *command).exit_code == 0


def test_what_needs_work(folder: Path, output: Path) -> None:
    put(folder, {"conf.d/main.conf": "input { jdbc { } }\noutput { stdout { } }"})
    result = run("migrate", folder, "-o", output)
    assert result.exit_code == 1
    work = result.stdout.index("     1  needs work  the input 'jdbc' is known from Logstash, and not supported\n")
    assert result.stdout[work:].splitlines()[1].startswith(" " * 20 + "-> let a program fetch it")
    assert output.exists()


def test_a_file_is_replaced_only_if_asked(folder: Path, output: Path) -> None:
    output.write_text("workers = 1\n")
    refused = run("migrate", folder, "-o", output)
    assert (refused.exit_code, output.read_text()) == (1, "workers = 1\n")
    assert f"{output} exists and differs; replace it with --overwrite" in refused.stderr
    assert run("migrate", folder, "-o", output, "--dry-run").exit_code == 0
    assert output.read_text() == "workers = 1\n"
    assert run("migrate", folder, "-o", output, "--overwrite").exit_code == 0
    assert run("migrate", folder, "-o", output).exit_code == 0  # it is the same


def test_json(folder: Path, output: Path) -> None:
    result = run("migrate", folder, "-o", output, "--json", "--logstash-version", "7.17.0")
    found = json.loads(result.stdout)
    assert (found["version"], found["version_source"]) == ("7.17.0", "--logstash-version")
    assert found["counts"] == {"runs": 6, "differs": 6, "needs_work": 0}
    assert found["settings"] == {}
    assert found["start"][:4] == ["ingestd", "run", "--settings", str(output)]
    assert {"file", "line", "verdict", "text", "advice"} == found["findings"][0].keys()


def test_mistakes(folder: Path, output: Path) -> None:
    assert run("migrate", folder, "--logstash-version", "new").exit_code == 2
    assert run("migrate", folder / "patterns").exit_code == 2
    put(folder, {"logstash.yml": "pipeline.workers: many\n"})
    result = run("migrate", folder, "-o", output)
    assert result.exit_code == 2
    assert f"{folder}/logstash.yml:1: error: workers:" in result.stderr
    assert not output.exists()
