"""Put a database in place: unpack it, try it, then let it take the place of the old one in one step."""

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
from ingestd.geoip.database_folder import USES, Origin, database_file, installed, origin_file, shelf, write_origin
from ingestd.geoip.fetch import Fetched, Progress, fetch
from ingestd.geoip.fields import extractor, kind_of
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

    def install(self, source: str, *, member: str = "", progress: Progress = silent) -> tuple[str, Origin]:
        """Put the database of ``source``, a path or what `sources` knows, in place; return its use and its page.

        ``member`` names the file to take if an archive holds several.

        Raises:
            DatabaseError: What came is no database that can be used.
            SourceError: ``source`` is wrong.
            FetchError: It cannot be fetched.
            OSError: The disk refuses.
        """
        with self._workplace() as folder:
            if not is_remote(source):
                path = Path(source).resolve()
                return self._place(path, folder, str(path), member, Fetched("", ""))
            fetched = fetch(self._download(source), folder / "fetched", progress)
            assert fetched is not None  # noqa: S101 -- only a conditional request can have no news
            return self._place(folder / "fetched", folder, source, member, fetched)

    def refresh(self, use: str, *, progress: Progress = silent) -> Origin | None:
        """Fetch an installed database again if its server has another one; return its new page, None if it has not.

        Raises:
            As ``install``; DatabaseError also if it was not fetched over the network.
        """
        old = installed(self._data_dir, use)
        if old is None or not is_remote(old.source):
            raise DatabaseError(f"the database for {use} did not come from an address that could be asked again")
        with self._workplace() as folder:
            fetched = fetch(self._download(old.source), folder / "fetched", progress, old.etag, old.last_modified)
            if fetched is None:
                return None
            if _digest(folder / "fetched") == old.sha256:
                write_origin(origin_file(self._data_dir, use), replace(old, **_versions(fetched)))
                return None
            return self._place(folder / "fetched", folder, old.source, old.member, fetched)[1]

    def _download(self, source: str) -> Download:
        return download(source, self._environ, self._now.date())

    @contextmanager
    def _workplace(self) -> Iterator[Path]:
        """Give a folder on the same disk, so that a rename brings a file into place."""
        shelf(self._data_dir).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=shelf(self._data_dir)) as folder:
            yield Path(folder)

    def _place(self, packed: Path, folder: Path, source: str, member: str, fetched: Fetched) -> tuple[str, Origin]:
        new = folder / "new.mmdb"
        unpack(packed, new, member)
        try:
            database = try_out(new)
        except DatabaseError as error:
            raise DatabaseError(str(error).replace(str(new), source)) from None
        about, use = database.about, "asn" if kind_of(database.about.type) in {"asn", "isp"} else "location"
        database.close()
        origin = Origin(
            source=source,
            member=member,
            type=about.type,
            built=_iso(datetime.fromtimestamp(about.built, UTC)),
            installed=_iso(self._now),
            attribution=attribution(about.type, f"{source} {about.description}"),
            sha256=_digest(packed),
            **_versions(fetched),
        )
        write_origin(origin_file(self._data_dir, use), origin)
        rename_synced(new, database_file(self._data_dir, use))
        return use, origin


def remove(data_dir: Path, use: str) -> bool:
    """Remove an installed database; return whether there was one."""
    there = database_file(data_dir, use).exists()
    for path in (database_file(data_dir, use), origin_file(data_dir, use)):
        path.unlink(missing_ok=True)
    return there


def try_out(path: Path) -> Database:
    """Open a database, look up the first address that it holds, and return it.

    Raises:
        DatabaseError: It cannot be opened, holds nothing, or nothing that the filter could use.
    """
    database = Database(path)
    address = database.first()
    found = None if address is None else database.find(address)
    if found is None:
        raise DatabaseError(f"the database ({database.about.type}) holds no address")
    if extractor(database.about.type, ["country_code2", "city_name", "asn", "isp", "domain"], ecs=False)(found) is None:
        raise DatabaseError(f"the database ({database.about.type}) holds neither places nor owners of networks")
    return database


def unpack(packed: Path, new: Path, member: str) -> None:
    """Write the database in ``packed``, which may be a gzip or a tar.gz, to ``new``.

    Raises:
        DatabaseError: An archive holds no database, or several and ``member`` names none; or it is damaged.
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
    files = {PurePosixPath(one.name).name: one for one in archive if one.isfile() and one.name.endswith(".mmdb")}
    if not files:
        raise DatabaseError("the archive holds no .mmdb file")
    name = member or (next(iter(files)) if len(files) == 1 else "")
    if name not in files:
        raise DatabaseError(f"the archive holds {', '.join(sorted(files))}: name one of them with --member")
    file = archive.extractfile(files[name])
    assert file is not None  # noqa: S101 -- a regular file, see above
    return file


def _copy(source: IO[bytes] | gzip.GzipFile, to: Path) -> None:
    """Copy at most `MAX_UNPACKED` bytes, and see to it that they are on the disk before the file takes its place."""
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


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def uses_installed(data_dir: Path) -> list[str]:
    """Return the uses that a database is installed for."""
    return [use for use in USES if database_file(data_dir, use).exists()]
