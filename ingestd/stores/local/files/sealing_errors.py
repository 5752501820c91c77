"""What the sealer could not do in its last pass, for other processes to show: ``.sealer-errors.json`` in the root."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ingestd.files import write_atomic

_NAME = ".sealer-errors.json"


def save(root: Path, errors: Mapping[str, str]) -> None:
    """Note why indices cannot be sealed, or that all can. Does nothing on a disk that takes no more files."""
    path = root / _NAME
    with contextlib.suppress(OSError):
        if errors:
            write_atomic(path, msgspec.json.encode(errors))
        else:
            path.unlink(missing_ok=True)


def load(root: Path) -> dict[str, str]:
    """Return why indices could not be sealed in the last pass, by index; the index is empty if none could."""
    try:
        return msgspec.json.decode((root / _NAME).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return {}
