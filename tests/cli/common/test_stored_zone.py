"""The data folder remembers the zone of days, for commands and daemons that find no ``ingestd.toml``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestd.settings import load_settings, read_stored_zone, remember_zone, stored_zone_path
from tests.cli.reading import fill, run


def _start(data_dir: Path, zone: str | None, now: float = 0) -> str | None:
    """Do what a daemon does when it starts; return the zone that it warns of."""
    settings = load_settings(None, {}, {"data_dir": str(data_dir), "index_timezone": zone})
    before = remember_zone(settings, now)
    return before and before.zone


STARTS = [  # id, zones that daemons were started with, the zones that were warned of, what counts then
    ("never_set", [None, None], [None, None], ("UTC", False)),
    ("set", ["Asia/Seoul", "Asia/Seoul"], [None, None], ("Asia/Seoul", True)),
    ("not_set_elsewhere", ["Asia/Seoul", None, None], [None, None, None], ("Asia/Seoul", True)),
    ("set_later", [None, "Asia/Seoul"], [None, "UTC"], ("Asia/Seoul", True)),
    ("changed", ["Asia/Seoul", "UTC", None], [None, "Asia/Seoul", None], ("UTC", True)),
    ("utc_on_purpose", [None, "UTC"], [None, None], ("UTC", True)),
]


@pytest.mark.parametrize(("zones", "warned", "last"), [case[1:] for case in STARTS], ids=[case[0] for case in STARTS])
def test_starts(zones: list[str | None], warned: list[str | None], last: tuple[str, bool], tmp_path: Path) -> None:
    assert [_start(tmp_path, zone) for zone in zones] == warned
    stored = read_stored_zone(tmp_path)
    assert stored is not None
    assert (stored.zone, stored.is_set) == last
    settings = load_settings(None, {}, {"data_dir": str(tmp_path)})
    assert (settings.index_timezone, settings.explicit("index_timezone")) == last


def test_a_change_is_remembered(tmp_path: Path) -> None:
    _start(tmp_path, "Asia/Seoul")
    _start(tmp_path, "UTC", now=7)
    stored = read_stored_zone(tmp_path)
    assert stored is not None
    assert (stored.previous, stored.changed_at) == ("Asia/Seoul", 7)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"zone":"No/Where","is_set":true}', b'{"zone":1,"is_set":true}']
)
def test_a_damaged_file_counts_as_missing(content: bytes, tmp_path: Path) -> None:
    stored_zone_path(tmp_path).write_bytes(content)
    assert read_stored_zone(tmp_path) is None
    assert _start(tmp_path, "Asia/Seoul") is None
    assert read_stored_zone(tmp_path) is not None


@pytest.mark.usefixtures("shared_duckdb")
@pytest.mark.parametrize("first", [True, False], ids=["data_dir_first", "data_dir_last"])
def test_commands_from_another_folder(
    first: bool,
    set_zone: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    set_zone("UTC")
    monkeypatch.delenv("INGESTD_INDEX_TIMEZONE", raising=False)
    data_dir = fill(tmp_path / "data")
    _start(data_dir, "Asia/Seoul")
    day = ("--interval", "1d", "--since", "2026-11-22", "--until", "2026-11-22", "--json")
    folder = ("--data-dir", str(data_dir)) if first else ()
    found = json.loads(run("histogram", *folder, *day, data_dir=data_dir).stdout)
    assert [bucket["time"] for bucket in found] == ["2026-11-21T15:00:00.000Z"]
    assert "TIME (Asia/Seoul)" in run("search", data_dir=data_dir).stdout
    assert str(stored_zone_path(data_dir)) in run("config", "settings", data_dir=data_dir).stdout
