"""What is on its way from a pipeline to one output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ingestd.event.chunk import Chunk
from ingestd.event.tally import Tally
from ingestd.journal.base import Position


@dataclass(slots=True)
class InFlight:
    """Chunks on their way to the output: what the output made of them, and what became of their events.

    ``chunk`` stands for all of them, without data; None: a part of the journal that cannot be read. ``start``, ``end``:
    the positions before and after it. ``frame_bytes``: of its data. ``size``: bytes of text in the payloads. ``held``:
    bytes of memory for them.
    """

    chunk: Chunk | None
    start: Position
    payloads: Sequence[Any]
    tally: Tally
    frame_bytes: int
    size: int
    held: int
    end: Position
    done: bool = False
