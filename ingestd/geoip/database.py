"""One database file: opened, asked, and opened again when somebody puts another in its place.

The format is https://maxmind.github.io/MaxMind-DB/; the package ``maxminddb`` reads it. The file is mapped into
memory, so it must be replaced by a rename, as ``ingestd geoip install`` and MaxMind's ``geoipupdate`` do: whoever
truncates it in place takes the ground from under every reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingestd.geoip.address import Address, parse_address
from ingestd.geoip.fields import Found
from ingestd.logs import get_logger

if TYPE_CHECKING:
    from maxminddb import Reader

log = get_logger(__name__)

MISSING_PACKAGE = "GeoIP needs the package maxminddb: pip install 'ingestd[geoip]'"


class DatabaseError(ValueError):
    """A database cannot be read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class About:
    """What a database says of itself. ``built`` is seconds since the epoch, ``networks`` 4 or 6 (6 holds both)."""

    type: str
    built: int
    networks: int
    description: str


class Database:
    """An open database file.

    Raises:
        DatabaseError: The package, or the file, is missing; or the file is no database.
    """

    def __init__(self, path: Path) -> None:
        try:
            from maxminddb import InvalidDatabaseError, open_database  # noqa: PLC0415 - an extra, not always there
        except ImportError:
            raise DatabaseError(MISSING_PACKAGE) from None
        try:
            self._reader: Reader = open_database(path)
        except OSError as error:
            raise DatabaseError(f"database {path}: {(error.strerror or str(error)).lower()}") from None
        except (InvalidDatabaseError, ValueError):
            raise DatabaseError(f"database {path} is no MaxMind DB, or a damaged one") from None
        meta = self._reader.metadata()
        description = meta.description.get("en") or next(iter(meta.description.values()), "")
        self.about = About(meta.database_type, meta.build_epoch, meta.ip_version, description)

    def find(self, address: Address) -> Found | None:
        """Return what the database holds about an address, None if that is nothing.

        Raises:
            maxminddb.InvalidDatabaseError: The file is damaged at that place.
        """
        if address.version > self.about.networks:
            return None
        record, bits = self._reader.get_with_prefix_len(str(address))
        if record is None:
            return None
        if address.version == 4 and bits > 32:  # counted within ::/96, where IPv6 databases keep IPv4
            bits -= 96
        return Found(address, record, bits)

    def first(self) -> Address | None:
        """Return the first address that the database holds, None if it holds none."""
        network = next((network for network, _ in self._reader), None)
        return None if network is None else parse_address(str(network[0]))

    def close(self) -> None:
        """Let the file go."""
        self._reader.close()


class WatchedDatabase:
    """A database by its path. ``current`` is what is open, None as long as there is none.

    Args:
        path: The file.
        required: Raise DatabaseError if it cannot be opened now; else wait for it to come.

    A file that cannot be read takes the place of no good one. One that is gone ends what is open if it is not
    ``required``: somebody removed it.
    """

    def __init__(self, path: Path, *, required: bool) -> None:
        self.path, self._required = path, required
        self._seen = self._stat()
        self.current: Database | None = Database(path) if required else self._open() if self._seen else None

    def look(self) -> bool:
        """Open the file again if it changed; return whether ``current`` is another than before."""
        seen = self._stat()
        if seen == self._seen:
            return False
        self._seen = seen
        if seen is None and not self._required:
            gone, self.current = self.current, None
            return gone is not None
        opened = self._open()
        if opened is None:
            return False
        self.current = opened
        log.info("geoip database opened", path=self.path, type=opened.about.type)
        return True

    def _open(self) -> Database | None:
        try:
            return Database(self.path)
        except DatabaseError as error:
            log.warning("this geoip database cannot be used", error=error)
            return None

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
