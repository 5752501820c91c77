"""The layout of backups of the built-in store in a repository.

::

    logstash-2026.11.21/                                        an index
        files/<SHA-256>                                         its files, each stored once for all backups
        logstash-2026.11.21-20261122001000.<index UUID>.<events>.<bytes>.json     a backup: its manifest, written last

A manifest lists the files with their checksums and ends with its own checksum. Listing the keys is enough to know what
is backed up: no manifest has to be read for that.
"""

from __future__ import annotations

import datetime
import hashlib
import re

import msgspec

from ingestd.stores.backups import BackupError, Snapshot
from ingestd.stores.index_names import day_of

_NAME = re.compile(
    r"(?P<name>(?P<index>.+)-(?P<time>\d{14}))\.(?P<origin>[0-9a-f]+)\.(?P<events>\d+)\.(?P<bytes>\d+)\.json"
)


class ArchivedFile(msgspec.Struct, frozen=True):
    """A file in a backup."""

    name: str
    size: int
    sha256: str
    events: int


class Archive(msgspec.Struct, frozen=True):
    """The manifest of a backup."""

    index: str
    index_uuid: str = msgspec.field(name="origin")
    time: str
    files: tuple[ArchivedFile, ...]
    format: int = 1

    @property
    def events(self) -> int:
        """Number of events in the backup."""
        return sum(file.events for file in self.files)

    @property
    def bytes(self) -> int:
        """Size of its files in bytes."""
        return sum(file.size for file in self.files)


class _Checksummed(msgspec.Struct):
    manifest: msgspec.Raw
    sha256: str


def file_key(index: str, sha256: str) -> str:
    """Return the key of a file."""
    return f"{index}/files/{sha256}"


def manifest_key(name: str, archive: Archive) -> str:
    """Return the key of a manifest."""
    return f"{archive.index}/{name}.{archive.index_uuid}.{archive.events}.{archive.bytes}.json"


def snapshot_of(key: str) -> Snapshot | None:
    """Return the backup that the key of a manifest describes; None for any other key."""
    found = _NAME.fullmatch(key.rpartition("/")[2])
    if found is None:
        return None
    try:
        time = datetime.datetime.strptime(found["time"], "%Y%m%d%H%M%S").replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
    return Snapshot(
        name=found["name"],
        index=found["index"],
        day=day_of(found["index"]),
        state="success",
        events=int(found["events"]),
        bytes=int(found["bytes"]),
        started=time,
        index_uuid=found["origin"],
    )


def encode(archive: Archive) -> bytes:
    """Return a manifest as JSON, with its checksum."""
    body = msgspec.json.encode(archive)
    return msgspec.json.encode(_Checksummed(msgspec.Raw(body), hashlib.sha256(body).hexdigest()))


def decode(name: str, body: bytes) -> Archive:
    """Parse a manifest.

    Raises:
        BackupError: It is damaged, or from a newer version.
    """
    try:
        sealed = msgspec.json.decode(body, type=_Checksummed)
        if hashlib.sha256(sealed.manifest).hexdigest() != sealed.sha256:
            raise BackupError(f"the backup {name} is damaged: its manifest does not have its checksum")
        archive = msgspec.json.decode(sealed.manifest, type=Archive)
    except msgspec.MsgspecError:
        raise BackupError(f"the backup {name} is damaged: its manifest cannot be read") from None
    if wrong := next((file.name for file in archive.files if "/" in file.name or file.name in {"", ".", ".."}), None):
        raise BackupError(f"the backup {name} is damaged: {wrong!r} is not a file name")
    if archive.format != Archive.__struct_defaults__[-1]:
        raise BackupError(f"the backup {name} was made by a newer version of ingestd")
    return archive
