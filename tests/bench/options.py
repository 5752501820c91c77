"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says: events of a load, and bytes of the backlog."""

    events: int = 300_000
    backlog_bytes: int = 200_000_000
