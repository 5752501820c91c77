"""The folder of an index as a whole: its UUID, its deletion, and replacing it by another one.

Deletion renames the folder to a hidden name first: the index is gone at once and as a whole, and a writer that had an
append log open there creates the index again. Then the files are unlinked; queries that have them open continue, others
list the files again. What a crash leaves hidden is removed by the sealer.

Replacing is one step on Linux's usual file systems: renameat2(2) with RENAME_EXCHANGE. Elsewhere it takes renames, and
a process killed between them leaves the old folder without its name, ``.old`` after it, until `undo_swap`.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import time
from pathlib import Path

import msgspec

from ingestd.decoders import decoder
from ingestd.files import rename_synced, sync_folder, write_atomic
from ingestd.stores.base import InvalidIndexError, StoreError, disk_error
from ingestd.stores.index_names import check_index

METADATA_NAME = "origin.json"

_DELETED_PREFIX = ".deleted-"
_SWAP_SUFFIX = ".old"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class IndexMetadata(msgspec.Struct, frozen=True):
    """What ``origin.json`` holds.

    ``uuid`` (hexadecimal digits) distinguishes an index from an earlier one with the same name and stays the same when
    the index is restored. ``restored``: when that was, None if never. ``restored_from``: the index whose backup it is,
    if it was restored under another name.
    """

    uuid: str = msgspec.field(name="id")
    restored: datetime.datetime | None = None
    restored_from: str = ""


def new_uuid() -> str:
    """Return a UUID for a new index."""
    return os.urandom(8).hex()


def read_metadata(folder: Path) -> IndexMetadata | None:
    """Return the metadata of an index, None if it has none yet or does not exist."""
    try:
        return decoder(IndexMetadata).decode((folder / METADATA_NAME).read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None  # damaged or unreadable: treated as missing, so the index is backed up once more


def write_metadata(folder: Path, metadata: IndexMetadata) -> None:
    """Write the metadata of an index.

    Raises:
        StoreError: The disk fails.
    """
    try:
        write_atomic(folder / METADATA_NAME, msgspec.json.encode(metadata))
    except OSError as error:
        raise disk_error(error, f"cannot write {folder / METADATA_NAME}") from error


def ensure_metadata(folder: Path) -> IndexMetadata:
    """Return the metadata of an index, created if missing.

    Raises:
        StoreError: The disk fails, or the index does not exist.
    """
    metadata = read_metadata(folder)
    if metadata is None:
        metadata = IndexMetadata(new_uuid())
        write_metadata(folder, metadata)
    return metadata


def delete_index(root: Path, index: str) -> None:
    """Delete an index; nothing happens if it does not exist.

    Raises:
        StoreError: The disk fails.
    """
    with contextlib.suppress(InvalidIndexError, FileNotFoundError):
        check_index(index)
        try:
            hidden = root / f"{_DELETED_PREFIX}{time.time_ns()}-{os.getpid()}"
            rename_synced(root / index, hidden)
            _remove_folder(hidden)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(f"cannot delete index {index!r}: {error.strerror or error}") from error


def remove_deleted(root: Path) -> None:
    """Remove what is left of interrupted deletions."""
    for path in root.glob(_DELETED_PREFIX + "*"):
        _remove_folder(path)


def _remove_folder(folder: Path) -> None:
    """Remove a hidden folder. A file that a writer creates there meanwhile is removed now or by the next pass."""
    shutil.rmtree(folder, ignore_errors=True)


def replace_index(new: Path, folder: Path) -> None:
    """Give a finished folder the name of an index; an index with that name is replaced without a gap, and deleted.

    Raises:
        OSError: The disk fails.
    """
    sync_folder(new)
    if folder.exists():
        swap(new, folder)
        sync_folder(folder.parent)
        shutil.rmtree(new, ignore_errors=True)
    else:
        rename_synced(new, folder)


def swap(first: Path, second: Path) -> None:
    """Exchange the names of two folders on one disk.

    Raises:
        OSError: The disk fails.
    """
    if _swap_atomically(first, second):
        return
    old = first.with_name(first.name + _SWAP_SUFFIX)
    second.rename(old)
    first.rename(second)
    old.rename(first)


def undo_swap(work_folder: Path, root: Path) -> None:
    """After a `swap` in ``work_folder`` that was interrupted, give the old index its name in ``root`` back."""
    for old in work_folder.glob("*" + _SWAP_SUFFIX):
        with contextlib.suppress(OSError):  # an index with that name exists by now
            old.rename(root / old.name.removesuffix(_SWAP_SUFFIX))


def _swap_atomically(first: Path, second: Path) -> bool:
    """Return whether the kernel did it. Its errors are ignored: the renames that follow fail for the same reasons."""
    import ctypes  # noqa: PLC0415 -- rarely needed

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    result: int = rename(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
    return result == 0
