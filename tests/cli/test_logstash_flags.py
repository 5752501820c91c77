"""Logstash's command line and settings folder: what they mean here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ingestd.app.logstash_folder import read_folder
from ingestd.cli.main import main
from ingestd.settings import SettingsError, load_settings

CONFIG = "input { stdin { } } output { stdout { } }"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.conf").write_text("input { stdin { } }")
    (tmp_path / "conf.d" / "b.conf").write_text("output { stdout { } }")
    (tmp_path / "bad.conf").write_text("input { nope { } }")
    return tmp_path


GOOD: list[tuple[str, list[str]]] = [
    ("string", ["-t", "-e", CONFIG]),
    ("dotted", ["--config.test_and_exit", "--config.string", CONFIG]),
    (
        "many",
        ["-t", "-r", "-w", "2", "-b", "125", "-u", "50", "--log.level", "warn", "--log.format", "json", "-e", CONFIG],
    ),
    (
        "without_effect",
        ["-t", "--node.name", "x", "-l", "/tmp", "--pipeline.id", "m", "--pipeline.ordered", "auto", "-e", CONFIG],
    ),
]


@pytest.mark.parametrize("arguments", [case[1] for case in GOOD], ids=[case[0] for case in GOOD])
def test_a_command_line_of_logstash(arguments: list[str]) -> None:
    result = run("run", *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "-e: pipeline main is good\n", "")


def test_files_and_a_mistake(folder: Path) -> None:
    good = run("run", "-t", "--path.config", str(folder / "conf.d"))
    assert (good.exit_code, good.stdout) == (
        0,
        f"{folder}/conf.d/a.conf, {folder}/conf.d/b.conf: pipeline main is good\n",
    )
    bad = run("run", "-t", "-f", str(folder / "bad.conf"))
    assert bad.exit_code == 1
    assert "unknown input plugin 'nope'" in bad.stderr


PIPELINES = """
# two pipelines
- pipeline.id: web
  path.config: "%s/conf.d/*.conf"
  pipeline.workers: 3
- pipeline.id: text
  config.string: "input { stdin { } } output { stdout { } }"
"""
SETTINGS = """
pipeline:
  workers: 2
  batch:
    size: 125
    delay: 50
  ecs_compatibility: v8
config.reload.automatic: true
log.level: warn
log.format: json
queue.max_bytes: 2gb
dead_letter_queue.max_bytes: 512mb
api.http.port: 9700-9800
config.support_escapes: true
path.data: /var/lib/logstash
xpack.monitoring.enabled: ${MONITORING:true}
xpack.monitoring.elasticsearch.hosts: [a, b]
dead_letter_queue.enable: false
"""


def test_settings(folder: Path) -> None:
    (folder / "logstash.yml").write_text(SETTINGS)
    found = read_folder(folder, {})
    settings = load_settings(None, {}, defaults=found.settings)
    values: dict[str, Any] = {name: settings.get(name) for name, _, _ in found.settings}
    assert values == {
        "workers": 2,
        "batch.max_delay": 0.05,
        "pipeline.ecs_compatibility": "v8",
        "watch": True,
        "log_level": "warning",
        "log_format": "json",
        "journal.max_bytes": 2 << 30,
        "dead_letters.max_bytes": 512 << 20,
        "http": settings.http,
    }
    assert (settings.http and settings.http.port, found.support_escapes) == (9700, True)
    assert settings.origins["workers"] == f"{folder / 'logstash.yml'}:3"
    assert [note.rpartition("logstash.yml:")[2] for note in found.notes] == [
        "5: pipeline.batch.size has no effect: the setting batch.max_bytes bounds a batch",
        "15: path.data has no effect: ingestd has its own data folder: data_dir",
        "16: xpack.monitoring.enabled has no effect: let Prometheus read /metrics; nothing is sent to Elasticsearch",
        "17: xpack.monitoring.elasticsearch.hosts has no effect: let Prometheus read /metrics; nothing is sent to "
        "Elasticsearch",
    ]
    flags = load_settings(None, {"INGESTD_WORKERS": "4"}, {"log_level": "error"}, found.settings)
    assert (flags.workers, flags.log_level) == (4, "error")


def test_pipelines(folder: Path) -> None:
    (folder / "pipelines.yml").write_text(PIPELINES % folder)
    result = run("run", "-t", "--path.settings", str(folder))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{folder}/conf.d/a.conf, {folder}/conf.d/b.conf: pipeline web is good",
        "config.string of text: pipeline text is good",
    ]
    assert "pipelines.yml:5: pipeline.workers of a single pipeline has no effect" in result.stderr
    alone = run("check", "--path.settings", str(folder), "-e", CONFIG)
    assert alone.stdout == "-e: pipeline main is good\n"


def test_a_config_in_logstash_yml_replaces_the_pipelines(folder: Path) -> None:
    (folder / "pipelines.yml").write_text(PIPELINES % folder)
    (folder / "logstash.yml").write_text(f"path.config: {folder}/conf.d\nconfig.support_escapes: true\n")
    [source] = read_folder(folder, {}).pipelines
    assert (source.name, source.paths, source.text) == ("main", (folder / "conf.d",), None)


def test_escapes() -> None:
    output = 'output { stdout { codec => line { format => "a\\"b" } } }'
    assert run("run", "-t", "--config.support_escapes", "-e", f"input {{ stdin {{ }} }} {output}").exit_code == 0


MISTAKES = [  # id, file, its text, the error
    ("no_name", "pipelines.yml", "- path.config: x\n", "pipeline 1 has no pipeline.id"),
    ("no_config", "pipelines.yml", "- pipeline.id: a\n", "pipeline 'a' has neither path.config nor config.string"),
    ("twice", "pipelines.yml", "- {pipeline.id: a, config.string: x}\n" * 2, "pipeline.id 'a' is used twice"),
    (
        "bad_name",
        "pipelines.yml",
        "- {pipeline.id: a/b, config.string: x}\n",
        "pipelines.yml: error: pipeline name 'a/b'",
    ),
    ("no_list", "pipelines.yml", "a: b\n", "pipelines.yml:1: error: expected a list of pipelines"),
    ("no_yaml", "logstash.yml", "a: b\n  c: - d\n", "logstash.yml:2: error: not YAML"),
    ("no_mapping", "logstash.yml", "- a\n", "logstash.yml:1: error: expected settings: name: value"),
    ("unset", "logstash.yml", "a: 1\nlog.level: ${NO_SUCH_LEVEL}\n", "logstash.yml:2: error: the environment variable"),
]


@pytest.mark.parametrize(
    ("name", "text", "message"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_mistakes(folder: Path, name: str, text: str, message: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_folder(folder, {})
    assert message in str(caught.value)
    result = run("check", "--path.settings", str(folder))
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_wrong_value_names_its_place(folder: Path) -> None:
    (folder / "logstash.yml").write_text("pipeline.workers: many\n")
    result = run("run", "-t", "--path.settings", str(folder))
    assert result.exit_code == 2
    assert f"{folder}/logstash.yml:1: error: workers:" in result.stderr
    missing = run("run", "-t", "--path.settings", str(folder / "missing"))
    assert (missing.exit_code, "there is no folder" in missing.stderr) == (2, True)
