"""Where the journals lie: one folder for each worker process, ``<data dir>/journal/<worker>/``."""

from __future__ import annotations

from pathlib import Path


def journal_folder(data_dir: Path, worker: str) -> Path:
    """Return the folder of a worker's journal."""
    return data_dir / "journal" / worker


def journal_folders(data_dir: Path) -> list[Path]:
    """Return the folders of all journals there are, also of workers that are no more. Raises OSError."""
    root = data_dir / "journal"
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
