"""Whether the files of an index hold what its manifest says: before a backup stores them, and before one is restored.

A file with a checksum is compared with that while it is read anyway. Files of older versions have none in the manifest;
of these every event is read, and all that the manifest says of them is compared.
"""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ingestd.files import write_atomic
from ingestd.logs import get_logger
from ingestd.stores.backups import BackupError
from ingestd.stores.base import StoreError, StoreFullError
from ingestd.stores.local.append_logs.append_log import count_bytes
from ingestd.stores.local.backup.archive import BackupManifest, NewerBackupError
from ingestd.stores.local.backup.hard_link_snapshot import HardLinkSnapshot, SnapshotFile
from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.manifest import DamagedManifestError, SealedFile, is_sealed_name
from ingestd.stores.local.sealing.manifest_recovery import entry_of
from ingestd.stores.local.sealing.parquet import parquet_writer

log = get_logger(__name__)

_MEMORY_BYTES = 384 << 20
_HINT = "an earlier backup may have it whole: ingestd restore --overwrite"
_WRONG_HINT = f"delete its {manifest.NAME}: the running daemon rebuilds it from the files"


def check_source(links: HardLinkSnapshot, index: str) -> None:
    """Check the files of an index that is to be backed up, but for the checksums, which are compared on the way.

    Raises:
        BackupError: A file is damaged; the text names it.
    """
    reasons = [reason for file in links.files if (reason := _fault(file))]
    hint = _HINT
    if not reasons and any(is_sealed_name(file.path.name) and not file.sha256 for file in links.files):
        folder = links.root / index
        read = _read(folder, [file for file in manifest.load(folder).files if not file.sha256])
        reasons, hint = (read.damaged, _HINT) if read.damaged else (read.wrong, _WRONG_HINT)
    if reasons:
        raise BackupError(f"index {index} is damaged, so it is not backed up: {'; '.join(reasons)}; {hint}")


def _fault(file: SnapshotFile) -> str:
    found = file.path.lstat()
    if not stat.S_ISREG(found.st_mode):
        return f"{file.path.name} is not a regular file"
    if found.st_size < file.size or (is_sealed_name(file.path.name) and found.st_size > file.size):
        return f"{file.path.name} has {found.st_size:,} bytes, not {file.size:,}"
    if file.events is None and count_bytes(file.path, b"\0"):
        return f"{file.path.name} has zero bytes, as a disk fault leaves them"
    return ""


def check_restored(folder: Path, backup: BackupManifest, name: str, *, repair: bool) -> None:
    """Check the downloaded files of a backup, whose checksums are right: an older version may have stored damaged ones.

    Args:
        folder: Where they are.
        backup: The manifest of the backup.
        name: Of the backup.
        repair: Make the manifest of the index right if all files are whole and only what it says of them is wrong.

    Raises:
        NewerBackupError: A newer version wrote the manifest of the index.
        BackupError: A file is damaged, or the index's manifest names other files than those of the backup.
    """
    archived = {file.name: file.events for file in backup.files}
    try:
        sealed = manifest.load(folder)
    except (DamagedManifestError, OSError) as error:
        raise BackupError(f"the backup {name} is damaged: {error}") from None
    except StoreError as error:
        raise NewerBackupError(f"the backup {name} cannot be read: {error}") from None
    listed = {file.name: file.events for file in sealed.files}
    stored = {file_name: events for file_name, events in archived.items() if is_sealed_name(file_name)}
    if listed != stored:
        raise BackupError(f"the backup {name} is damaged: {manifest.NAME} names other files or events than the backup")
    read = _read(folder, () if backup.proven else sealed.files)
    if read.damaged or (read.wrong and not repair):
        raise BackupError(f"the backup {name} is damaged: {'; '.join([*read.damaged, *read.wrong])}")
    if read.wrong:
        files = tuple(read.files.get(file.name, file) for file in sealed.files)
        write_atomic(folder / manifest.NAME, manifest.encode(replace(sealed, files=files)))
        text = "the manifest in a backup was wrong about its files; the restored one was made from the files"
        log.warning(text, backup=name, wrong="; ".join(read.wrong))


class _Read(NamedTuple):
    """What was found by reading sealed files.

    ``damaged``: why they do not have what they should have. ``wrong``: what else the manifest says of them that is not
    so. ``files``: what it should say.
    """

    damaged: list[str]
    wrong: list[str]
    files: dict[str, SealedFile]


def _read(folder: Path, files: Sequence[SealedFile]) -> _Read:
    """Read every event of sealed files. Raises StoreFullError."""
    result = _Read([], [], {})
    if not files:
        return result
    with tempfile.TemporaryDirectory() as spill, parquet_writer(Path(spill), _MEMORY_BYTES) as parquet:
        for file in files:
            try:
                found = entry_of(folder / file.name, parquet.read_all(folder / file.name))
            except StoreFullError:
                raise
            except StoreError as error:
                result.damaged.append(f"{file.name}: {error}")
                continue
            result.files[file.name] = found
            if found.events != file.events:
                result.damaged.append(f"{file.name}: it has {found.events:,} events, not {file.events:,}")
            result.wrong.extend(_differences(file, found))
    return result


def _differences(listed: SealedFile, found: SealedFile) -> list[str]:
    return [
        f"{listed.name}: its {name} is {getattr(found, name)!r}, not {getattr(listed, name)!r}"
        for name in ("untimed", "first", "last", "bytes", "raw_bytes", "columns", "rest")
        if getattr(found, name) != getattr(listed, name)
    ]
