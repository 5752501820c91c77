"""What ``${INGESTD_...}`` in a config sees: settings from the file, the environment and flags."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ingestd.app.pipelines import config_variables, default_text, pipeline_configs
from ingestd.cli.main import main
from ingestd.config.nodes import PluginBlock
from ingestd.settings import SETTINGS, Settings, load_settings

TOML = 'port = 5977\nline_timezone = "Asia/Seoul"\n[dead_letters]\nmax_bytes = "2GB"\n'
PORT, ZONE, MAX = "INGESTD_PORT", "INGESTD_LINE_TIMEZONE", "INGESTD_DEAD_LETTERS_MAX_BYTES"

CASES = [  # id, environment, flags, what is different from the file
    ("file", {}, {}, {}),
    ("environment_wins", {PORT: "6000"}, {}, {PORT: "6000"}),
    ("flag_wins", {PORT: "6000"}, {"port": "7000"}, {PORT: "7000"}),
    ("empty_is_not_set", {PORT: ""}, {}, {}),
    ("kubernetes", {PORT: "tcp://10.0.0.1:5959"}, {}, {}),
    ("as_it_was_written", {MAX: "1000000000"}, {}, {MAX: "1000000000"}),
    ("others_stay", {"DB": "x", "INGESTD_TEST_A": "b"}, {}, {"DB": "x", "INGESTD_TEST_A": "b"}),
]


@pytest.mark.parametrize(
    ("environ", "flags", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_variables(environ: dict[str, str], flags: dict[str, str], expected: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "ingestd.toml"
    file.write_text(TOML)
    found = config_variables(load_settings(file, environ, flags), environ)
    assert SETTINGS["dead_letters.max_bytes"].kind.parse(found.pop(MAX)) == int(expected.pop(MAX, 2 * 10**9))
    found.pop("INGESTD_DATA_DIR", None)
    assert found == {PORT: "5977", ZONE: "Asia/Seoul"} | expected


def test_defaults_are_those_of_the_config() -> None:
    environ = {PORT: "", "INGESTD_LINE_TIMEZONE": ""}
    assert config_variables(Settings(), environ) == {}


def test_secrets_are_not_masked(tmp_path: Path) -> None:
    file = tmp_path / "ingestd.toml"
    file.write_text('elasticsearch = "http://user:secret@es:9200"\n')
    assert config_variables(load_settings(file, {}), {})["INGESTD_ELASTICSEARCH"] == "http://user:secret@es:9200"


def test_a_copy_of_the_built_in_config_is_the_built_in_config(tmp_path: Path) -> None:
    file, config = tmp_path / "ingestd.toml", tmp_path / "my.conf"
    file.write_text(TOML)
    settings = load_settings(file, {})
    config.write_text(default_text(settings))
    copied = pipeline_configs((config,), None, (), settings)["main"]
    named = pipeline_configs((), None, (f"a={config}",), settings)["a"]
    for parsed in (copied, named):
        (tcp,) = parsed.inputs
        assert isinstance(tcp, PluginBlock)
        assert "5977" in repr(tcp)
        assert repr(parsed.filters).count("'Asia/Seoul'") == 2


def test_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ingestd.toml").write_text("port = 5977\n")
    (tmp_path / "my.conf").write_text('input { tcp { port => "${INGESTD_PORT}" } } output { stdout { } }')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(PORT, raising=False)
    result = CliRunner().invoke(main, ["check", "my.conf"])
    assert result.exit_code == 0, result.output
