"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says: events of a load, bytes of the backlog, whether other work has to wait."""

    events: int = 300_000
    backlog_bytes: int = 200_000_000
    priority: bool = False

    def command(self, name: str) -> str:
        """Return the command of a measurement."""
        backlog = f" --backlog {self.backlog_bytes}" if name == "memory" else ""
        priority = " --priority" if self.priority else ""
        return f'make bench ARGS="--only {name} --events {self.events}{backlog}{priority}"'
