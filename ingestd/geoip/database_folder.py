"""The folder of the databases that ``ingestd geoip install`` puts in place: ``geoip`` in the data folder.

There is one database for each use, ``location.mmdb`` (cities or countries) and ``asn.mmdb`` (networks' owners), and
beside it a page ``location.json`` that says where it came from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import orjson

from ingestd.files import write_atomic

USES = ("location", "asn")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an installed database came from. Times are ISO 8601 in UTC.

    ``source`` is a path or URL without secrets, ``attribution`` the line that its licence asks for, ``built`` when
    its data was put together, ``sha256`` of the file as it came, ``member`` what was taken out of an archive;
    ``etag`` and ``last_modified`` are the server's words for its version.
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


def shelf(data_dir: Path) -> Path:
    """Return the folder of the installed databases."""
    return data_dir / "geoip"


def database_file(data_dir: Path, use: str) -> Path:
    """Return where the database for a use (see `USES`) stands once it is installed."""
    return shelf(data_dir) / f"{use}.mmdb"


def origin_file(data_dir: Path, use: str) -> Path:
    """Return the page beside a database."""
    return shelf(data_dir) / f"{use}.json"


def installed(data_dir: Path, use: str = "location") -> Origin | None:
    """Return where the installed database for a use came from, None if there is none."""
    try:
        database_file(data_dir, use).stat()
        page = orjson.loads(origin_file(data_dir, use).read_bytes())
        return Origin(**{item.name: page[item.name] for item in fields(Origin) if item.name in page})
    except (OSError, orjson.JSONDecodeError, TypeError):
        return None


def write_origin(path: Path, origin: Origin) -> None:
    """Write the page of a database, in one step. Raises OSError."""
    write_atomic(path, orjson.dumps(asdict(origin), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
