"""The repositories of the built-in store: ``repositories.json`` in the data folder, without credentials."""

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
    return sorted(found, key=lambda repository: repository.name)


def save(data_dir: Path, repositories: list[Repository]) -> None:
    """Replace the list atomically and durably: retention deletes indices because these repositories have them.

    Raises:
        StoreError: The disk fails.
    """
    path = data_dir / _NAME
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        write_atomic(path, msgspec.json.format(msgspec.json.encode(repositories)))
    except OSError as error:
        raise disk_error(error, f"cannot write {path}") from error
