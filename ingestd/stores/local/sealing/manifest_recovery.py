"""Making the manifest of an index from its sealed files, when it is damaged or missing.

Each sealed file says in its footer which append logs were sealed when it was written and which files it replaces. So
the files that a merge left behind do not count twice, and append logs that were sealed do not either. Of files that
older versions wrote, all count; the ids files say which append logs are in them. An
append log whose lines are in no sealed file is not sealed, whatever its number.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ingestd.stores.base import StoreFullError
from ingestd.stores.local.append_logs.last_ids import numbers_in
from ingestd.stores.local.duckdb.session import UnreadableError
from ingestd.stores.local.index.layout import append_logs_in
from ingestd.stores.local.index.manifest import Manifest, SealedFile, is_sealed_name, number_of
from ingestd.stores.local.index.sealed_files import sha256
from ingestd.stores.local.sealing.parquet_reader import ParquetReader
from ingestd.stores.local.sealing.sealed_content import SealedContent


class Recovered(NamedTuple):
    """A manifest, and why some sealed files are not in it, by name."""

    manifest: Manifest
    unreadable: dict[str, str]


def has_sealed_files(names: list[str]) -> bool:
    """Return whether something in an index folder shows that it had a manifest, or nearly had one."""
    return any(is_sealed_name(name) for name in names)


def recover(folder: Path, parquet: ParquetReader) -> Recovered:
    """Return a manifest of all sealed files in a folder that can be read in full.

    Raises:
        OSError: The disk fails.
        StoreFullError: There is no space to read them.
    """
    names = sorted(name for name in os.listdir(folder) if is_sealed_name(name))  # noqa: PTH208 - names are wanted
    contents: dict[str, SealedContent] = {}
    unreadable: dict[str, str] = {}
    for name in names:
        try:
            contents[name] = parquet.read_all(folder / name)
        except StoreFullError:
            raise
        except (UnreadableError, OSError) as error:
            unreadable[name] = str(error)
    footers = [content.footer for content in contents.values() if content.footer is not None]
    replaced = {name for footer in footers for name in footer.merged}
    sealed: dict[str, int] = {}
    for footer in footers:
        _raise_to(sealed, footer.sealed)
    if len(footers) < len(names):
        _raise_to(sealed, numbers_in(folder))
    files = tuple(entry_of(folder / name, content) for name, content in contents.items() if name not in replaced)
    for append_log in append_logs_in(folder):
        if append_log.number <= sealed.get(append_log.writer, 0) and parquet.count_unsealed(
            folder / str(append_log), [folder / file.name for file in files]
        ):
            sealed[append_log.writer] = append_log.number - 1  # a writer that knew of no number has started over
    highest = max(map(number_of, names), default=0)
    return Recovered(Manifest(files, sealed, highest + 1), unreadable)


def _raise_to(sealed: dict[str, int], numbers: Mapping[str, int]) -> None:
    for writer, number in numbers.items():
        sealed[writer] = max(number, sealed.get(writer, 0))


def entry_of(path: Path, content: SealedContent) -> SealedFile:
    """Return what a manifest should say of a sealed file, given what was found by reading it. Raises OSError."""
    stats = content.stats
    return SealedFile(
        path.name,
        stats.events,
        stats.untimed,
        stats.first,
        stats.last,
        path.stat().st_size,
        stats.raw_bytes,
        content.columns,
        sha256(path),
        content.rest,
    )
