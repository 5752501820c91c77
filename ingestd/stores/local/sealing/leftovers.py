"""Files in the folder of an index that its manifest does not include: whether they may be removed.

A step of the sealer that was interrupted leaves such files: a new sealed file that the manifest does not name yet,
files that were merged, append logs that were sealed. All their events are in the index as well. Where that cannot be
shown, the manifest is wrong rather than the file superfluous.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ingestd.stores.local.append_logs.append_log import count_bytes
from ingestd.stores.local.duckdb.session import UnreadableError
from ingestd.stores.local.index.layout import AppendLogName, append_logs_in
from ingestd.stores.local.index.manifest import NAME, Manifest, is_sealed_name
from ingestd.stores.local.index.sealed_files import fault
from ingestd.stores.local.sealing.parquet_reader import ParquetReader


class Leftovers(NamedTuple):
    """File names: those whose events are all in the index; those of which that is not so, and why."""

    proven: list[str]
    unproven: dict[str, str]


def candidates(names: Sequence[str], manifest: Manifest) -> list[str]:
    """Return the sealed files that a manifest does not name, and the append logs that are sealed according to it."""
    named = {file.name for file in manifest.files}
    return sorted(
        name
        for name in names
        if (is_sealed_name(name) and name not in named)
        or ((append_log := AppendLogName.parse(name)) is not None and manifest.holds(append_log))
    )


def examine(folder: Path, manifest: Manifest, names: Sequence[str], parquet: ParquetReader) -> Leftovers:
    """Compare the `candidates` among the names of files in a folder with the events of the index.

    Raises:
        OSError: The disk fails.
        StoreFullError: There is no space to compare them.
    """
    leftovers = Leftovers([], {})
    if not (names := candidates(names, manifest)):
        return leftovers
    files = [folder / file.name for file in manifest.files if not fault(folder, file)]
    append_logs = [folder / str(found) for found in append_logs_in(folder) if not manifest.holds(found)]
    for name in names:
        try:
            reason = _reason(folder / name, append_logs, files, parquet)
        except FileNotFoundError:
            continue  # removed meanwhile
        except UnreadableError as error:
            reason = str(error)
        if reason:
            leftovers.unproven[name] = reason
        else:
            leftovers.proven.append(name)
    return leftovers


def _reason(path: Path, append_logs: Sequence[Path], files: Sequence[Path], parquet: ParquetReader) -> str:
    if is_sealed_name(path.name):
        path.lstat()
        count = parquet.count_missing(path, append_logs, files)
        return f"{NAME} does not name it, and {count:,} of its events are nowhere else" if count else ""
    if not path.stat().st_size:
        return ""
    if count := parquet.count_unsealed(path, files):
        return f"it is sealed according to {NAME}, but {count:,} of its events are in no sealed file"
    lines = count_bytes(path, b"\n")
    if lines != parquet.count_lines([path]) and not path.with_suffix(".unreadable").exists():
        return "some of its lines cannot be read"
    return ""
