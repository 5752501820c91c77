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
from ingestd.stores.base import StoreError, StoreFullError, disk_error
from ingestd.stores.local.index.index_folder import remove_deleted
from ingestd.stores.local.index.layout import IndexFolder, index_folders
from ingestd.stores.local.index.sealed_files import KnownFaults
from ingestd.stores.local.sealing import sealing_errors
from ingestd.stores.local.sealing.index_sealer import SCRATCH, DamagedFilesError, IndexSealer, NewFile, Policy
from ingestd.stores.local.sealing.parquet import parquet_writer
from ingestd.stores.local.sealing.sealing_retries import Retries

log = get_logger(__name__)

__all__ = ["NewFile", "Policy", "SealingError", "run", "seal_once"]

_LOCK = ".sealer.lock"


def run(
    root: Path,
    stop: threading.Event,
    *,
    interval_s: float = 30,
    policy: Policy | None = None,
    on_errors: Callable[[Mapping[str, str]], None] = lambda _: None,
) -> None:
    """Seal until ``stop`` is set. Meant for a process of its own with low priority: a pass may take seconds.

    An index that cannot be sealed, for instance because the disk is full, is logged once, and tried again after a pause
    that doubles each time. ``on_errors`` is called after each pass with the reasons, by index; the index is empty if
    nothing could be sealed.
    """
    reported: dict[str, str] = {}
    sealing_errors.save(root, {})  # those of an earlier process
    known_faults, retries = KnownFaults(), Retries()
    while not stop.is_set():
        errors: dict[str, str] = {}
        new_files: Sequence[NewFile] = ()
        try:
            new_files = seal_once(root, policy, stop, known_faults, retries)
        except SealingError as error:
            errors, new_files = {index: str(failure) for index, failure in error.failures.items()}, error.new_files
        except StoreError as error:
            errors = {"": str(error)}
        for new in new_files:
            log.info("sealed", index=new.index, file=new.file, sources=len(new.sources), events=new.events)
        if errors != reported:
            _report(root, errors, reported)
        reported = errors
        on_errors(errors)
        stop.wait(interval_s)


def _report(root: Path, errors: Mapping[str, str], reported: Mapping[str, str]) -> None:
    """Log the errors that are new, and the indices whose error is gone; note them for ``ingestd doctor``."""
    sealing_errors.save(root, errors)
    for index, text in errors.items():
        if reported.get(index) != text:  # not again at each pass
            log.error("an index cannot be sealed; its files stay as they are", index=index, root=root, error=text)
    for index in reported.keys() - errors.keys():
        log.info("an index that could not be sealed can be sealed again", index=index, root=root)


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
    retries: Retries | None = None,
) -> list[NewFile]:
    """Seal and merge whatever is due, index by index, and remove what an earlier crash left.

    If nothing is due, one file of an older version is rewritten. ``stop`` ends the pass after the current file. An
    index that fails does not hold up the others. Files in ``known_faults`` are not read again; those that turn out to
    be damaged are added. What failed is in ``retries``, and not tried again before its time.

    Raises:
        SealingError: At least one index failed.
        StoreError: Another process seals, or the disk fails.
    """
    if not root.is_dir():
        return []
    new_files: list[NewFile] = []
    damaged: dict[str, StoreError] = {}
    policy, known_faults, retries = policy or Policy(), known_faults or KnownFaults(), retries or Retries()
    with _locked(root), parquet_writer(root / SCRATCH / "spill", policy.memory_bytes) as parquet:

        def open_index(folder: IndexFolder) -> IndexSealer:
            return IndexSealer(root, folder, policy, known_faults, parquet)

        remove_deleted(root)
        for new_file in _each(root, open_index, damaged, retries, IndexSealer.seal):
            new_files.append(new_file)
            if stop is not None and stop.is_set():
                return new_files
        if not new_files:
            rewritten = _each(root, open_index, damaged, retries, IndexSealer.rewrite)
            new_files += itertools.islice(rewritten, 1)
    if errors := damaged | retries.errors({folder.index for folder in index_folders(root)}):
        raise SealingError(errors, new_files)
    return new_files


def _unless_deleted(index: IndexSealer, step: Callable[[IndexSealer], Iterator[NewFile]]) -> Iterator[NewFile]:
    """Do a step for an index; if it fails because the index is deleted meanwhile, that is its end."""
    try:
        yield from step(index)
    except StoreError:
        if not index.is_deleted():
            raise


def _each(
    root: Path,
    open_index: Callable[[IndexFolder], IndexSealer],
    damaged: dict[str, StoreError],
    retries: Retries,
    step: Callable[[IndexSealer], Iterator[NewFile]],
) -> Iterator[NewFile]:
    """Do a step for each index, newest day first; why one failed is in ``damaged`` or ``retries`` then."""
    name = step.__name__
    for folder in reversed(index_folders(root)):
        error = retries.waiting(name, folder.index)
        if error is None:
            try:
                with open_index(folder) as index:
                    for new_file in _unless_deleted(index, step):
                        retries.succeeded(name, folder.index)
                        yield new_file
            except FileNotFoundError:
                continue  # deleted meanwhile
            except DamagedFilesError as found:  # all else that was due is done
                damaged[folder.index] = found
            except OSError as found:
                error = disk_error(found, f"cannot seal {found.filename or folder.index}")
            except StoreError as found:
                error = found
            if error is None:
                retries.succeeded(name, folder.index)
            else:
                retries.failed(name, folder.index, error)
        if isinstance(error, StoreFullError) and step is IndexSealer.rewrite:
            return  # there is no space for the others either


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
