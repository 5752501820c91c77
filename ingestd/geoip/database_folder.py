"""The folder of the databases that ``ingestd geoip install`` installs: ``geoip`` in the data folder.

There is one database for each use, ``location.mmdb`` (cities or countries) and ``asn.mmdb`` (owners of networks), and
next to it a file with its metadata, such as ``location.json``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import orjson

from ingestd.files import write_atomic

USES = ("location", "asn")


@dataclass(frozen=True, slots=True)
class InstalledDatabase:
    """What is known of an installed database. Times are ISO 8601 in UTC.

    Attributes:
        source: Where it came from: a path, or a URL without secrets.
        type: The type in the database's own metadata.
        built: When its data was compiled.
        installed: When it was installed.
        attribution: The line that its licence requires.
        sha256: Of the file before it was unpacked.
        member: The file that was extracted from an archive.
        etag: The version, as the server's ETag.
        last_modified: The version, as the server's Last-Modified.
    """

    source: str
    type: str
    built: str
    installed: str
    attribution: str
    sha256: str
    member: str = ""
    etag: str = ""
    last_modified: str = ""


def database_folder(data_dir: Path) -> Path:
    """Return the folder of the installed databases."""
    return data_dir / "geoip"


def database_file(data_dir: Path, use: str) -> Path:
    """Return the path of the installed database for a use, see `USES`."""
    return database_folder(data_dir) / f"{use}.mmdb"


def metadata_file(data_dir: Path, use: str) -> Path:
    """Return the path of its metadata."""
    return database_folder(data_dir) / f"{use}.json"


def installed_database(data_dir: Path, use: str = "location") -> InstalledDatabase | None:
    """Return what is known of the installed database for a use, None if there is none."""
    try:
        database_file(data_dir, use).stat()
        found = orjson.loads(metadata_file(data_dir, use).read_bytes())
        return InstalledDatabase(
            **{item.name: found[item.name] for item in fields(InstalledDatabase) if item.name in found}
        )
    except (OSError, orjson.JSONDecodeError, TypeError):
        return None


def write_metadata(path: Path, database: InstalledDatabase) -> None:
    """Write the metadata of a database, atomically. Raises OSError."""
    write_atomic(path, orjson.dumps(asdict(database), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
