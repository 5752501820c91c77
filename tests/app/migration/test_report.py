"""What each part of a Logstash installation means here."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from ingestd.app.migration.finding import Finding
from ingestd.app.migration.installation import Version, find_installation
from ingestd.app.migration.report import Report, report, start_command
from ingestd.app.migration.settings_file import settings_text
from ingestd.settings import SettingsError, load_settings
from tests.app.migration.layouts import CONFIG, archive, debian, docker, put

LAYOUTS: list[tuple[str, Callable[[Path, str], Path], str, str, str]] = [
    ("debian_7", debian, "7.17.29", "disabled", "conf.d/*.conf"),
    ("debian_9", debian, "9.1.2", "v8", "conf.d/*.conf"),
    ("docker_7", docker, "7.17.29", "disabled", "pipeline"),
    ("docker_9", docker, "9.1.2", "v8", "pipeline"),
    ("archive_7", archive, "7.17.29", "disabled", "config/my.conf"),
    ("archive_9", archive, "9.1.2", "v8", "config/my.conf"),
]


def migrated(folder: Path, version: str = "", **variables: str) -> Report:
    return report(find_installation(folder, version), variables)


def shown(findings: Iterable[Finding], file: str) -> list[str]:
    return [f"{found.line} {found.verdict} {found.text}" for found in findings if found.file.endswith(file)]


def advice(findings: Iterable[Finding], text: str) -> str:
    """Return the advice of the first finding with a text."""
    return next(found.advice for found in findings if text in found.text)


@pytest.mark.parametrize(
    ("make", "version", "ecs", "end"), [row[1:] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS]
)
def test_layouts(tmp_path: Path, make: Callable[[Path, str], Path], version: str, ecs: str, end: str) -> None:
    folder = make(tmp_path, version)
    installation = find_installation(folder)
    found = report(installation, {})
    assert installation.version.number == version
    assert [finding for finding in found.findings if finding.verdict == "needs_work"] == []
    settings = load_settings(None, {}, defaults=found.settings)
    assert settings.pipeline.ecs_compatibility == ecs
    [pipeline] = found.pipelines
    [path] = pipeline.paths
    assert str(path).endswith(end)
    runs = [f"{finding.text}" for finding in found.findings if finding.file.endswith(".conf")]
    assert runs == ["input tcp", "filter grok", "filter date", "output elasticsearch"]
    assert start_command(found, installation, Path("x.toml")).words == [
        *("ingestd", "run", "--settings", "x.toml", "-f"),
        str(path),
    ]


def test_the_root_of_a_copy_will_do(tmp_path: Path) -> None:
    settings = debian(tmp_path, "9.1.2")
    assert find_installation(tmp_path) == find_installation(settings)


STATUS = "Package: x\nVersion: 1\n\nPackage: logstash\nStatus: install ok installed\nVersion: 1:8.11.4-1\n\n"
VERSIONS = [  # id, files below the root, the version, where it is from
    ("gems", {"usr/share/logstash/Gemfile.lock": "  specs:\n    logstash-core (6.8.23-java)\n"}, "6.8.23", "lock"),
    ("package", {"var/lib/dpkg/status": STATUS}, "8.11.4", "status"),
    ("none", {"var/lib/dpkg/status": "Package: x\nVersion: 1:9.0.0\n"}, "", ""),
]


@pytest.mark.parametrize(("files", "number", "end"), [row[1:] for row in VERSIONS], ids=[row[0] for row in VERSIONS])
def test_versions(tmp_path: Path, files: dict[str, str], number: str, end: str) -> None:
    put(tmp_path, {"etc/logstash/conf.d/a.conf": CONFIG, **files})
    version = find_installation(tmp_path / "etc/logstash").version
    assert (version.number, version.source.endswith(end)) == (number, True)


def test_the_name_of_the_folder_has_the_version(tmp_path: Path) -> None:
    put(tmp_path, {"logstash-oss-8.19.2/config/logstash.yml": ""})
    assert find_installation(tmp_path / "logstash-oss-8.19.2").version.number == "8.19.2"


def test_an_unknown_version_needs_work(tmp_path: Path) -> None:
    put(tmp_path, {"conf.d/a.conf": CONFIG})
    found = migrated(tmp_path)
    assert advice(found.findings, "the version of Logstash was not found") == "give it with --logstash-version"
    assert found.settings == []
    assert migrated(tmp_path, "8.11.0").settings == [
        ("pipeline.ecs_compatibility", "v8", "the default of Logstash 8.11.0")
    ]
    put(tmp_path, {"logstash.yml": "pipeline.ecs_compatibility: disabled\n"})
    for version in ("", "9.0.0"):
        assert [value for _, value, _ in migrated(tmp_path, version).settings] == ["disabled"]


SETTINGS = """
pipeline.workers: 2
queue.type: persisted
dead_letter_queue.enable: true
xpack.monitoring.enabled: true
xpack.management.enabled: true
path.plugins: [/opt/plugins]
api.http.port: ${API_PORT}
xpack.monitoring.elasticsearch.password: ${MONITORING_PASSWORD}
modules: []
slowlog.threshold.warn: 2s
pipeline.unsafe_shutdown: false
"""


def test_settings(tmp_path: Path) -> None:
    settings = debian(tmp_path, "9.1.2")
    put(settings, {"logstash.yml": SETTINGS, "logstash.keystore": "\0"})
    found = migrated(settings)
    assert shown(found.findings, "logstash.yml") == [
        "2 runs pipeline.workers: here workers = 2",
        "3 differs queue.type has no effect",
        "4 differs dead_letter_queue.enable has no effect",
        "5 differs xpack.monitoring.enabled has no effect",
        "6 needs_work xpack.management.enabled has no effect",
        "7 needs_work path.plugins has no effect",
        "8 needs_work api.http.port: the environment variable 'API_PORT' is not set",
        "9 differs xpack.monitoring.elasticsearch.password has no effect",
        "10 runs modules: nothing to do",
        "11 differs slowlog.threshold.warn has no effect",
        "12 runs pipeline.unsafe_shutdown: nothing to do",
        "0 runs pipeline.ecs_compatibility: here v8, the default of 9.1.2",
    ]
    assert "journal" in advice(found.findings, "queue.type")
    assert "deadletters" in advice(found.findings, "dead_letter_queue.enable")
    assert "/metrics" in advice(found.findings, "xpack.monitoring.enabled")
    [keystore] = shown(found.findings, "logstash.keystore")
    assert keystore.endswith("what is configured needs API_PORT")
    assert "http" not in {name for name, _, _ in found.settings}
    assert ("http", "127.0.0.1:9601") in {
        (name, value) for name, value, _ in migrated(settings, API_PORT="9601").settings
    }


WORK = """
input {
  jdbc { }
  tcp { port => 5000 codec => json_lines }
}
filter {
  if [a] { ruby { code => "event.set('x', event.get('y').to_i)" } }
  mutate { add_field => { "site" => "${SITE}" } }
}
output { elasticsearch { hosts => ["${ES}"] ssl => false } }
"""


def test_configs(tmp_path: Path) -> None:
    settings = debian(tmp_path, "9.1.2")
    put(tmp_path, {"etc/logstash/conf.d/main.conf": WORK, "etc/default/logstash": 'LS_USER=logstash\nSITE="kr1"\n'})
    put(settings, {"logstash.keystore": "\0"})
    found = migrated(settings)
    assert shown(found.findings, "conf.d/main.conf") == [
        "3 needs_work the input 'jdbc' is known from Logstash, and not supported",
        "4 runs input tcp",
        "7 needs_work the filter 'ruby' is known from Logstash, and not supported",
        "8 runs filter mutate",
        "10 needs_work the environment variable 'ES' is not set",
        "10 differs the option 'ssl' of output 'elasticsearch' is called 'ssl_enabled' now",
    ]
    assert "convert" in advice(found.findings, "ruby")
    assert "/etc/ingestd/ingestd.env" in advice(found.findings, "'ES'")
    assert shown(found.findings, "etc/default/logstash") == ["2 differs variable SITE"]
    assert [line.rpartition(" needs ")[2] for line in shown(found.findings, "keystore")] == ["ES"]


CONDITIONS = """
input { stdin { } }
filter {
  mutate { add_tag => ["x"] }
  if [a] == "${A}" { drop { } } else if [b] and [c] == "${B}" { uuid { target => "u" } }
  mutate { add_tag => ["y"] }
  if [a] and [b] and [c] or [d] { drop { } }
}
output { stdout { } }
"""


def test_conditions(tmp_path: Path) -> None:
    """A mistake in a condition is not one of the plugin before it; where Logstash does the same, it runs."""
    put(tmp_path, {"conf.d/a.conf": CONDITIONS})
    found = shown(migrated(tmp_path, "9.1.2").findings, "a.conf")
    assert [line for line in found if not line.startswith("7 runs as in Logstash")] == [
        "2 runs input stdin",
        "4 runs filter mutate",
        "5 runs filter drop",
        "5 runs filter uuid",
        "5 needs_work the environment variable 'A' is not set",
        "5 needs_work the environment variable 'B' is not set",
        "6 runs filter mutate",
        "7 runs filter drop",
        "9 runs output stdout",
    ]
    assert len(found) == 10


def test_a_syntax_error_has_its_line(tmp_path: Path) -> None:
    settings = debian(tmp_path, "9.1.2")
    put(settings, {"conf.d/main.conf": CONFIG + "filter { mutate { \n"})
    [line] = [line for line in shown(migrated(settings).findings, "main.conf") if "needs_work" in line]
    assert line.startswith("8 needs_work the '{' of the plugin 'mutate' is never closed")


def test_other_files(tmp_path: Path) -> None:
    settings = debian(tmp_path, "9.1.2")
    put(
        settings,
        {
            "patterns/site": "SITEUSER [a-z]+\nSITE %{SITEUSER}@%{HOSTNAME}\n",
            "patterns/wrong": "WRONG %{NO_SUCH_PATTERN}\n",
            "conf.d/old.disabled": CONFIG,
            "pipelines.yml": "- {pipeline.id: main, path.config: /etc/logstash/conf.d}\n",
        },
    )
    found = migrated(settings)
    assert shown(found.findings, "patterns/site") == [
        "0 runs 2 patterns, for filters that name the folder in patterns_dir"
    ]
    [wrong] = shown(found.findings, "patterns/wrong")
    assert wrong.startswith("0 differs pattern WRONG: unknown grok pattern 'NO_SUCH_PATTERN'")
    grok = 'grok { patterns_dir => "%s/patterns" match => { "message" => "%%{WRONG}" } }' % settings  # noqa: UP031
    put(settings, {"conf.d/uses.conf": f"filter {{ {grok} }}"})
    [uses] = shown(migrated(settings).findings, "conf.d/uses.conf")
    assert uses.startswith("1 needs_work")
    assert "NO_SUCH_PATTERN" in uses
    assert shown(found.findings, "old.disabled") == ["0 needs_work is not read: of a folder, only *.conf files are"]
    for name in ("jvm.options", "log4j2.properties", "startup.options"):
        assert shown(found.findings, name) == ["0 differs is not read"]


PIPELINES = """
- pipeline.id: web
  path.config: /etc/logstash/{web,shop}/*.conf
  pipeline.ecs_compatibility: disabled
  queue.type: persisted
- pipeline.id: text
  config.string: 'input { stdin { } } output { stdout { } nope { } }'
"""


def test_pipelines(tmp_path: Path) -> None:
    settings = debian(tmp_path, "9.1.2")
    put(settings, {"pipelines.yml": PIPELINES, "web/a.conf": CONFIG, "shop/b.conf": "filter { uuid { target => u } }"})
    installation = find_installation(settings)
    found = report(installation, {})
    assert shown(found.findings, "pipelines.yml") == [
        "2 runs pipeline.id: web",
        "3 runs path.config: /etc/logstash/{web,shop}/*.conf",
        "4 runs pipeline.ecs_compatibility: disabled, of this pipeline",
        "5 differs queue.type has no effect",
        "6 runs pipeline.id: text",
        "7 runs config.string",
    ]
    assert len(shown(found.findings, "a.conf") + shown(found.findings, "b.conf")) == 5
    assert shown(found.findings, "config.string of text") == [
        "1 runs input stdin",
        "1 runs output stdout",
        "1 needs_work unknown output plugin 'nope'",
    ]
    assert start_command(found, installation, Path("x.toml")).words[-2:] == ["--path.settings", str(settings)]
    assert advice(found.findings, "is not on this machine").startswith("write this path into pipelines.yml")


def test_a_pipeline_with_a_mode_of_ecs_or_a_name_of_its_own(tmp_path: Path) -> None:
    """Only Logstash's folder says so; a name that cannot be part of a file name gets another one."""
    settings = debian(tmp_path, "9.1.2")
    text = (
        f"- {{pipeline.id: web logs, path.config: {settings}/conf.d/a.conf, pipeline.ecs_compatibility: v1}}\n"
        f"- {{pipeline.id: b, path.config: {settings}/conf.d/b.conf}}\n"
    )
    put(settings, {"pipelines.yml": text, "conf.d/a.conf": CONFIG, "conf.d/b.conf": CONFIG})
    installation = find_installation(settings)
    found = report(installation, {})
    assert [(source.name, source.ecs) for source in found.pipelines] == [("web_logs", "v1"), ("b", "")]
    texts = [finding.text for finding in found.findings if finding.file.endswith("pipelines.yml")]
    assert "pipeline.id: web logs: here web_logs, which can be part of a file name" in texts
    assert start_command(found, installation, Path("x.toml")).words[-2:] == ["--path.settings", str(settings)]


def test_pipelines_with_a_path_each(tmp_path: Path) -> None:
    settings = debian(tmp_path, "9.1.2")
    paths = {name: settings / f"conf.d/{name}.conf" for name in ("web", "shop")}
    text = "".join(f"- {{pipeline.id: {name}, path.config: {path}}}\n" for name, path in paths.items())
    put(settings, {"pipelines.yml": text, "logstash.yml": "config.support_escapes: true\n"})
    put(settings, {"conf.d/web.conf": CONFIG, "conf.d/shop.conf": CONFIG})
    installation = find_installation(settings)
    command = start_command(report(installation, {}), installation, Path("x.toml"))
    assert command.words[4:] == [
        "--config.support_escapes",
        *(word for name, path in paths.items() for word in ("--pipeline", f"{name}={path}")),
    ]


def test_settings_file(tmp_path: Path) -> None:
    """What is written is what is read again, whatever is in it."""
    settings = [
        ("workers", "2", "/etc/logstash.yml:1"),
        ("watch", True, "/etc/logstash.yml:2"),
        ("journal.max_bytes", "2GiB", "a\nb"),
        ("log_level", "info", "/etc/logstash.yml:3"),
        ("log_level", "debug", "/etc/logstash.yml:4"),
        ("pipeline.ecs_compatibility", "v8", "the default"),
    ]
    file = tmp_path / "ingestd.toml"
    file.write_text(settings_text(settings, Version("9.1.2", "x"), "/etc/logstash"))
    read = load_settings(file, {})
    assert read == load_settings(None, {}, defaults=settings)
    assert (read.workers, read.watch, read.log_level, read.journal.max_bytes) == (2, True, "debug", 2 << 30)
    assert file.read_text().startswith(
        "# Written by `ingestd migrate` from /etc/logstash, Logstash 9.1.2.\n\nwatch = true  # /etc/logstash.yml:2\n"
    )


def test_any_text_is_a_setting(tmp_path: Path) -> None:
    file, text = tmp_path / "ingestd.toml", 'a"\\\n\x7f한글\U0001f600'
    file.write_text(settings_text([("http_password", text, "x")], Version(), "/etc/logstash"), "utf-8")
    assert tomllib.loads(file.read_text("utf-8")) == {"http_password": text}


@pytest.mark.parametrize("names", [[], ["some.txt"]], ids=["empty", "other_files"])
def test_no_installation(tmp_path: Path, names: list[str]) -> None:
    put(tmp_path, dict.fromkeys(names, ""))
    with pytest.raises(SettingsError, match="no Logstash here"):
        find_installation(tmp_path)
    with pytest.raises(SettingsError, match="no such folder"):
        find_installation(tmp_path / "missing")


def test_no_pipeline(tmp_path: Path) -> None:
    put(tmp_path, {"logstash.yml": ""})
    assert "no pipeline is configured" in [found.text for found in migrated(tmp_path, "9.0.0").findings]
