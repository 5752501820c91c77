"""``ingestd geoip``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ingestd.cli.commands.geoip import geoip
from tests.geoip import databases as db


@pytest.fixture(autouse=True)
def _data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGESTD_DATA_DIR", str(tmp_path))


def call(*arguments: str) -> Result:
    return CliRunner().invoke(geoip, arguments)


def test_from_nothing_to_nothing() -> None:
    assert "ingestd geoip install dbip:country-lite" in call("status").stderr
    done = call("install", db.CITY)
    assert done.exit_code == 0
    assert "location: GeoLite2-City of 2023-11-14 is installed" in done.stdout
    assert "MaxMind" in done.stdout
    shown = call("status").stdout
    assert "GeoLite2-City" in shown
    assert "2023-11-14" in shown
    assert "created by MaxMind" in shown
    (page,) = json.loads(call("status", "--json").stdout)
    assert (page["use"], page["type"], page["source"]) == ("location", "GeoLite2-City", db.CITY)
    assert page["bytes"] == Path(db.CITY).stat().st_size
    assert call("remove").stdout == "removed: location\n"
    assert call("remove").stderr == "no geoip database is installed\n"


def test_a_database_that_was_copied_by_hand(tmp_path: Path) -> None:
    (tmp_path / "geoip").mkdir()
    (tmp_path / "geoip" / "asn.mmdb").write_bytes(Path(db.ASN).read_bytes())
    assert "unknown" in call("status").stdout


REFUSED = [  # id, arguments, exit code, what is said
    ("neither_source_nor_refresh", ("install",), 2, "either SOURCE or --refresh"),
    ("both", ("install", "x", "--refresh"), 2, "either SOURCE or --refresh"),
    ("nothing_to_refresh", ("install", "--refresh"), 1, "no installed database can be downloaded again"),
    ("no_file", ("install", "/nowhere/x.mmdb"), 1, "/nowhere/x.mmdb: No such file or directory"),
    ("no_database", ("install", __file__), 1, f"database {__file__} is not a MaxMind DB"),
    ("no_key", ("install", "maxmind:GeoLite2-City"), 1, "needs MAXMIND_ACCOUNT_ID"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(arguments: tuple[str, ...], code: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAXMIND_ACCOUNT_ID", raising=False)
    done = call(*arguments)
    assert done.exit_code == code
    assert said in done.stderr
