import dataclasses
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ingestd.settings import (
    SETTINGS,
    JournalSettings,
    Settings,
    SettingsError,
    find_settings_file,
    load_settings,
    loading,
    reloaded,
    resolve_data_dir,
)
from ingestd.units import Address


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str) -> Path:
        path = tmp_path / "ingestd.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def problems(*args: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(*args)
    return str(caught.value)


def test_defaults_hold_without_anything() -> None:
    settings = load_settings(None, {}, {})
    assert (settings.host, settings.port, settings.http) == ("127.0.0.1", 5959, Address("127.0.0.1", 9600))
    assert settings.journal == JournalSettings(max_bytes=1 << 30, segment_bytes=16 << 20, sync_interval=0.2)
    assert settings == dataclasses.replace(Settings(), data_dir=settings.data_dir)
    assert set(settings.origins.values()) == {"default"}


def test_a_reload_takes_what_every_process_gets(write: Any) -> None:
    running = load_settings(None, {}, {})
    new = load_settings(write('workers = 3\nhttp = "off"\n[journal]\nmax_bytes = 5\n[schedule]\ncron = "off"'), {}, {})
    settings, needs_restart = reloaded(running, new)
    assert (settings.workers, settings.journal.max_bytes) == (3, 5)
    assert (settings.http, settings.schedule) == (running.http, running.schedule)
    assert needs_restart == ["http", "schedule.cron"]
    assert settings.explicit("workers")
    assert not settings.explicit("http")
    assert reloaded(settings, new)[1] == needs_restart


ORDER = [  # id, file, environment, flags, value of port, its origin
    ("file", "port = 1", {}, {}, 1, "{file}:1"),
    ("environment", "port = 1", {"INGESTD_PORT": "2"}, {}, 2, "INGESTD_PORT"),
    ("flag", "port = 1", {"INGESTD_PORT": "2"}, {"port": "3"}, 3, "--port"),
    ("flag_not_given", "port = 1", {}, {"port": None}, 1, "{file}:1"),
    ("empty_variable", "port = 1", {"INGESTD_PORT": ""}, {}, 1, "{file}:1"),
    ("kubernetes", "", {"INGESTD_PORT": "tcp://10.0.0.1:5959"}, {}, 5959, "default"),
]


@pytest.mark.parametrize(
    ("file", "environ", "flags", "port", "origin"), [c[1:] for c in ORDER], ids=[c[0] for c in ORDER]
)
def test_order(write: Any, file: str, environ: Any, flags: Any, port: int, origin: str) -> None:
    path = write(file)
    settings = load_settings(path, environ, flags)
    assert (settings.port, settings.origins["port"]) == (port, origin.format(file=path))
    assert settings.explicit("port") is (origin != "default")


def test_a_table_by_file_environment_and_flag(write: Any) -> None:
    name, path = "dead_letters.max_bytes", write("[dead_letters]\nmax_bytes = '2GiB'\n")
    in_file = load_settings(path, {}, {})
    assert (in_file.dead_letters.max_bytes, in_file.origins[name]) == (2 << 30, f"{path}:2")
    in_environ = load_settings(path, {"INGESTD_DEAD_LETTERS_MAX_BYTES": "3GiB"}, {})
    assert in_environ.get(name) == 3 << 30
    assert load_settings(path, {}, {name: "4GiB"}).get(name) == 4 << 30
    assert SETTINGS[name].flag == "--dead-letters-max-bytes"


PLACES = [  # id, file, line of batch.max_bytes
    ("table", "# first\n\n[batch]\n  max_bytes = 1 # x = y\n", 4),
    ("dotted", "port = 1\nbatch.max_bytes = 1", 2),
    ("quoted", '"batch" . "max_bytes" = 1', 1),
    ("inline", "port = 1\nbatch = { max_bytes = 1 }", 2),
]


@pytest.mark.parametrize(("file", "line"), [c[1:] for c in PLACES], ids=[c[0] for c in PLACES])
def test_place_in_the_file(write: Any, file: str, line: int) -> None:
    path = write(file)
    assert load_settings(path, {}, {}).origins["batch.max_bytes"] == f"{path}:{line}"


