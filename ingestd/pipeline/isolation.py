"""Isolation: an output that fails on one event of many must not hold up the others.

An error that does not pass (unlike a full disk or a missing server) is in the events or in the output. So the payload
is rebuilt in smaller and smaller parts. What fails alone becomes a dead letter: at once if the output accepts other
events, else only after some more tries, so that a defect that hits every event makes few dead letters.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from ingestd.compiler.pipeline import BuiltOutput
from ingestd.dead_letters.base import DeadLetters
from ingestd.event.batch import Batch
from ingestd.event.tally import Tally
from ingestd.logs import get_logger
from ingestd.pipeline.processing import add_rejected, prepare, without_given_up
from ingestd.stores.base import StoreError
from ingestd.stores.elastic.connection.errors import ElasticUnavailable

log = get_logger(__name__)

TRIES = 3
"""How often an output may fail on something before that counts."""

RETRY_SECONDS = 1.0

MAY_HEAL = (OSError, StoreError, ElasticUnavailable)
"""A full disk, missing rights, an unavailable server: waiting may help, and the events are not at fault."""


class OutputFailedError(Exception):
    """An output failed on payloads as often as it may, with an error that does not pass: its cause."""


Deliver = Callable[[list[Any], float], Awaitable[Sequence[Tally] | None]]
"""Delivers payloads in up to this many attempts; returns what ``Output.deliver`` does, raises OutputFailedError."""


async def try_to_deliver(built: BuiltOutput, payloads: list[Any], tries: float) -> Sequence[Tally] | None:
    """Deliver payloads for a command, which does not wait for errors to pass: see ``Output.deliver``.

    Raises:
        OSError: Waiting may help.
        OutputFailedError: The output failed ``tries`` times with any other error.
    """
    while True:
        try:
            return await built.output.deliver(payloads)
        except OSError:
            raise
        except MAY_HEAL as error:
            raise OSError(str(error)) from error
        except Exception as error:
            if tries == TRIES:  # one report for each payload, not for each of its parts
                log.exception("an output failed; it is tried again", output=built.step.plugin_id, error=repr(error))
            tries -= 1
            if tries <= 0:
                raise OutputFailedError from error
        await asyncio.sleep(RETRY_SECONDS)


class Isolation:
    """Delivers events in parts, to find those on which an output fails.

    Args:
        built: The output.
        dead_letters: Where those events go.
        deliver: Of the output.
    """

    def __init__(self, built: BuiltOutput, dead_letters: DeadLetters, deliver: Deliver) -> None:
        self._built, self._dead_letters, self._deliver = built, dead_letters, deliver

    async def run(self, records: Iterable[tuple[Sequence[Batch], Tally]]) -> None:
        """Return when every event of ``records`` is delivered or a dead letter, and counted in its tally.

        ``queued`` in each tally: the events that are not counted as dead yet. Events that are dead letters already, as
        an attempt that failed may have made some, are not delivered.
        """
        parts, suspects, accepts = deque[tuple[Batch, Tally]](), list[tuple[Batch, Tally]](), False
        for batches, tally in records:
            alive = without_given_up(batches, self._dead_letters, self._built, tally)
            parts.extend((batch, tally) for batch in alive if len(batch))
        while parts:
            batch, tally = parts.popleft()
            try:
                accepts |= await self._deliver_part(batch, tally, 1)
            except OutputFailedError:
                left = self._left(batch, tally)
                if len(left) > 1:
                    parts.extendleft((half, tally) for half in reversed(_halves(left)))
                elif len(left):
                    suspects.append((left, tally))
        for batch, tally in suspects:
            try:
                accepts |= await self._deliver_part(batch, tally, 1 if accepts else TRIES)
            except OutputFailedError as error:
                if len(self._left(batch, tally)):
                    self._give_up(batch, repr(error.__cause__))
                    tally.queued -= 1
                    tally.dead += 1

    def _left(self, batch: Batch, tally: Tally) -> Batch:
        """Return the events of a part that are not dead letters after an attempt that failed."""
        part = Tally(queued=len(batch))
        [left] = without_given_up([batch], self._dead_letters, self._built, part)
        tally.queued -= part.dead
        tally.dead += part.dead
        return left

    async def _deliver_part(self, batch: Batch, tally: Tally, tries: int) -> bool:
        """Return whether there was anything to deliver."""
        payloads, rejected, _ = prepare(self._built, batch)
        left = len(batch) - len(rejected)
        tallies = await self._deliver(payloads, tries) if payloads and left else ()
        add_rejected(self._dead_letters, self._built, rejected, tally)
        tally.queued -= left
        if tallies is None:
            tally.delivered += left
        for delivered in tallies or ():
            tally.add(delivered)
        return left > 0

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
