import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import ingestd
from ingestd.cli.commands.config import config
from ingestd.settings import SETTINGS


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for setting in [*SETTINGS.values()]:
        monkeypatch.delenv(setting.variable, raising=False)


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(config, arguments, env=environ)


def test_default_is_the_file_unchanged() -> None:
    result = run("default")
    assert result.exit_code == 0
    assert result.stdout_bytes == (Path(ingestd.__file__).parent / "default.conf").read_bytes()


@pytest.mark.parametrize(("name", "file"), [("systemd", "ingestd.service"), ("grafana", "grafana/ingestd.json")])
def test_files_for_others(name: str, file: str) -> None:
    result = run(name)
    assert result.exit_code == 0
    assert result.stdout_bytes == (Path(ingestd.__file__).parents[1] / "packaging" / file).read_bytes()


def test_settings_as_a_table() -> None:
    Path("mine.toml").write_text("queue_bytes = 1024\n[dead_letters]\nmax_bytes = '5MiB'\n")
    result = run("settings", "--settings", "mine.toml", "--port", "5000", INGESTD_LOG_FORMAT="json")
    rows = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert rows[0] == ["SETTING", "VALUE", "FROM"]
    table = {name: tuple(rest) for name, *rest in rows[1:]}
    assert list(table) == list(SETTINGS)
    assert table["queue_bytes"] == ("1KiB", "mine.toml:1")
    assert table["dead_letters.max_bytes"] == ("5MiB", "mine.toml:3")
    assert table["log_format"] == ("json", "INGESTD_LOG_FORMAT")
    assert table["port"] == ("5000", "--port")
    assert table["http"] == ("127.0.0.1:9600", "default")


def test_settings_as_json() -> None:
    result = run("settings", "--json", "--http", "off", "--data-dir", "/var/x", "--shutdown-timeout", "1m")
    document = json.loads(result.stdout)
    assert list(document) == list(SETTINGS)
    assert document["http"] == {"value": "off", "origin": "--http"}
    assert document["data_dir"] == {"value": "/var/x", "origin": "--data-dir"}
    assert document["shutdown_timeout"] == {"value": 60.0, "origin": "--shutdown-timeout"}
    assert document["port"] == {"value": 5959, "origin": "default"}


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_passwords_are_masked(form: tuple[str, ...]) -> None:
    result = run("settings", *form, INGESTD_ELASTICSEARCH="https://me:secret@es:9200")
    assert "https://me:***@es:9200" in result.stdout
    assert "secret" not in result.output


def test_wrong_settings_end_with_all_mistakes() -> None:
    Path("ingestd.toml").write_text("prot = 1\n")
    result = run("settings", "--port", "many", INGESTD_HTTPS="on")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "ingestd.toml:1: error: unknown setting 'prot'",
        "  help: did you mean port?",
        "INGESTD_HTTPS: error: unknown setting",
        "  help: did you mean INGESTD_HTTP?",
        "--port: error: port: expected a port, 0 to 65535, found 'many'",
        "  help: Port of the built-in pipeline's tcp input; 0: any free port.",
    ]


def test_every_setting_has_its_flag_in_the_help() -> None:
    text = run("settings", "--help").stdout
    assert [setting.flag for setting in SETTINGS.values() if setting.flag not in text] == []
