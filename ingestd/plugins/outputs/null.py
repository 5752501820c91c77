"""``null``: discards events, which count as delivered.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-outputs-null.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingestd.event.batch import Batch
from ingestd.plugins.interfaces import Prepared
from ingestd.plugins.registry import BuildContext, plugin


@dataclass(frozen=True, slots=True)
class Options:
    """The output ``null`` has no options of its own."""


class Null:
    """Takes every event."""

    concurrency = 1
    batch_bytes = 1 << 20

    async def open(self) -> None:
        """Do nothing."""

    def prepare(self, batch: Batch) -> Prepared[int]:
        """Return the number of events."""
        return Prepared(len(batch), 0)

    async def deliver(self, payloads: Sequence[int]) -> None:
        """Return at once: all of them are delivered."""

    async def close(self) -> None:
        """Do nothing."""


@plugin("output", "null", Options)
def build(opts: Options, context: BuildContext) -> Null:
    """Nothing: for measuring a pipeline, and for events that must only be counted."""
    return Null()
