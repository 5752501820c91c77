"""The ids of the last documents that a writer appended to an index, sealed or not.

After a crash they show which documents had been appended although the journal did not get the commit. Sealed events are
sorted by time, so the sealer keeps the ids of each writer's last events, in the order they were written
(``ids-w0-00003.txt``, of the append logs up to number 3): lines of ``<bytes of the line in the append log> TAB <id>``,
compressed with zlib; ``zlib-flate -uncompress`` shows them. Older versions wrote them uncompressed.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson

from ingestd.logs import get_logger
from ingestd.stores.base import StoreError
from ingestd.stores.local.append_logs.line_blocks import line_blocks
from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.layout import SEALED_IDS_BYTES, AppendLogName

log = get_logger(__name__)

_ZLIB = b"x"  # no line of an uncompressed file starts with it

_NAME = re.compile(r"ids-(?P<writer>[a-z0-9_]+)-(?P<number>\d+)\.txt")

LoggedId = tuple[int, bytes]
"""The size of a line in bytes, and its id as JSON text, empty if it has none."""


def file_name(writer: str, number: int) -> str:
    """Return the name of the file with the ids of a writer's append logs up to a number."""
    return f"ids-{writer}-{number:05d}.txt"


def numbers_in(folder: Path | int) -> dict[str, int]:
    """Return the highest number of a sealed append log of each writer, from the names of these files in a folder."""
    numbers: dict[str, int] = {}
    for name in os.listdir(folder):  # noqa: PTH208 - or a descriptor
        if match := _NAME.fullmatch(name):
            numbers[match["writer"]] = max(int(match["number"]), numbers.get(match["writer"], 0))
    return numbers


def last_ids(folder: Path, writer: str, max_bytes: int) -> set[str]:
    """Return the ids in the last ``max_bytes`` that a writer appended; of sealed events at most SEALED_IDS_BYTES.

    Raises:
        OSError: A file cannot be read.
        StoreError: The manifest cannot be read.
    """
    while True:
        append_logs, sealed = manifest.contents(folder)
        try:
            own = [folder / str(append_log) for append_log in append_logs if append_log.writer == writer]
            entries = read_ids(own, max_bytes)
            if sum(size for size, _ in entries) < max_bytes and (number := sealed.sealed.get(writer)) is not None:
                entries = load(folder / file_name(writer, number)) + entries
        except FileNotFoundError:
            if manifest.contents(folder) == (append_logs, sealed):
                raise
            continue  # sealed or deleted in between
        return _decoded(folder, [key for _, key in last_within(entries, max_bytes) if key.startswith(b'"')])


def _decoded(folder: Path, keys: list[bytes]) -> set[str]:
    """Return ids without those that cannot be read, as after damage on the disk: one byte must not stop the writer."""
    ids: set[str] = set()
    unreadable = 0
    for key in keys:
        try:
            ids.add(orjson.loads(key))
        except orjson.JSONDecodeError:
            unreadable += 1
    if unreadable:
        text = "ids in an append log cannot be read and are skipped; their events may be stored twice after a crash"
        log.warning(text, folder=folder, ids=unreadable)
    return ids


def read_ids(append_logs: Sequence[Path], max_bytes: int) -> list[LoggedId]:
    """Return the ids in the last ``max_bytes`` of append logs, or a few more."""
    parts: list[list[LoggedId]] = []
    for append_log in reversed(append_logs):
        if max_bytes <= 0:
            break
        with append_log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = file.seek(max(size - max_bytes, 0))
            if start:
                file.readline()  # which may be cut off
            lines = (line for block in line_blocks(file) for line in block[:-1].split(b"\n"))
            parts.append([(len(line) + 1, line[line.rfind(b"\t") + 1 :]) for line in lines])
        max_bytes -= size
    return [entry for part in reversed(parts) for entry in part]


def last_within(entries: list[LoggedId], max_bytes: int) -> list[LoggedId]:
    """Return the last entries: as many as it takes for their lines to have ``max_bytes`` together, or all."""
    for at in range(len(entries) - 1, -1, -1):
        max_bytes -= entries[at][0]
        if max_bytes <= 0:
            return entries[at:]
    return entries


def load(path: Path) -> list[LoggedId]:
    """Return the entries of a file that `dump` wrote, or an older version.

    Raises:
        OSError: It cannot be read.
        StoreError: It is damaged.
    """
    content = path.read_bytes()
    try:
        if content.startswith(_ZLIB):
            content = zlib.decompress(content)
        lines = content.split(b"\n")[:-1]
        return [(int(size), key) for size, _, key in (line.partition(b"\t") for line in lines)]
    except (zlib.error, ValueError) as error:
        raise StoreError(f"{path} is damaged: {error}") from None


def dump(entries: Iterable[LoggedId]) -> bytes:
    """Return entries as the content of a file."""
    return zlib.compress(b"".join(b"%d\t%b\n" % entry for entry in entries))


def sealed_ids(folder: Path, before: manifest.Manifest, append_logs: Sequence[AppendLogName]) -> bytes:
    """Return the content of the file of ids for when these append logs of one writer are sealed as well.

    Without the earlier ids if their file is damaged: they matter only for events that come again after a crash.
    """
    writer = append_logs[0].writer
    entries = read_ids([folder / str(append_log) for append_log in append_logs], SEALED_IDS_BYTES)
    if sum(size for size, _ in entries) < SEALED_IDS_BYTES and (number := before.sealed.get(writer)) is not None:
        with contextlib.suppress(StoreError, FileNotFoundError):
            entries = load(folder / file_name(writer, number)) + entries
    return dump(last_within(entries, SEALED_IDS_BYTES))
