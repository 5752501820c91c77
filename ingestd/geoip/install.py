"""Install a database: unpack it, check it, then replace the old one atomically."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

from ingestd.files import open_synced, rename_synced
from ingestd.geoip.database import Database, DatabaseError
from ingestd.geoip.database_folder import (
    USES,
    InstalledDatabase,
    database_file,
    database_folder,
    installed_database,
    metadata_file,
    write_metadata,
)
from ingestd.geoip.fetch import Fetched, Progress, fetch
from ingestd.geoip.fields import database_kind, extractor
from ingestd.geoip.sources import Download, attribution, download, is_remote

MAX_UNPACKED = 4 << 30
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"


def silent(step: int, total: int | None) -> None:
    """Show no progress."""


class Installer:
    """Installs databases into a data folder.

    Args:
        data_dir: The daemon's data folder.
        environ: Where MaxMind's account and key are.
        now: The time of the installation, in UTC.
    """

    def __init__(self, data_dir: Path, environ: Mapping[str, str], now: datetime) -> None:
        self._data_dir, self._environ, self._now = data_dir, environ, now

    def install(self, source: str, *, member: str = "", progress: Progress = silent) -> tuple[str, InstalledDatabase]:
        """Install the database of ``source``, a path or what `sources` knows; return its use and its metadata.

        ``member`` names the file to extract if an archive holds several.

        Raises:
            DatabaseError: The file is not a usable database.
            SourceError: ``source`` is wrong.
            FetchError: It cannot be fetched.
            OSError: It cannot be written.
        """
        with self._temporary_folder() as folder:
            if not is_remote(source):
                path = Path(source).resolve()
                return self._install(path, folder, str(path), member, Fetched("", ""))
            fetched = fetch(self._download(source), folder / "fetched", progress)
            assert fetched is not None  # noqa: S101 -- only a conditional request returns None
            return self._install(folder / "fetched", folder, source, member, fetched)

    def refresh(self, use: str, *, progress: Progress = silent) -> InstalledDatabase | None:
        """Download an installed database again if its server has another version; return its metadata, or None.

        Raises:
            As ``install``; DatabaseError also if it was not downloaded.
        """
        old = installed_database(self._data_dir, use)
        if old is None or not is_remote(old.source):
            raise DatabaseError(f"the database for {use} was not downloaded, so it cannot be refreshed")
        with self._temporary_folder() as folder:
            fetched = fetch(self._download(old.source), folder / "fetched", progress, old.etag, old.last_modified)
            if fetched is None:
                return None
            if _digest(folder / "fetched") == old.sha256:
                write_metadata(metadata_file(self._data_dir, use), replace(old, **_versions(fetched)))
                return None
            return self._install(folder / "fetched", folder, old.source, old.member, fetched)[1]

    def _download(self, source: str) -> Download:
        return download(source, self._environ, self._now.date())

    @contextmanager
    def _temporary_folder(self) -> Iterator[Path]:
        """Yield a folder on the same file system, so that files can be renamed into place."""
        database_folder(self._data_dir).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=database_folder(self._data_dir)) as folder:
            yield Path(folder)

    def _install(
        self, packed: Path, folder: Path, source: str, member: str, fetched: Fetched
    ) -> tuple[str, InstalledDatabase]:
        new = folder / "new.mmdb"
        unpack(packed, new, member)
        try:
            database = open_checked(new)
        except DatabaseError as error:
            raise DatabaseError(str(error).replace(str(new), source)) from None
        metadata = database.metadata
        database.close()
        use = "asn" if database_kind(metadata.type) in {"asn", "isp"} else "location"
        installed = InstalledDatabase(
            source=source,
            member=member,
            type=metadata.type,
            built=_utc_seconds(datetime.fromtimestamp(metadata.built, UTC)),
            installed=_utc_seconds(self._now),
            attribution=attribution(metadata.type, f"{source} {metadata.description}"),
            sha256=_digest(packed),
            **_versions(fetched),
        )
        write_metadata(metadata_file(self._data_dir, use), installed)
        rename_synced(new, database_file(self._data_dir, use))
        return use, installed


def remove(data_dir: Path, use: str) -> bool:
    """Remove an installed database; return whether there was one."""
    existed = database_file(data_dir, use).exists()
    for path in (database_file(data_dir, use), metadata_file(data_dir, use)):
        path.unlink(missing_ok=True)
    return existed


def open_checked(path: Path) -> Database:
    """Open a database, look up the first address in it, and return the database.

    Raises:
        DatabaseError: It cannot be opened, is empty, or has no field that the filter can use.
    """
    database = Database(path)
    address = database.first()
    found = None if address is None else database.find(address)
    if found is None:
        raise DatabaseError(f"the database ({database.metadata.type}) has no addresses")
    if (
        extractor(database.metadata.type, ["country_code2", "city_name", "asn", "isp", "domain"], ecs=False)(found)
        is None
    ):
        raise DatabaseError(f"the database ({database.metadata.type}) has neither locations nor network owners")
    return database


def unpack(packed: Path, new: Path, member: str) -> None:
    """Write the database in ``packed``, which may be a .gz or .tar.gz file, to ``new``.

    Raises:
        DatabaseError: An archive has no database, or several and ``member`` names none of them; or it is damaged.
    """
    try:
        with packed.open("rb") as file:
            if file.read(2) != _GZIP:
                file.seek(0)
                _copy(file, new)
                return
        try:
            with tarfile.open(packed, "r:gz") as archive:
                _copy(_member(archive, member), new)
        except tarfile.ReadError:
            with gzip.open(packed) as plain:
                _copy(plain, new)
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        raise DatabaseError(f"{packed.name} is damaged: {error}") from None


def _member(archive: tarfile.TarFile, member: str) -> IO[bytes]:
    files = {
        PurePosixPath(entry.name).name: entry for entry in archive if entry.isfile() and entry.name.endswith(".mmdb")
    }
    if not files:
        raise DatabaseError("the archive has no .mmdb file")
    name = member or (next(iter(files)) if len(files) == 1 else "")
    if name not in files:
        raise DatabaseError(f"the archive has {', '.join(sorted(files))}: choose one with --member")
    file = archive.extractfile(files[name])
    assert file is not None  # noqa: S101 -- a regular file, see above
    return file


def _copy(source: IO[bytes] | gzip.GzipFile, to: Path) -> None:
    """Copy up to `MAX_UNPACKED` bytes, and sync them."""
    size = 0
    with open_synced(to) as file:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > MAX_UNPACKED:
                raise DatabaseError(f"the database is larger than {MAX_UNPACKED} bytes")
            file.write(chunk)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _versions(fetched: Fetched) -> dict[str, str]:
    return {"etag": fetched.etag, "last_modified": fetched.last_modified}


def _utc_seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def installed_uses(data_dir: Path) -> list[str]:
    """Return the uses for which a database is installed."""
    return [use for use in USES if database_file(data_dir, use).exists()]
