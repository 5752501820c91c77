"""Logstash's command line and settings folder: what they mean here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ingestd.app.logstash_folder import read_folder
from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.main import main
from ingestd.compiler.check import check
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
    ("many", ["-t", "-r", "-w", "2", "-u", "50", "--log.level", "warn", "--log.format", "json", "-e", CONFIG]),
    ("port_of_7", ["-t", "--http.port", "9601-9700", "-e", CONFIG]),
    (
        "nothing_to_do",
        ["-t", "--api.http.host", "127.0.0.1", "--api.enabled", "true", "--java-execution", "-e", CONFIG],
    ),
]


@pytest.mark.parametrize("arguments", [case[1] for case in GOOD], ids=[case[0] for case in GOOD])
def test_a_command_line_of_logstash(arguments: list[str]) -> None:
    result = run("run", *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "-e: pipeline main is good\n", "")


WITHOUT_EFFECT: list[tuple[list[str], str]] = [
    (
        ["-b", "125"],
        "--pipeline.batch.size: pipeline.batch.size has no effect: the setting batch.max_bytes bounds a batch",
    ),
    (["-n", "x"], "--node.name: node.name has no effect: metrics and logs are those of the machine"),
    (["-l", "/tmp"], "--path.logs: path.logs has no effect: the log goes to stderr"),
    (["-p", "x"], "--path.plugins: path.plugins has no effect: plugins in Ruby do not run; use the filter python"),
    (["--pipeline.id", "m"], "--pipeline.id: pipeline.id has no effect: --pipeline NAME=PATH names a pipeline"),
    (["--pipeline.ordered", "auto"], "events of a connection stay in order"),
    (["--pipeline.unsafe_shutdown"], "a stop takes up to shutdown_timeout"),
    (["--config.debug"], "`ingestd explain --code` prints the compiled config"),
    (["--config.reload.interval", "3s"], "changes are noticed at once"),
    (["--field-reference-escape-style", "percent"], "field names are never escaped"),
    (["--api.enabled", "false"], 'set http = "off"'),
    (["--http.host", "0.0.0.0"], "set http, with a password unless it is a loopback address"),
]


@pytest.mark.parametrize(("arguments", "note"), WITHOUT_EFFECT, ids=[case[0][0] for case in WITHOUT_EFFECT])
def test_a_flag_without_effect_is_named(arguments: list[str], note: str) -> None:
    result = run("run", "-t", *arguments, "-e", CONFIG)
    assert (result.exit_code, result.stdout) == (0, "-e: pipeline main is good\n")
    assert result.stderr.startswith("note: --")
    assert note in result.stderr


@pytest.mark.parametrize("arguments", [["-V"], ["--version"], ["run", "-V"], ["run", "--version"]])
def test_version(arguments: list[str]) -> None:
    assert run(*arguments).stdout.startswith("ingestd, version ")


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


def test_each_pipeline_has_a_mode_of_ecs(folder: Path) -> None:
    """One that has none has that of all; so do its plugins, but for those that say otherwise."""
    text = "input { stdin { } } output { stdout { } }"
    (folder / "logstash.yml").write_text("pipeline.ecs_compatibility: v8\n")
    (folder / "pipelines.yml").write_text(
        f"- {{pipeline.id: a, config.string: '{text}', pipeline.ecs_compatibility: disabled}}\n"
        f"- {{pipeline.id: b, config.string: '{text}'}}\n"
        f"- {{pipeline.id: c d, config.string: '{text}', pipeline.ecs_compatibility: v1}}\n"
    )
    found = read_folder(folder, {})
    settings = load_settings(None, {}, defaults=found.settings)
    configs = pipeline_configs((), None, (), settings, found.pipelines)
    modes = {name: check(config, settings)[0].inputs[0].options.ecs_compatibility for name, config in configs.items()}
    assert modes == {"a": "disabled", "b": "v8", "c_d": "v1"}
    [note] = found.notes
    assert note.endswith("pipeline.id: c d: here c_d, which can be part of a file name")


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
    ("long_name", "pipelines.yml", f"- {{pipeline.id: {'a' * 65}, config.string: x}}\n", "has 65 bytes"),
    (
        "same_name",
        "pipelines.yml",
        "- {pipeline.id: a b, config.string: x}\n- {pipeline.id: a/b, config.string: x}\n",
        "pipeline.id 'a_b' is used twice",
    ),
    (
        "bad_mode",
        "pipelines.yml",
        "- pipeline.id: a\n  config.string: x\n  pipeline.ecs_compatibility: v9\n",
        "pipelines.yml:3: error: pipeline.ecs_compatibility is one of disabled, v1, v8, not 'v9'",
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


def test_modules_of_logstash_yml_are_named(tmp_path: Path) -> None:
    """The form that the file of Logstash's package shows."""
    (tmp_path / "logstash.yml").write_text('modules:\n  - name: netflow\n    var.input.udp.port: "9996"\n')
    (tmp_path / "pipelines.yml").write_text(f"- pipeline.id: a\n  config.string: '{CONFIG}'\n")
    [note] = read_folder(tmp_path, {}).notes
    assert note == f"{tmp_path}/logstash.yml:1: modules has no effect: write a config for what the module reads"


def test_a_setting_without_a_value_is_not_set(tmp_path: Path) -> None:
    (tmp_path / "logstash.yml").write_text("config.string:\npath.config: /etc/x\npipeline.workers: ~\nnode.name:\n")
    found = read_folder(tmp_path, {})
    assert (found.notes, found.settings, found.pipelines[0].text) == ([], [], None)


@pytest.mark.parametrize(
    "key", ["pipeline.workers", "pipeline.batch.delay", "log.level", "queue.max_bytes", "http.port"]
)
@pytest.mark.parametrize("value", ["[{a: 1}]", "[]", "", "x"])
def test_a_setting_of_another_shape_is_an_error_with_its_place(tmp_path: Path, key: str, value: str) -> None:
    (tmp_path / "logstash.yml").write_text(f"{key}: {value}\n")
    result = run("run", "-t", "--path.settings", str(tmp_path), "-e", CONFIG)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code == 0 or f"{tmp_path}/logstash.yml:1" in result.stderr


def test_a_wrong_delay_is_reported_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "logstash.yml").write_text("pipeline.batch.delay: soon\n")
    result = run("run", "-t", "--path.settings", str(tmp_path), "-e", CONFIG)
    assert result.exit_code == 2
    assert f"{tmp_path}/logstash.yml:1: error: batch.max_delay: " in result.stderr
    assert "found 'soon'" in result.stderr