WRONG = [  # id, file, environment, flags, what the error says
    ("unknown", "\nprot = 1", {}, {}, "{file}:2: error: unknown setting 'prot'\n  help: did you mean port?"),
    ("unknown_in_table", "[batch]\nmax_byte = 1", {}, {}, "{file}:2: error: unknown setting 'batch.max_byte'"),
    ("other_table", "[retention]\ncron = 1", {}, {}, "'retention.cron'\n  help: did you mean schedule.cron?"),
    ("no_table", "max_age = 1", {}, {}, "'max_age'\n  help: did you mean retention.max_age?"),
    ("variable_in_table", "", {"INGESTD_RETENTION_MAX_AGES": "1"}, {}, "did you mean INGESTD_RETENTION_MAX_AGE?"),
    ("unknown_table", "[bach]\nmax_bytes = 1", {}, {}, "{file}:1: error: unknown setting 'bach'"),
    ("no_table", "batch = 3", {}, {}, "{file}:1: error: expected a table [batch]"),
    ("type", "port = true", {}, {}, "{file}:1: error: port: expected a port, 0 to 65535, found true\n  help: Port"),
    (
        "age_without_unit",
        "[retention]\nmax_age = 30",
        {},
        {},
        "{file}:2: error: retention.max_age: expected a duration with its unit, such as 30d, found 30\n",
    ),
    ("age_as_text", "late = '365'", {}, {}, "{file}:1: error: late: expected a duration with its unit, such as 30d"),
    ("days_of_restored", "", {"INGESTD_RESTORE_KEEP": "7"}, {}, "expected a duration with its unit, such as 30d"),
    ("space_without_unit", "[retention]\nmax_bytes = 200", {}, {}, "expected a size with its unit, such as 200GB"),
    ("not_a_table", "port = {{ a = 1 }}", {}, {}, "{file}:1: error: port: expected a port"),
    ("toml", "port = 1\nhost =", {}, {}, "{file}:2:7: error: Invalid value\n    2 | host =\n      |       ^"),
    (
        "no_quotes",
        "index_timezone = Asia/Seoul  # ours\n",
        {},
        {},
        "{file}:1:18: error: Invalid value\n    1 | index_timezone = Asia/Seoul  # ours\n"
        '      |                  ^\n  help: write text in quotes: index_timezone = "Asia/Seoul"',
    ),
    ("no_quotes_path", "data_dir = /var/lib\n", {}, {}, '  help: write text in quotes: data_dir = "/var/lib"'),
    ("no_quotes_size", "queue_bytes = 64MB\n", {}, {}, '  help: write text in quotes: queue_bytes = "64MB"'),
    ("no_quotes_in_table", "[batch]\nmax_delay = 5s", {}, {}, '  help: write text in quotes: max_delay = "5s"'),
    ("no_quotes_crlf", "late = accept\r\nport = 1\r\n", {}, {}, '  help: write text in quotes: late = "accept"'),
    ("open_quote", 'host = "a\nport = 1', {}, {}, "{file}:1:10: error: Illegal character"),
    ("variable", "", {"INGESTD_PROT": "1"}, {}, "INGESTD_PROT: error: unknown setting\n  help: did you mean INGESTD_P"),
    ("variable_far", "", {"INGESTD_ZZZ": "1"}, {}, "help: known are INGESTD_DATA_DIR, "),
    ("variable_value", "", {"INGESTD_LOG_FORMAT": "jsno"}, {}, "INGESTD_LOG_FORMAT: error: log_format: expected"),
    ("flag", "", {}, {"shutdown_timeout": "soon"}, "--shutdown-timeout: error: shutdown_timeout: expected a duration"),
]


@pytest.mark.parametrize(("file", "environ", "flags", "error"), [c[1:] for c in WRONG], ids=[c[0] for c in WRONG])
def test_errors_name_the_place(write: Any, file: str, environ: Any, flags: Any, error: str) -> None:
    path = write(file.replace("{{", "{").replace("}}", "}"))
    assert error.format(file=path) in problems(path, environ, flags)


def test_all_errors_are_reported_at_once(write: Any) -> None:
    path = write("prot = 1\nport = 'x'")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {"INGESTD_HTTP": "9600"}, {"queue_bytes": "much"})
    assert len(caught.value.problems) == 4


def test_a_password_is_not_in_an_error() -> None:
    assert "secret" not in problems(None, {"INGESTD_ELASTICSEARCH": "https//me:secret@es"}, {})


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in problems(tmp_path / "none.toml", {}, {})


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "ingestd.toml"
    path.write_bytes(b"host = '\xff'")
    assert "cannot be read: " in problems(path, {}, {})


