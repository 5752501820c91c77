"""What is in a sealed file, and what its footer says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec


@dataclass(frozen=True, slots=True)
class FileStats:
    """What is in a file. ``checksum``: of all its rows, whatever their order; of format 1, of documents and ids."""

    events: int
    untimed: int
    first: int | None
    last: int | None
    raw_bytes: int
    checksum: int


class Footer(msgspec.Struct, frozen=True):
    """What a sealed file has and was made of; JSON in its footer, under the key ``ingestd``.

    Attributes:
        sealed: Highest number of a sealed append log, by writer, as in the manifest that first named the file.
        merged: The sealed files that it replaces.
        columns: As in `SealedFile`; None: the file has format 1.
        rest: As in `SealedFile`.
        raw_bytes: As in `SealedFile`; a file of format 1 shows it.
        checksum: The version of DuckDB, whose hashes no other has, and the sum of the hashes of all rows.
    """

    sealed: Mapping[str, int] = {}
    merged: tuple[str, ...] = ()
    columns: dict[str, Any] | None = None
    rest: tuple[str, ...] | None = ()
    raw_bytes: int = 0
    checksum: str = ""


class SealedContent(NamedTuple):
    """What a sealed file holds, found by reading all of it. ``footer`` None: an older version wrote it."""

    stats: FileStats
    columns: tuple[str, ...] | dict[str, Any]
    rest: tuple[str, ...] | None
    footer: Footer | None
