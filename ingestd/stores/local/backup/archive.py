"""What a backup of the built-in store looks like in a repository.

::

    logstash-2026.11.21/                                        an index
        files/<SHA-256>                                         its files, each once, whichever backups they are in
        logstash-2026.11.21-20261122001000.<origin>.<events>.<bytes>.json     a backup: its manifest, written last

A manifest names the files with their checksums, and ends in one of its own. What the list of the names tells need
not be read: it is enough to know what is backed up.
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
    """A file of a backup."""

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
        """How many events the backup holds."""
        return sum(one.events for one in self.files)

    @property
    def bytes(self) -> int:
        """How many bytes its files have."""
        return sum(one.size for one in self.files)


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
    """Return what the key of a manifest tells; None if it is the key of something else."""
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
    """Return the text of a manifest."""
    body = msgspec.json.encode(archive)
    return msgspec.json.encode(_Checksummed(msgspec.Raw(body), hashlib.sha256(body).hexdigest()))


def decode(name: str, body: bytes) -> Archive:
    """Read a manifest.

    Raises:
        BackupError: It is damaged, or of a newer version.
    """
    try:
        sealed = msgspec.json.decode(body, type=_Checksummed)
        if hashlib.sha256(sealed.manifest).hexdigest() != sealed.sha256:
            raise BackupError(f"the backup {name} is damaged: its manifest does not have its checksum")
        archive = msgspec.json.decode(sealed.manifest, type=Archive)
    except msgspec.MsgspecError:
        raise BackupError(f"the backup {name} is damaged: its manifest cannot be read") from None
    if wrong := next((one.name for one in archive.files if "/" in one.name or one.name in {"", ".", ".."}), None):
        raise BackupError(f"the backup {name} is damaged: {wrong!r} is no name of a file")
    if archive.format != Archive.__struct_defaults__[-1]:
        raise BackupError(f"the backup {name} was made by a newer version of ingestd")
    return archive
