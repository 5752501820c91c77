"""The lines of append logs as blocks of bytes: counting and checking many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

import msgspec

_BLOCK_BYTES = 64 << 10
"""It stays in the processor's cache with its copies: with twice as much, checking takes half as long again."""

_values = msgspec.json.Decoder(list[msgspec.Raw])  # checks values without making objects of what is in them


@dataclass(frozen=True, slots=True)
class LogLines:
    """The lines of append logs.

    Attributes:
        count: How many there are.
        tabs: How many tabs are in them: one in each, unless some are damaged.
        are_strict: Whether all documents and ids are strictly JSON: DuckDB also takes `[1,]` and NaN.
    """

    count: int
    tabs: int
    are_strict: bool


def examine_lines(append_logs: Sequence[Path]) -> LogLines:
    """Count the lines of append logs, and find out whether all are JSON.

    Raises:
        OSError: A log cannot be read.
    """
    count, tabs, are_strict = 0, 0, True
    for path in append_logs:
        with path.open("rb", buffering=0) as file:
            for block in line_blocks(file):
                lines = _count_strict(block) if are_strict else None
                are_strict = lines is not None
                count += block.count(b"\n") if lines is None else lines
                tabs += block.count(b"\t") if lines is None else lines
    return LogLines(count, tabs, are_strict)


def line_blocks(file: BinaryIO | FileIO) -> Iterator[bytes]:
    """Yield the rest of a file in blocks of whole lines, small ones, as they stay in the processor's cache.

    Without a last line that has no end. A line that is longer than a block is one of its own, or the first of one.
    """
    started: list[bytes] = []
    while part := file.read(_BLOCK_BYTES):
        end = part.rfind(b"\n") + 1
        if end:
            yield b"".join([*started, part[:end]])
            started.clear()
        started.append(part[end:])


def _count_strict(block: bytes) -> int | None:
    """Return the number of lines if all of their documents and ids are JSON; else None."""
    count = _count_values(block)
    if count is None:
        count = _count_values(block.replace(b"\t\n", b'\t""\n'))  # ids may be missing
    return None if count is None or count % 2 else count // 2


def _count_values(block: bytes) -> int | None:
    """Return the number of documents and ids, read as values of one array; None if some are not JSON."""
    try:
        return len(_values.decode(b"[%b]" % block.replace(b"\t", b",").replace(b"\n", b",")[:-1]))
    except (msgspec.DecodeError, RecursionError):
        return None
