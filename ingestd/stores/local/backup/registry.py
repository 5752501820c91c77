"""The repositories that the built-in store knows: ``repositories.json`` in the data folder. No credentials."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ingestd.files import write_atomic
from ingestd.stores.backups import BackupError, Repository
from ingestd.stores.base import disk_error

_NAME = "repositories.json"


def load(data_dir: Path) -> list[Repository]:
    """Return the repositories, by name.

    Raises:
        BackupError: The list cannot be read.
    """
    path = data_dir / _NAME
    try:
        found = msgspec.json.decode(path.read_bytes(), type=list[Repository])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError) as error:
        raise BackupError(f"{path} cannot be read: {error}") from None
    return sorted(found, key=lambda one: one.name)


def save(data_dir: Path, repositories: list[Repository]) -> None:
    """Write the list: after a crash it is the old or the new one. Durable, as retention relies on it.

    Raises:
        StoreError: The disk refuses.
    """
    path = data_dir / _NAME
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        write_atomic(path, msgspec.json.format(msgspec.json.encode(repositories)))
    except OSError as error:
        raise disk_error(error, f"cannot write {path}") from error
