"""Deleting an index while others read, write and seal it.

The folder gets a hidden name first: from that moment the index is gone at once and as a whole, and a writer that
had a tail of it open begins the index again. Then its files are unlinked; queries that have them open go on, others
list again. What a crash leaves hidden, the sealer removes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

from ingestd.files import rename_synced
from ingestd.stores.base import InvalidIndexError, StoreError
from ingestd.stores.local.files.layout import check_index

_PREFIX = ".deleted-"


def delete(root: Path, index: str) -> None:
    """Delete an index; nothing happens if it is not there.

    Raises:
        StoreError: The disk refuses.
    """
    with contextlib.suppress(InvalidIndexError, FileNotFoundError):
        check_index(index)
        try:
            hidden = root / f"{_PREFIX}{time.time_ns()}-{os.getpid()}"
            rename_synced(root / index, hidden)
            _remove(hidden)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(f"cannot delete index {index!r}: {error.strerror or error}") from error


def remove_hidden(root: Path) -> None:
    """Remove what deletions have left that did not come to their end."""
    for path in root.glob(_PREFIX + "*"):
        _remove(path)


def _remove(folder: Path) -> None:
    """Remove a hidden folder; what is still put into it meanwhile goes as well, at the latest the next time."""
    shutil.rmtree(folder, ignore_errors=True)