@pytest.mark.parametrize(
    "variable",
    [
        "INGESTD_SETTINGS",
        "INGESTD_REQUIRE_TESTBED",
        "INGESTD_TEST_ANYTHING",
        "INGESTD_BENCH_EVENTS",
        "INGESTD_SERVICE_HOST",
        "INGESTD_SERVICE_PORT_HTTP",
        "INGESTD_PORT_5959_TCP_ADDR",
    ],
)
def test_variables_of_others_are_left_alone(variable: str) -> None:
    assert not load_settings(None, {variable: "x"}, {}).explicit("port")


def test_a_path_in_the_file_is_relative_to_the_file(write: Any) -> None:
    path = write("data_dir = 'data'")
    assert load_settings(path, {}, {}).data_dir == path.parent / "data"
    assert load_settings(path, {}, {"data_dir": "here"}).data_dir == Path("here")


DATA_DIRS = [  # id, option, environment, folder
    ("option", "/a", {"INGESTD_DATA_DIR": "/b"}, "/a"),
    ("variable", None, {"INGESTD_DATA_DIR": "/b", "STATE_DIRECTORY": "/c"}, "/b"),
    ("systemd", None, {"STATE_DIRECTORY": "/c", "XDG_STATE_HOME": "/d"}, "/c"),
    ("systemd_many", None, {"STATE_DIRECTORY": "/c:/c2"}, "/c"),
    ("xdg", None, {"XDG_STATE_HOME": "/d"}, "/d/ingestd"),
    ("home", None, {}, "/home/me/.local/state/ingestd"),
]


@pytest.mark.parametrize(("option", "environ", "folder"), [c[1:] for c in DATA_DIRS], ids=[c[0] for c in DATA_DIRS])
def test_data_dir(monkeypatch: pytest.MonkeyPatch, option: str | None, environ: Any, folder: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(loading, "SERVICE_DATA_DIR", Path("/no/service"))
    assert resolve_data_dir(option, environ) == Path(folder)
    assert load_settings(None, environ, {"data_dir": option}).data_dir == Path(folder)


@pytest.mark.parametrize(
    ("service", "user", "own", "chosen"),
    [
        ("missing", "root", False, "own"),
        ("there", "root", True, "service"),
        ("there", "owner", True, "service"),
        ("there", "other", True, "own"),
        ("there", "other", False, "service"),
    ],
)
def test_data_dir_of_the_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: str, user: str, own: bool, chosen: str
) -> None:
    folders = {"service": tmp_path / "service", "own": tmp_path / "ingestd"}
    if service == "there":
        folders["service"].mkdir()
    if own:
        folders["own"].mkdir()
    owner = os.geteuid()
    monkeypatch.setattr(loading, "SERVICE_DATA_DIR", folders["service"])
    monkeypatch.setattr(os, "geteuid", lambda: {"root": 0, "owner": owner, "other": owner + 1}[user])
    settings = load_settings(None, {"XDG_STATE_HOME": str(tmp_path)}, {})
    assert settings.data_dir == folders[chosen]
    assert load_settings(None, {"STATE_DIRECTORY": "/c"}, {}).data_dir == Path("/c")


def test_credentials_of_systemd(write: Any, tmp_path: Path) -> None:
    """A file that the settings name comes before them."""
    (tmp_path / "http_password").write_text("secret")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    settings = load_settings(None, environ, {})
    assert settings.http_password_file == tmp_path / "http_password"
    assert settings.origins["http_password_file"] == "CREDENTIALS_DIRECTORY"
    assert settings.http_token_file == Path()
    settings = load_settings(write('http_password_file = "/etc/other"'), environ, {})
    assert settings.http_password_file == Path("/etc/other")


def test_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_settings_file("a.toml", {"INGESTD_SETTINGS": "b.toml"}) == Path("a.toml")
    assert find_settings_file(None, {"INGESTD_SETTINGS": "b.toml"}) == Path("b.toml")
    Path("ingestd.toml").write_text("")
    assert find_settings_file(None, {}) == Path("ingestd.toml")


def test_settings_file_in_a_folder_that_is_closed_to_us(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, **_: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "stat", refuse)
    assert find_settings_file(None, {}) is None


def test_names_are_unique_in_every_form() -> None:
    for names in ([setting.variable for setting in SETTINGS.values()], [setting.flag for setting in SETTINGS.values()]):
        assert len(set(names)) == len(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_declared_settings(name: str) -> None:
    """What is shown as a default can be given as a value, and each has its sentence."""
    declared = SETTINGS[name]
    assert declared.doc.endswith(".")
    if declared.shown_default:
        assert declared.kind.parse(declared.shown_default) == declared.default
