"""The folders of the journals, one for each worker process, ``<data dir>/journal/<worker>/``.

A copy of the positions of each is in ``<data dir>/ledger/<worker>/``: it shows that a journal, or its positions, was
deleted with events that were not delivered.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ingestd.names import journal_name, parse_journal_name


def journal_folder(data_dir: Path, name: str) -> Path:
    """Return the folder of a journal; ``name`` comes from ``journal_name``, anything else raises ValueError."""
    if (found := parse_journal_name(name)) is None or journal_name(*found) != name:
        raise ValueError(f"{name!r} is not the name of a journal")
    return data_dir / "journal" / name


def copy_folder(journal: Path) -> Path:
    """Return the folder with the copy of the positions of a journal, given its folder."""
    return journal.parents[1] / "ledger" / journal.name


def journal_folders(data_dir: Path) -> list[Path]:
    """Return the folders of all journals, including those of former workers, and those deleted. Raises OSError."""
    root = data_dir / "journal"
    names = {path.name for folder in (root, data_dir / "ledger") if folder.is_dir() for path in _folders(folder)}
    return [root / name for name in sorted(names)]


def _folders(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_dir())
