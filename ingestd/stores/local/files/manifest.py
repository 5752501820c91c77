"""``sealed.json``: what of an index is sealed. Replacing it is the one moment at which anything counts as sealed.

It names the sealed files, and for each writer the number up to which its tails are in them. Whatever else lies in
the folder - a sealed file that is not named, a tail of such a number - is not, or not any more, part of the index:
the rest of a step that a crash cut short, or of one that is just being done. So a reader must list the tails first
and read the manifest then; what was sealed in between is then in the manifest.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import orjson

from ingestd.stores.base import StoreError
from ingestd.stores.local.files.layout import TailName, tails_of

NAME = "sealed.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A Parquet file.

    Attributes:
        name: Its name in the folder of the index.
        events: How many it holds.
        untimed: How many of these have no ``@timestamp``.
        first: The earliest ``@timestamp``, in microseconds since 1970; None if none has one.
        last: The latest.
        bytes: Its size.
        raw_bytes: The size of the documents in it.
        columns: The fields that have columns, in the order of their bits in ``not_text``.
    """

    name: str
    events: int
    untimed: int
    first: int | None
    last: int | None
    bytes: int
    raw_bytes: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """``sealed``: for each writer the highest number of a sealed tail. ``next``: of the next file's name."""

    files: tuple[SealedFile, ...] = ()
    sealed: Mapping[str, int] = field(default_factory=dict)
    next: int = 1
    version: int = _VERSION

    def holds(self, tail: TailName) -> bool:
        """Return whether a tail is sealed."""
        return tail.number <= self.sealed.get(tail.writer, 0)


def load(folder: Path | int) -> Manifest:
    """Return the manifest of an index folder, a path or a descriptor; an empty one if nothing is sealed yet.

    Raises:
        OSError: It cannot be read.
        StoreError: It is not what this version writes.
    """
    dir_fd = folder if isinstance(folder, int) else None
    path = NAME if isinstance(folder, int) else folder / NAME
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=dir_fd)
    except FileNotFoundError:
        return Manifest()
    with os.fdopen(fd, "rb") as file:
        body = file.read()
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except msgspec.MsgspecError as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    if manifest.version != _VERSION:
        raise StoreError(f"{path} was written by a newer version of ingestd")
    return manifest


def encode(manifest: Manifest) -> bytes:
    """Return the text of a manifest."""
    return orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def contents(folder: Path) -> tuple[list[TailName], Manifest]:
    """Return what makes up an index: its tails that are not sealed, and what is.

    Raises:
        OSError: The folder cannot be read.
        StoreError: See `load`.
    """
    tails = tails_of(folder)  # first: see above
    manifest = load(folder)
    return [tail for tail in tails if not manifest.holds(tail)], manifest
