"""The process that seals: it looks for what is due in all indices, again and again. See ``index_sealer`` for the steps.

One process seals; writers and readers carry on meanwhile.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ingestd.files import locked_file
from ingestd.logs import get_logger
from ingestd.stores.base import StoreError, disk_error
from ingestd.stores.local.files.index_folder import remove_deleted
from ingestd.stores.local.files.index_sealer import SCRATCH, IndexSealer, NewFile, Policy
from ingestd.stores.local.files.layout import IndexFolder, index_folders
from ingestd.stores.local.files.parquet import parquet_writer
from ingestd.stores.local.files.sealed_files import KnownFaults

log = get_logger(__name__)

__all__ = ["NewFile", "Policy", "SealingError", "run", "seal_once"]

_LOCK = ".sealer.lock"


def run(root: Path, stop: threading.Event, *, interval_s: float = 30, policy: Policy | None = None) -> None:
    """Seal until ``stop`` is set. Meant for a process of its own with low priority: a pass may take seconds.

    An index that cannot be sealed, for instance because the disk is full, is logged and retried.
    """
    reported: dict[str, str] = {}
    known_faults = KnownFaults()
    while not stop.is_set():
        errors: dict[str, str] = {}
        new_files: Sequence[NewFile] = ()
        try:
            new_files = seal_once(root, policy, stop, known_faults)
        except SealingError as error:
            errors, new_files = {index: str(failure) for index, failure in error.failures.items()}, error.new_files
        except StoreError as error:
            errors = {"": str(error)}
        for new in new_files:
            log.info("sealed", index=new.index, file=new.file, sources=len(new.sources), events=new.events)
        for index, text in errors.items():
            if reported.get(index) != text:  # not again at each pass
                log.error("an index cannot be sealed; its files stay as they are", index=index, root=root, error=text)
        reported = errors
        stop.wait(interval_s)


class SealingError(StoreError):
    """Some indices could not be sealed or merged in full; the text is the first reason.

    ``failures``: why, by index. ``new_files``: what was sealed and merged all the same.
    """

    def __init__(self, failures: Mapping[str, StoreError], new_files: Sequence[NewFile]) -> None:
        super().__init__(str(next(iter(failures.values()))))
        self.failures, self.new_files = failures, new_files


def seal_once(
    root: Path,
    policy: Policy | None = None,
    stop: threading.Event | None = None,
    known_faults: KnownFaults | None = None,
) -> list[NewFile]:
    """Seal and merge whatever is due, index by index, and remove what an earlier crash left.

    If nothing is due, one file of an older version is written anew. ``stop`` ends the pass after the current file. An
    index that fails does not hold up the others. Files in ``known_faults`` are not read again; those that turn out to
    be damaged are added.

    Raises:
        SealingError: At least one index failed.
        StoreError: Another process seals, or the disk fails.
    """
    if not root.is_dir():
        return []
    new_files: list[NewFile] = []
    errors: dict[str, StoreError] = {}
    policy, known_faults = policy or Policy(), known_faults or KnownFaults()
    with _locked(root), parquet_writer(root / SCRATCH / "spill", policy.memory_bytes) as parquet:

        def open_index(folder: IndexFolder) -> IndexSealer:
            return IndexSealer(root, folder, policy, known_faults, parquet)

        remove_deleted(root)
        for new_file in _each(root, open_index, errors, IndexSealer.seal):
            new_files.append(new_file)
            if stop is not None and stop.is_set():
                return new_files
        if not new_files:
            rewritten = _each(root, open_index, errors, IndexSealer.rewrite)
            new_files += itertools.islice(rewritten, 1)
    if errors:
        raise SealingError(errors, new_files)
    return new_files


def _each(
    root: Path,
    open_index: Callable[[IndexFolder], IndexSealer],
    errors: dict[str, StoreError],
    step: Callable[[IndexSealer], Iterator[NewFile]],
) -> Iterator[NewFile]:
    """Do a step for each index, newest day first; why one failed is in ``errors`` then."""
    for folder in reversed(index_folders(root)):
        try:
            with open_index(folder) as index:
                yield from step(index)
        except FileNotFoundError:
            continue  # deleted meanwhile
        except OSError as error:
            errors[folder.index] = disk_error(error, f"cannot seal {error.filename or folder.index}")
        except StoreError as error:
            errors[folder.index] = error


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the lock of the sealer, with an empty scratch folder."""
    try:
        with locked_file(root / _LOCK, StoreError(f"another process seals {root}")):
            scratch = root / SCRATCH
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(mode=0o750, exist_ok=True)
            try:
                yield
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise disk_error(error, "cannot seal the store") from error
