"""Installing databases out of files."""

from __future__ import annotations

import gzip
import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestd.geoip.database import Database, DatabaseError
from ingestd.geoip.database_folder import database_file, database_folder, installed_database
from ingestd.geoip.install import Installer, installed_uses, remove
from tests.geoip import databases as db
from tests.geoip.mmdb import write

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def install(data_dir: Path, source: Path | str, member: str = "") -> str:
    return Installer(data_dir, {}, NOW).install(str(source), member=member)[0]


def archive(path: Path, *names: str) -> Path:
    """Make an archive as MaxMind ships it, with a database of each name in its folder."""
    with tarfile.open(path, "w:gz") as file:
        for name in ("LICENSE.txt", *names):
            data = Path(db.CITY).read_bytes() if name.endswith(".mmdb") else b"text"
            info = tarfile.TarInfo(f"GeoLite2-City_20261117/{name}")
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def test_a_database_and_its_page(tmp_path: Path) -> None:
    assert install(tmp_path, db.CITY) == "location"
    assert database_file(tmp_path, "location").read_bytes() == Path(db.CITY).read_bytes()
    page = installed_database(tmp_path)
    assert page is not None
    assert (page.source, page.type) == (db.CITY, "GeoLite2-City")
    assert (page.built, page.installed) == ("2023-11-14T22:13:20Z", "2026-11-22T10:00:00Z")
    assert "MaxMind" in page.attribution
    assert installed_uses(tmp_path) == ["location"]
    assert sorted(path.name for path in database_folder(tmp_path).iterdir()) == ["location.json", "location.mmdb"]


def test_gzip(tmp_path: Path) -> None:
    packed = tmp_path / "dbip.mmdb.gz"
    packed.write_bytes(gzip.compress(Path(db.COUNTRY).read_bytes()))
    install(tmp_path, packed)
    assert Database(database_file(tmp_path, "location")).metadata.type == "DBIP-Country-Lite"


def test_archive(tmp_path: Path) -> None:
    install(tmp_path, archive(tmp_path / "x.tar.gz", "GeoLite2-City.mmdb"))
    assert Database(database_file(tmp_path, "location")).metadata.type == "GeoLite2-City"


def test_archive_of_several(tmp_path: Path) -> None:
    packed = archive(tmp_path / "x.tgz", "a.mmdb", "b.mmdb")
    with pytest.raises(DatabaseError, match=r"has a\.mmdb, b\.mmdb: choose one with --member"):
        install(tmp_path, packed)
    install(tmp_path, packed, "b.mmdb")
    assert installed_uses(tmp_path) == ["location"]


def test_owners_of_networks_stand_beside_places(tmp_path: Path) -> None:
    assert [install(tmp_path, source) for source in (db.CITY, db.ASN, db.COUNTRY)] == ["location", "asn", "location"]
    page = installed_database(tmp_path)
    assert page is not None
    assert page.type == "DBIP-Country-Lite"
    assert remove(tmp_path, "location")
    assert not remove(tmp_path, "location")
    assert installed_uses(tmp_path) == ["asn"]
    assert installed_database(tmp_path) is None


def damaged(folder: Path, name: str) -> Path:
    path = folder / name
    data = {
        "text": b"no database",
        "short": Path(db.CITY).read_bytes()[: Path(db.CITY).stat().st_size // 2],
        "half_gzip": gzip.compress(Path(db.CITY).read_bytes())[:200],
        "no_gzip": b"\x1f\x8bno gzip at all",
        "archive_of_nothing": archive(path).read_bytes() if name == "archive_of_nothing" else b"",
        "empty": write(path, {}, "GeoLite2-City").read_bytes(),
        "no_use": write(path, {"1.2.3.0/24": {"colour": "red"}}, "Colours").read_bytes(),
    }
    path.write_bytes(data[name])
    return path


@pytest.mark.parametrize("name", ["text", "short", "half_gzip", "no_gzip", "archive_of_nothing", "empty", "no_use"])
def test_what_cannot_be_used_replaces_nothing(name: str, tmp_path: Path) -> None:
    install(tmp_path, db.CITY)
    with pytest.raises(DatabaseError) as raised:
        install(tmp_path, damaged(tmp_path, name))
    assert ".new-" not in str(raised.value), "the name of a temporary file tells nobody anything"
    assert database_file(tmp_path, "location").read_bytes() == Path(db.CITY).read_bytes()
    assert len(list(database_folder(tmp_path).iterdir())) == 2, "nothing is left behind"


def test_a_file_cannot_be_refreshed(tmp_path: Path) -> None:
    install(tmp_path, db.CITY)
    with pytest.raises(DatabaseError, match="was not downloaded"):
        Installer(tmp_path, {}, NOW).refresh("location")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        install(tmp_path, tmp_path / "nothing.mmdb")
