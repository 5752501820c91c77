"""What ``/health`` and ``POST /reload`` report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ingestd.pipeline.stall import Stall


def stall_details(stalls: Sequence[Stall]) -> dict[str, Any]:
    """Return the details of outputs that deliver nothing."""
    return {"stalled_outputs": [stall.document() for stall in stalls]} if stalls else {}


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the daemon at one moment.

    Attributes:
        not_live: Reasons to restart it, as sentences for people.
        not_ready: Reasons not to send it events now.
        degraded: What needs attention although events are accepted as usual.
        details: Other facts, of JSON types.
        running: How many worker processes run.
        replacing: How many are being replaced by new ones, as in a reload; they are expected back.
        wanted: How many should.
    """

    not_live: tuple[str, ...] = ()
    not_ready: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    running: int = 1
    replacing: int = 0
    wanted: int = 1

    @property
    def live(self) -> bool:
        """Whether the daemon works; if not, a restart may help."""
        return not self.not_live

    @property
    def ready(self) -> bool:
        """Whether the daemon accepts events now."""
        return self.live and not self.not_ready

    def document(self) -> dict[str, Any]:
        """Return the state as JSON types."""
        return {
            "live": self.live,
            "ready": self.ready,
            "degraded": bool(self.degraded),
            "reasons": [*self.not_live, *self.not_ready, *self.degraded],
            **({"details": self.details} if self.details else {}),
        }


class ReloadResult(NamedTuple):
    """What became of a reload.

    Attributes:
        error: Why the new config is not in force; empty: it is.
        text: What was applied.
        late: Whether that is not known yet.
    """

    error: str
    text: str = ""
    late: bool = False
