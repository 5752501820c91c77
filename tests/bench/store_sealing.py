"""The steps of the sealer that ``make bench-store`` runs in processes of their own, with nothing else to import."""

from __future__ import annotations

from pathlib import Path

from ingestd.stores.local.files.sealer import Policy, seal_once


def seal(root: str) -> None:
    """Seal all append logs."""
    seal_once(Path(root), Policy(idle_s=0))


def join(root: str) -> None:
    """Join the small files."""
    seal_once(Path(root), Policy(idle_s=0, quiet_s=0))
