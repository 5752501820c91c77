"""``sealed.json``: the manifest of an index. Events count as sealed from the moment it is replaced.

It names the sealed files and, for each writer, the number up to which its append logs are in them. Any other file in
the folder - a sealed file it does not name, an append log with such a number - is not, or no longer, part of the index:
it is left over from a step that was interrupted or is still running. So a reader must list the append logs first and
then read the manifest; whatever was sealed in between is then in the manifest.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import msgspec
import orjson

from ingestd.decoders import decoder
from ingestd.stores.base import StoreError
from ingestd.stores.local.index.document_columns import Columns, are_valid
from ingestd.stores.local.index.layout import AppendLogName, append_logs_in

NAME = "sealed.json"
_FIRST_VERSION, _VERSION = 1, 2
"""In manifests of the first version all files have format 1."""

_CHECKSUM = re.compile(rb',\n  "checksum": "([0-9a-f]{64})"\n}\n\Z')
_SEALED = re.compile(r"sealed-\d{1,9}\.parquet")


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A Parquet file.

    Attributes:
        name: File name in the folder of the index.
        events: Number of events.
        untimed: Number of events without ``@timestamp``.
        first: Earliest ``@timestamp``, in microseconds since 1970; None if no event has one.
        last: Latest ``@timestamp``, likewise.
        bytes: Size of the file.
        raw_bytes: Size of the documents in it.
        columns: Fields that have columns, with their types. For a file of format 1, which has documents as text beside
            them, only the fields, in the order of their bits in ``not_text``.
        sha256: Checksum of the file in hexadecimal digits; empty for files of older versions.
        rest: The fields in its column ``rest``; None: any.
    """

    name: str
    events: int
    untimed: int
    first: int | None
    last: int | None
    bytes: int
    raw_bytes: int
    columns: tuple[str, ...] | dict[str, Any]
    sha256: str = ""
    rest: tuple[str, ...] | None = ()


class DamagedManifestError(StoreError):
    """A manifest cannot be read, or names files that it must not name."""


def number_of(name: str) -> int:
    """Return the number in the name of a sealed file."""
    return int(name[len("sealed-") : -len(".parquet")])


def is_sealed_name(name: str) -> bool:
    """Return whether a file name is that of a sealed file: never a path, so never outside of the index folder."""
    return _SEALED.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Manifest:
    """``sealed``: highest number of a sealed append log, by writer. ``next``: number in the next file's name."""

    files: tuple[SealedFile, ...] = ()
    sealed: Mapping[str, int] = field(default_factory=dict)
    next: int = 1
    version: int = _FIRST_VERSION

    def holds(self, append_log: AppendLogName) -> bool:
        """Return whether an append log is sealed."""
        return append_log.number <= self.sealed.get(append_log.writer, 0)

    def newest_columns(self) -> Columns | None:
        """Return the columns of the file that was written last; None if it, or any, has format 1."""
        columns = self.files[-1].columns if self.files else ()
        return columns if isinstance(columns, dict) else None


class _Version(msgspec.Struct):
    """What manifests of all versions have in common."""

    version: int = _FIRST_VERSION


_KEYS = {entry.name for entry in fields(Manifest)}
_FILE_KEYS = {entry.name for entry in fields(SealedFile)}
_NEW_FILE_KEYS = {"sha256", "rest"}


def load(folder: Path | int) -> Manifest:
    """Return the manifest of an index folder (path or descriptor); an empty one if nothing is sealed yet.

    Raises:
        OSError: It cannot be read.
        DamagedManifestError: It is damaged.
        StoreError: It was written by a newer version.
    """
    dir_fd = folder if isinstance(folder, int) else None
    path = NAME if isinstance(folder, int) else folder / NAME
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=dir_fd)
    except FileNotFoundError:
        return Manifest()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DamagedManifestError(f"{path} cannot be read: it is a symbolic link") from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise DamagedManifestError(f"{path} cannot be read: it is not a file")
        with os.fdopen(fd, "rb", closefd=False) as file:
            return decode(file.read(), path)
    finally:
        os.close(fd)


def decode(body: bytes, path: Path | str) -> Manifest:
    """Parse a manifest, the content of the file ``path``; see `load` for what it raises."""
    checksum = _CHECKSUM.search(body)
    if checksum and hashlib.sha256(body[: checksum.start()]).hexdigest() != checksum[1].decode():
        raise DamagedManifestError(f"{path} is damaged: it does not have its checksum")
    try:
        version = decoder(_Version).decode(body).version
        if version > _VERSION:  # whatever it has else may mean something else
            raise StoreError(f"{path} was written by a newer version of ingestd: its format is {version}")
        manifest = decoder(Manifest).decode(body)
        reason = "" if checksum else _fault(msgspec.json.decode(body), manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedManifestError(f"{path} cannot be read: {error}") from error
    if reason:
        raise DamagedManifestError(f"{path} is damaged: {reason}")
    if manifest.version < _FIRST_VERSION:
        raise DamagedManifestError(f"{path} is damaged: there is no format {manifest.version}")
    if invalid := [file.name for file in manifest.files if not is_sealed_name(file.name)]:
        raise DamagedManifestError(f"{path} names {invalid[0]!r}, which is not a sealed file of this index")
    if damaged := [
        file.name for file in manifest.files if isinstance(file.columns, dict) and not are_valid(file.columns)
    ]:
        raise DamagedManifestError(f"{path} is damaged: its entry for the columns of {damaged[0]} is impossible")
    return manifest


def _fault(found: dict[str, Any], manifest: Manifest) -> str:
    """Return what is wrong with a manifest without a checksum, as older versions wrote it; empty if nothing is."""
    if wrong := found.keys() ^ _KEYS:
        return f"its key {min(wrong)!r} is unknown or missing"
    for file in found["files"]:
        if wrong := (file.keys() | _NEW_FILE_KEYS) ^ _FILE_KEYS:
            return f"the key {min(wrong)!r} of a file is unknown or missing"
    names = {file.name for file in manifest.files}
    if len(names) < len(manifest.files):
        return "it names a file twice"
    used = max((number_of(file.name) for file in manifest.files if is_sealed_name(file.name)), default=0)
    return "" if manifest.next > used else f"its next number, {manifest.next}, is that of a file it names"


def encode(manifest: Manifest) -> bytes:
    """Return a manifest as JSON; its last key is the checksum of everything before it."""
    if any(isinstance(file.columns, dict) for file in manifest.files):
        manifest = replace(manifest, version=max(manifest.version, _VERSION))
    body = orjson.dumps(manifest, option=orjson.OPT_INDENT_2).removesuffix(b"\n}")
    return body + b',\n  "checksum": "%b"\n}\n' % hashlib.sha256(body).hexdigest().encode()


def contents(folder: Path) -> tuple[list[AppendLogName], Manifest]:
    """Return what makes up an index: its append logs that are not sealed, and its manifest.

    Raises:
        OSError: The folder cannot be read.
        StoreError: See `load`.
    """
    append_logs = append_logs_in(folder)  # first: see above
    manifest = load(folder)
    return [append_log for append_log in append_logs if not manifest.holds(append_log)], manifest
