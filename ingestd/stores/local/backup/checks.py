"""Whether the files of an index hold what its manifest says: before a backup stores them, and before one is restored.

A file with a checksum is compared with that while it is read anyway. Files of older versions have none in the manifest;
of these every event is read.
"""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ingestd.stores.backups import BackupError
from ingestd.stores.base import StoreError, StoreFullError
from ingestd.stores.local.backup.archive import BackupManifest
from ingestd.stores.local.backup.hard_link_snapshot import HardLinkSnapshot, SnapshotFile
from ingestd.stores.local.files import manifest
from ingestd.stores.local.files.append_log import count_bytes
from ingestd.stores.local.files.manifest import is_sealed_name
from ingestd.stores.local.files.parquet import ParquetWriter, parquet_writer

_MEMORY_BYTES = 384 << 20
_HINT = "an earlier backup may have it whole: ingestd restore --overwrite"


def check_source(links: HardLinkSnapshot, index: str) -> None:
    """Check the files of an index that is to be backed up, but for the checksums, which are compared on the way.

    Raises:
        BackupError: A file is damaged; the text names it.
    """
    reasons = [reason for file in links.files if (reason := _fault(file))]
    unproven = [file for file in links.files if is_sealed_name(file.path.name) and not file.sha256]
    if not reasons:
        reasons = _read([(file.path, file.events or 0) for file in unproven])
    if reasons:
        raise BackupError(f"index {index} is damaged, so it is not backed up: {'; '.join(reasons)}; {_HINT}")


def _fault(file: SnapshotFile) -> str:
    found = file.path.lstat()
    if not stat.S_ISREG(found.st_mode):
        return f"{file.path.name} is not a regular file"
    if found.st_size < file.size or (is_sealed_name(file.path.name) and found.st_size > file.size):
        return f"{file.path.name} has {found.st_size:,} bytes, not {file.size:,}"
    if file.events is None and count_bytes(file.path, b"\0"):
        return f"{file.path.name} has zero bytes, as a disk fault leaves them"
    return ""


def check_restored(folder: Path, backup: BackupManifest, name: str) -> None:
    """Check the downloaded files of a backup, whose checksums are right: an older version may have stored damaged ones.

    Raises:
        BackupError: A file is damaged, or the index's manifest names other files than those of the backup.
    """
    archived = {file.name: file.events for file in backup.files}
    try:
        sealed = manifest.load(folder)
    except (StoreError, OSError) as error:
        raise BackupError(f"the backup {name} is damaged: {error}") from None
    listed = {file.name: file.events for file in sealed.files}
    stored = {file_name: events for file_name, events in archived.items() if is_sealed_name(file_name)}
    if listed != stored:
        raise BackupError(f"the backup {name} is damaged: {manifest.NAME} names other files or events than the backup")
    reasons = [] if backup.proven else _read([(folder / file_name, events) for file_name, events in listed.items()])
    if reasons:
        raise BackupError(f"the backup {name} is damaged: {'; '.join(reasons)}")


def _read(files: Sequence[tuple[Path, int]]) -> list[str]:
    """Read every event of sealed files; return what is wrong with them. Raises StoreFullError."""
    if not files:
        return []
    reasons = []
    with tempfile.TemporaryDirectory() as spill, parquet_writer(Path(spill), _MEMORY_BYTES) as parquet:
        for path, events in files:
            try:
                reason = _difference(parquet, path, events)
            except StoreFullError:
                raise
            except StoreError as error:
                reason = str(error)
            reasons += [f"{path.name}: {reason}"] if reason else []
    return reasons


def _difference(parquet: ParquetWriter, path: Path, events: int) -> str:
    found = parquet.read_all(path).stats.events
    return "" if found == events else f"it has {found:,} events, not {events:,}"
