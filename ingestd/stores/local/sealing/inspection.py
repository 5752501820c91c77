"""Counting what the files of an index really hold, whatever its manifest says."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ingestd.stores.base import StoreError
from ingestd.stores.local.append_logs.append_log import count_bytes
from ingestd.stores.local.duckdb.session import UnreadableError
from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.layout import IndexFolder
from ingestd.stores.local.index.sealed_files import MISSING, fault, log_fault, sha256
from ingestd.stores.local.sealing.parquet import parquet_writer
from ingestd.stores.local.sealing.parquet_reader import ParquetReader

_MEMORY_BYTES = 384 << 20
_ATTEMPTS = 20


@dataclass(slots=True)
class Inspected:
    """What the files of an index hold. ``events``: those that can be read. ``repeated``: those with an id seen before.

    ``faults``: what is wrong, in sentences that name the files.
    """

    events: int = 0
    repeated: int = 0
    faults: list[str] = field(default_factory=list)


Inspect = Callable[[IndexFolder, int | None], Inspected]
"""Inspects an index; the number is how many events it should have, None: unknown."""


@contextmanager
def inspector(*, deep: bool) -> Iterator[Inspect]:
    """Yield the function that inspects an index.

    It counts the rows of sealed files and the lines of append logs. ``deep``: it also compares sealed files with their
    checksums, or reads all of those that have none. Ids are compared if ``deep``, and if an index has more events than
    it should.
    """
    with tempfile.TemporaryDirectory() as spill, parquet_writer(Path(spill), _MEMORY_BYTES) as parquet:

        def inspect(folder: IndexFolder, expected: int | None) -> Inspected:
            for _ in range(_ATTEMPTS):
                found, files = _inspect(folder.path, parquet, deep=deep)
                if not any(MISSING in text for text in found.faults) or _files_of(folder.path) == files:
                    break  # else files were merged meanwhile
            if deep or (expected is not None and found.events > expected):
                try:
                    found.repeated = parquet.count_repeated(*_readable(folder.path))
                except UnreadableError as error:
                    found.faults.append(str(error))
            return found

        yield inspect


Files = tuple[list[Path], manifest.Manifest] | None
"""The append logs and the manifest of an index; None: the manifest cannot be read."""


def _files_of(folder: Path) -> Files:
    try:
        append_logs, sealed = manifest.contents(folder)
    except (OSError, StoreError):
        return None
    return [folder / str(append_log) for append_log in append_logs], sealed


def _inspect(folder: Path, parquet: ParquetReader, *, deep: bool) -> tuple[Inspected, Files]:
    found = Inspected()
    files = _files_of(folder)
    if files is None:
        found.faults.append(f"{manifest.NAME} cannot be read")
        return found, None
    append_logs, sealed = files
    for file in sealed.files:
        reason = fault(folder, file) or _fault_inside(folder / file.name, file, parquet, deep=deep)
        if reason:
            found.faults.append(f"{file.name} {reason}: {file.events:,} events are missing")
        else:
            found.events += file.events
    for append_log in append_logs:
        if reason := log_fault(append_log):
            found.faults.append(f"{append_log.name} {reason}: its events are missing")
            continue
        try:
            found.events += count_bytes(append_log, b"\n")
        except FileNotFoundError:
            found.faults.append(f"{append_log.name} {MISSING}")  # sealed meanwhile
    return found, files


def _fault_inside(path: Path, file: manifest.SealedFile, parquet: ParquetReader, *, deep: bool) -> str:
    try:
        if deep and file.sha256:
            return "" if sha256(path) == file.sha256 else "does not have its checksum"
        events = parquet.read_all(path).stats.events if deep else parquet.count_rows([path])
    except (UnreadableError, OSError) as error:
        return f"is damaged ({error})"
    return "" if events == file.events else f"has {events:,} events, not {file.events:,}"


def _readable(folder: Path) -> tuple[Sequence[Path], Sequence[Path]]:
    """Return the append logs and sealed files of an index, without those that are not sound."""
    files = _files_of(folder)
    if files is None:
        return [], []
    append_logs, sealed = files
    return (
        [append_log for append_log in append_logs if not log_fault(append_log)],
        [folder / file.name for file in sealed.files if not fault(folder, file)],
    )
