"""What the sealer could not do in its last pass, for other processes to show: ``.sealer-errors.json`` in the root.

On a full disk the file may be missing, or that of an earlier pass.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ingestd.decoders import decoder
from ingestd.files import write_atomic

_NAME = ".sealer-errors.json"

_MAX_SENTENCES = 3


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
        return decoder(dict[str, str]).decode((root / _NAME).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return {}


def sentences(errors: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each of the first indices that cannot be sealed, and one for the rest."""
    shown = list(errors.items())[:_MAX_SENTENCES]
    found = [f"{index or 'the built-in store'} cannot be sealed: {_reason(text)}" for index, text in shown]
    if len(errors) > _MAX_SENTENCES:
        found.append(f"{len(errors) - _MAX_SENTENCES} more indices cannot be sealed")
    return tuple(found)


def _reason(text: str) -> str:
    return text.removeprefix("cannot seal: ")
