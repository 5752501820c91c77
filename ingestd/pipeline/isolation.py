"""Isolation: an output that fails on one event of many must not hold up the others.

An error that waiting does not heal (no full disk, no absent server) is in the events or in the output. So the payload
is made again in smaller and smaller parts. What fails alone becomes a dead letter: at once if the output accepts other
events, else only after some more tries, so that a defect that hits every event makes few dead letters.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from ingestd.compiler.pipeline import BuiltOutput
from ingestd.dead_letters.base import DeadLetters
from ingestd.event.batch import Batch
from ingestd.event.tally import Tally
from ingestd.logs import get_logger
from ingestd.pipeline.processing import prepare

log = get_logger(__name__)

TRIES = 3
"""How often an output may fail on something before that counts."""


class OutputFailedError(Exception):
    """An output failed on payloads as often as it may, with an error that waiting does not heal: its cause."""


Deliver = Callable[[list[Any], float], Awaitable[Sequence[Tally] | None]]
"""Delivers payloads, in so many tries; returns what ``Output.deliver`` does, raises OutputFailedError."""


class Isolation:
    """Delivers events in parts, to find those on which an output fails.

    Args:
        built: The output.
        dead_letters: Where those events go.
        deliver: Of the output.
    """

    def __init__(self, built: BuiltOutput, dead_letters: DeadLetters, deliver: Deliver) -> None:
        self._built, self._dead_letters, self._deliver = built, dead_letters, deliver

    async def run(self, batches: Iterable[tuple[Batch, Tally]]) -> None:
        """Return when every event is delivered or a dead letter; each is counted in the tally of its batch."""
        parts, suspects, accepts = deque(batches), list[tuple[Batch, Tally]](), False
        while parts:
            batch, tally = parts.popleft()
            try:
                accepts |= await self._deliver_part(batch, tally, 1)
            except OutputFailedError:
                if len(batch) == 1:
                    suspects.append((batch, tally))
                else:
                    parts.extendleft((half, tally) for half in reversed(_halves(batch)))
        for batch, tally in suspects:
            try:
                accepts |= await self._deliver_part(batch, tally, 1 if accepts else TRIES)
            except OutputFailedError as error:
                self._give_up(batch, repr(error.__cause__))
                tally.dead += 1

    async def _deliver_part(self, batch: Batch, tally: Tally, tries: int) -> bool:
        """Return whether there was anything to deliver."""
        payloads, rejected, _ = prepare(self._built, batch)  # those are dead letters already
        if not payloads or len(rejected) == len(batch):
            return False
        tallies = await self._deliver(payloads, tries)
        if tallies is None:
            tally.delivered += len(batch) - len(rejected)
        for delivered in tallies or ():
            tally.add(delivered)
        return True

    def _give_up(self, batch: Batch, error: str) -> None:
        name, reason = self._built.step.plugin_id, f"the output failed on it: {error}"
        log.error("an output fails on an event, which becomes a dead letter", output=name, error=error)
        self._dead_letters.add(
            stage="output", reason=reason, raw=_document(batch), plugin=name, event_id=batch.ids()[0]
        )


def _halves(batch: Batch) -> list[Batch]:
    middle = len(batch) // 2
    return [batch.part(range(middle)), batch.part(range(middle, len(batch)))]


def _document(batch: Batch) -> bytes:
    """Return the document of one event, empty if none can be made: the dead letter has the bytes as received."""
    try:
        return batch.documents()[0]
    except Exception:  # noqa: BLE001 -- an error of the event, as the one that is reported
        return b""
