"""The folders of the journals, one for each worker process, ``<data dir>/journal/<worker>/``."""

from __future__ import annotations

from pathlib import Path

from ingestd.names import journal_name, parse_journal_name


def journal_folder(data_dir: Path, name: str) -> Path:
    """Return the folder of a journal; ``name`` comes from ``journal_name``, anything else raises ValueError."""
    if (found := parse_journal_name(name)) is None or journal_name(*found) != name:
        raise ValueError(f"{name!r} is not the name of a journal")
    return data_dir / "journal" / name


def journal_folders(data_dir: Path) -> list[Path]:
    """Return the folders of all journals, including those of former workers. Raises OSError."""
    root = data_dir / "journal"
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
