"""The ids of what a writer appended last to an index, be it sealed or not.

After a crash they tell what was appended although nobody could note any more that it was. Sealed events lie in the
order of their times, so the sealer keeps the ids of the last ones of each writer in the order they were written
(``ids-w0-00003.txt``, of the tails up to number 3): lines of ``<bytes of the line in the tail> TAB <id>``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson

from ingestd.stores.local.files import manifest
from ingestd.stores.local.files.layout import SEALED_IDS_BYTES, TailName

Entry = tuple[int, bytes]
"""Bytes of a line, and the id in it as JSON text, empty if it has none."""


def name(writer: str, number: int) -> str:
    """Return the name of the file of ids of a writer's tails up to a number."""
    return f"ids-{writer}-{number:05d}.txt"


def last_ids(folder: Path, writer: str, max_bytes: int) -> set[str]:
    """Return the ids in the last ``max_bytes`` that a writer appended, of what is sealed at most SEALED_IDS_BYTES.

    Raises:
        OSError: A file cannot be read.
        StoreError: The manifest cannot be read.
    """
    while True:
        tails, sealed = manifest.contents(folder)
        try:
            own = [folder / str(tail) for tail in tails if tail.writer == writer]
            entries = entries_of(own, max_bytes)
            if sum(size for size, _ in entries) < max_bytes and (number := sealed.sealed.get(writer)) is not None:
                entries = load(folder / name(writer, number)) + entries
        except FileNotFoundError:
            if manifest.contents(folder) == (tails, sealed):
                raise
            continue  # sealed, or deleted, in between
        return {orjson.loads(key) for _, key in last(entries, max_bytes) if key.startswith(b'"')}


def entries_of(tails: Sequence[Path], max_bytes: int) -> list[Entry]:
    """Return the entries of the lines in the last ``max_bytes`` of tails, or a few more."""
    parts: list[list[Entry]] = []
    for tail in reversed(tails):
        if max_bytes <= 0:
            break
        with tail.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            begin = file.seek(max(size - max_bytes, 0))
            lines = file.read().split(b"\n")
        whole = lines[1 if begin else 0 : -1]  # the first may lack its begin; behind the last there is nothing
        parts.append([(len(line) + 1, line.rpartition(b"\t")[2]) for line in whole])
        max_bytes -= size
    return [entry for part in reversed(parts) for entry in part]


def last(entries: list[Entry], max_bytes: int) -> list[Entry]:
    """Return the last entries, so many that their lines have ``max_bytes`` together, or all."""
    for at in range(len(entries) - 1, -1, -1):
        max_bytes -= entries[at][0]
        if max_bytes <= 0:
            return entries[at:]
    return entries


def load(path: Path) -> list[Entry]:
    """Return the entries that `dump` has written."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return [(int(size), key) for size, _, key in (line.partition(b"\t") for line in lines)]


def dump(entries: Iterable[Entry]) -> bytes:
    """Return entries as the text of a file."""
    return b"".join(b"%d\t%b\n" % entry for entry in entries)


def of_sealed(folder: Path, before: manifest.Manifest, tails: Sequence[TailName]) -> bytes:
    """Return the text of the file of ids for when these tails of one writer are sealed as well."""
    writer = tails[0].writer
    entries = entries_of([folder / str(tail) for tail in tails], SEALED_IDS_BYTES)
    if sum(size for size, _ in entries) < SEALED_IDS_BYTES and (number := before.sealed.get(writer)) is not None:
        entries = load(folder / name(writer, number)) + entries
    return dump(last(entries, SEALED_IDS_BYTES))
