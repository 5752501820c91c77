"""One database file: opened, queried, and reopened when it is replaced.

The format is https://maxmind.github.io/MaxMind-DB/; the package ``maxminddb`` reads it. The file is mapped into
memory, so it must be replaced by a rename, as ``ingestd geoip install`` and MaxMind's ``geoipupdate`` do: truncating
it in place crashes every reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingestd.files import file_version
from ingestd.geoip.address import Address, parse_address
from ingestd.geoip.fields import LookupResult
from ingestd.geoip.setup import INSTALL_PACKAGE
from ingestd.logs import get_logger

if TYPE_CHECKING:
    from maxminddb import Reader

log = get_logger(__name__)

MISSING_PACKAGE = f"GeoIP needs the package maxminddb: {INSTALL_PACKAGE}"


class DatabaseError(ValueError):
    """A database cannot be read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class DatabaseMetadata:
    """Metadata in a database. ``built`` is in seconds since the epoch; ``networks`` is the IP version, 6 includes 4."""

    type: str
    built: int
    networks: int
    description: str


class Database:
    """An open database file.

    Raises:
        DatabaseError: The package or the file is missing, or the file is not a database.
    """

    def __init__(self, path: Path) -> None:
        try:
            from maxminddb import InvalidDatabaseError, open_database  # noqa: PLC0415 -- an optional extra
        except ImportError:
            raise DatabaseError(MISSING_PACKAGE) from None
        try:
            self._reader: Reader = open_database(path)
        except OSError as error:
            raise DatabaseError(f"database {path}: {(error.strerror or str(error)).lower()}") from None
        except (InvalidDatabaseError, ValueError):
            raise DatabaseError(f"database {path} is not a MaxMind DB, or it is damaged") from None
        meta = self._reader.metadata()
        description = meta.description.get("en") or next(iter(meta.description.values()), "")
        self.metadata = DatabaseMetadata(meta.database_type, meta.build_epoch, meta.ip_version, description)

    def find(self, address: Address) -> LookupResult | None:
        """Return the record of an address, None if there is none.

        Raises:
            maxminddb.InvalidDatabaseError: The file is damaged there.
        """
        if address.version > self.metadata.networks:
            return None
        record, bits = self._reader.get_with_prefix_len(str(address))
        if record is None:
            return None
        if address.version == 4 and bits > 32:  # counted within ::/96, where IPv6 databases keep IPv4
            bits -= 96
        return LookupResult(address, record, bits)

    def first(self) -> Address | None:
        """Return the first address in the database, None if it is empty."""
        network = next((network for network, _ in self._reader), None)
        return None if network is None else parse_address(str(network[0]))

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


class WatchedDatabase:
    """A database by its path. ``current`` is the open database, None while there is none.

    Args:
        path: The file.
        required: Raise DatabaseError if it cannot be opened now; otherwise it may appear later.

    A file that cannot be read does not replace a good database. If the file is removed, the database is closed
    unless it is ``required``.
    """

    def __init__(self, path: Path, *, required: bool) -> None:
        self.path, self._required = path, required
        self._seen = file_version(path)
        self.current: Database | None = Database(path) if required else self._open() if self._seen else None

    def refresh(self) -> bool:
        """Reopen the file if it changed; return whether ``current`` has changed."""
        seen = file_version(self.path)
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
        log.info("geoip database opened", path=self.path, type=opened.metadata.type)
        return True

    def _open(self) -> Database | None:
        try:
            return Database(self.path)
        except DatabaseError as error:
            log.warning("geoip database cannot be used", error=error)
            return None
