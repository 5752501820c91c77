"""Which index a folder is: told apart from an earlier one of the same name, and known again after a restore."""

from __future__ import annotations

import datetime
import secrets
from pathlib import Path

import msgspec

from ingestd.files import write_atomic
from ingestd.stores.local.files.append_log import store_error

NAME = "origin.json"


class Origin(msgspec.Struct, frozen=True):
    """``id``: hexadecimal digits; ``restored``: when the index was brought back, if it was."""

    id: str
    restored: datetime.datetime | None = None


def new_id() -> str:
    """Return the id of an index that is like no other."""
    return secrets.token_hex(8)


def read(folder: Path) -> Origin | None:
    """Return the origin of an index; None if it has none yet, or is not there."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Origin)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError:
        return None  # torn by a power cut: as good as none, it is backed up once more
    except OSError as error:
        raise store_error(error, f"cannot read {folder / NAME}") from error


def write(folder: Path, origin: Origin) -> None:
    """Note the origin of an index.

    Raises:
        StoreError: The disk refuses.
    """
    try:
        write_atomic(folder / NAME, msgspec.json.encode(origin))
    except OSError as error:
        raise store_error(error, f"cannot write {folder / NAME}") from error


def of(folder: Path) -> Origin:
    """Return the origin of an index; one that has none gets one.

    Raises:
        StoreError: The disk refuses, or the index is not there.
    """
    found = read(folder)
    if found is None:
        found = Origin(new_id())
        write(folder, found)
    return found
