"""Bulk requests until every document has its fate: stored, or a dead letter."""

from __future__ import annotations

import asyncio
import itertools
import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ingestd import metrics
from ingestd.dead_letters.base import DeadLetters
from ingestd.event.jsontext import NotJsonError, dumps, loads
from ingestd.logs import Outage, get_logger
from ingestd.plugins.interfaces import Outcome
from ingestd.plugins.outputs._adaptive import AdaptiveLimit
from ingestd.plugins.outputs._fates import Fates
from ingestd.protocols.bulk import BulkResult, Dead, Verdict, read_answer
from ingestd.stores.elastic.client import ElasticClient
from ingestd.stores.elastic.errors import ElasticUnavailable

log = get_logger(__name__)

MAX_REQUESTS = 8
"""Most requests under way to one cluster from one process; how many really are, the cluster's answers decide."""

PAUSE_SECONDS = 60.0
"""How long not to ask a server that says that we may not."""
_BAD_REQUEST = 400

_TIMEOUTS = 3
"""After so many tries without an answer in time a request is sent in halves: it may be too much at once."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """The body of a bulk request of ``count`` documents: an action line and a document line for each.

    ``event_ids``: the ids that we gave the events, where the action lines have others; else empty.
    ``indices``: how many documents go to which index, where each becomes a document of its own; else empty.
    """

    body: bytes
    count: int
    event_ids: tuple[str, ...] = ()
    indices: Mapping[str, int] = field(default_factory=dict, compare=False)

    @classmethod
    def of(
        cls,
        actions: Sequence[bytes],
        documents: Sequence[bytes],
        event_ids: Iterable[str] = (),
        indices: Mapping[str, int] = {},
    ) -> Bulk:
        """Return the body of n actions and n documents, all without line ends."""
        lines: list[bytes] = [b""] * (2 * len(documents) + 1)
        lines[:-1:2] = actions
        lines[1::2] = documents
        return cls(b"\n".join(lines), len(documents), tuple(event_ids), indices)

    @classmethod
    def joined(cls, bulks: Sequence[Bulk]) -> Bulk:
        """Return all bodies as one."""
        if len(bulks) == 1:
            return bulks[0]
        event_ids = tuple(one for bulk in bulks for one in bulk.event_ids)
        return cls(b"".join([bulk.body for bulk in bulks]), sum(bulk.count for bulk in bulks), event_ids)

    def pick(self, positions: Iterable[int]) -> Bulk:
        """Return the body of some of the documents."""
        lines = self.body.split(b"\n")
        chosen = list(positions)
        event_ids = [self.event_ids[n] for n in chosen] if self.event_ids else ()
        return Bulk.of([lines[2 * n] for n in chosen], [lines[2 * n + 1] for n in chosen], event_ids)


@dataclass(frozen=True, slots=True)
class _Shipment:
    """Documents on their way. ``places``: where each was in the joined loads; ``starts``: where each load begins.

    ``asked``: they were sent before, and whether they were stored then nobody knows.
    """

    bulk: Bulk
    places: Sequence[int]
    starts: Sequence[int]
    fates: Fates
    asked: bool = False

    def pick(self, positions: Sequence[int]) -> _Shipment:
        """Return some of the documents."""
        return replace(self, bulk=self.bulk.pick(positions), places=[self.places[n] for n in positions])

    def load_of(self, position: int) -> int:
        """Return which of the loads a document came with."""
        return bisect_right(self.starts, self.places[position]) - 1

    def note_duplicates(self, positions: Iterable[int]) -> None:
        """Note the documents that the server had already, unless it has them from us, just now."""
        if self.asked:
            return
        lines = self.bulk.body.split(b"\n")
        for position in positions:
            [target] = loads(lines[2 * position]).values()
            self.fates.duplicate(self.load_of(position), target["_index"])


class Retry:
    """How long to wait between tries: doubled each time up to a limit, with jitter, for ever.

    Args:
        initial: Seconds before the first retry.
        maximum: Most seconds.
    """

    def __init__(self, initial: float, maximum: float) -> None:
        self._initial, self._maximum = initial, maximum

    def attempts(self) -> Iterator[int]:
        """Return 0, 1, 2 ... without end."""
        return itertools.count()

    async def wait(self, attempt: int, at_least: float = 0) -> None:
        """Wait after the failed try number ``attempt``; ``at_least`` is what the server asks for, in seconds."""
        longest = min(self._initial * 2 ** min(attempt, 30), self._maximum)
        # half fixed, half chance: many daemons that lost one server must not come back in step
        await asyncio.sleep(max(longest / 2 + random.uniform(0, longest / 2), at_least))  # noqa: S311


@dataclass(frozen=True, slots=True)
class _Reply:
    """The outcome of a request; ``cause`` is the label of a retry, ``retry_after`` what the server asks for in s."""

    result: BulkResult
    cause: str
    retry_after: float = 0.0


class BulkSender:
    """Sends items until each is stored or dead; what the servers answer decides which are sent again."""

    def __init__(
        self, client: ElasticClient, name: str, dead_letters: DeadLetters, retry: Retry, *, pipeline: str | None = None
    ) -> None:
        self._client, self._name, self._dead_letters, self._retry = client, name, dead_letters, retry
        self._pipeline = pipeline
        self._limit = AdaptiveLimit(MAX_REQUESTS)
        self._failing = Outage(log.warning, "a delivery is tried again", log.info, "deliveries succeed again")
        text = "the server refuses us; delivery waits until it does not"
        self._refused = Outage(log.error, text, log.info, "the server takes events again")
        self._door = asyncio.Lock()
        self._ask_again_at = 0.0  # by the loop's clock

    async def deliver(self, loads: Sequence[Bulk]) -> list[Outcome]:
        """Send all loads as one; return the outcome of each when every document has its fate."""
        fates = Fates([load.count for load in loads], [load.indices for load in loads])
        starts = [0, *itertools.accumulate(load.count for load in loads[:-1])]
        await self._send(_Shipment(Bulk.joined(loads), range(sum(load.count for load in loads)), starts, fates))
        return fates.outcomes()

    async def _send(self, shipment: _Shipment, *, mended: bool = False) -> None:
        """Return when every document has its fate. ``mended``: they were decoded and written anew already."""
        timeouts = 0
        for attempt in self._retry.attempts():
            bulk = shipment.bulk
            if not bulk.count:
                return
            reply = await self._request(bulk)
            result = reply.result
            match result.verdict:
                case Verdict.ITEMS:
                    if result.duplicates:
                        shipment.note_duplicates(result.duplicates)
                    if result.dead:
                        await self._bury(shipment, result.dead, mended=mended)
                    if not result.retry:
                        self._failing.ended(output=self._name)
                        return
                    shipment = shipment.pick(result.retry)
                case Verdict.SPLIT if bulk.count > 1:
                    await self._send_halves(shipment, mended=mended)
                    return
                case Verdict.SPLIT:
                    self._dead(shipment, 0, bulk.body.split(b"\n"), result.reason)
                    return
                case Verdict.RETRY:
                    shipment = replace(shipment, asked=True)
                    timeouts += reply.cause == "timeout"
            metrics.REQUESTS_RETRIED.add(1, self._name, reply.cause)
            metrics.EVENTS_RETRIED.add(bulk.count, self._name, reply.cause)
            if result.verdict is not Verdict.PAUSE:  # that one waits at the door
                self._failing.goes_on(output=self._name, events=bulk.count, reason=result.reason)
                await self._retry.wait(attempt, reply.retry_after)
            if timeouts == _TIMEOUTS and bulk.count > 1:
                await self._send_halves(shipment, mended=mended)
                return

    async def _send_halves(self, shipment: _Shipment, *, mended: bool) -> None:
        count = shipment.bulk.count
        await self._send(shipment.pick(range(count // 2)), mended=mended)
        await self._send(shipment.pick(range(count // 2, count)), mended=mended)

    async def _request(self, bulk: Bulk) -> _Reply:
        """Send one request; an answer that does not come is a retry.

        While the server refuses us, one request a minute asks whether it still does, and all others wait: accounts
        are locked for less.
        """
        async with self._limit.slot():
            if not self._refused.lasts:
                return await self._request_now(bulk)
            async with self._door:
                await asyncio.sleep(self._ask_again_at - asyncio.get_running_loop().time())
                return await self._request_now(bulk)

    async def _request_now(self, bulk: Bulk) -> _Reply:
        begin = asyncio.get_running_loop().time()
        try:
            answer = await self._client.bulk(bulk.body, pipeline=self._pipeline)
        except ElasticUnavailable as error:
            self._limit.bad()
            return _Reply(BulkResult(Verdict.RETRY, reason=str(error)), error.kind)
        seconds = asyncio.get_running_loop().time() - begin
        metrics.BULK_SECONDS.observe(seconds, self._name)
        metrics.BULK_BYTES.observe(len(bulk.body), self._name)
        result = read_answer(answer.status, answer.body, bulk.count)
        self._note_refusal(result)
        if result.verdict is Verdict.RETRY or result.retry:
            self._limit.bad()
        else:
            self._limit.good(seconds)
        cause = "item" if result.verdict is Verdict.ITEMS else str(answer.status)
        return _Reply(result, cause, answer.retry_after or 0.0)

    def _note_refusal(self, result: BulkResult) -> None:
        if result.verdict is Verdict.PAUSE:
            self._refused.goes_on(output=self._name, reason=result.reason)
            self._ask_again_at = asyncio.get_running_loop().time() + PAUSE_SECONDS
        else:
            self._refused.ended(output=self._name)

    async def _bury(self, shipment: _Shipment, refused: Sequence[Dead], *, mended: bool) -> None:
        """Make dead letters of what was refused, but give documents that may only be written badly one more try.

        A record whose untouched fields hold a key twice, or a number out of range, is refused as it came;
        decoded in full and written anew it is sound.
        """
        lines = shipment.bulk.body.split(b"\n")
        again: list[int] = []
        for dead in refused:
            document = lines[2 * dead.position + 1]
            anew = document if mended or dead.status != _BAD_REQUEST else _rewritten(document)
            if anew == document:
                self._dead(shipment, dead.position, lines, dead.reason)
            else:
                again.append(dead.position)
                lines[2 * dead.position + 1] = anew
        mended_bulk = replace(shipment.bulk, body=b"\n".join(lines))
        await self._send(replace(shipment, bulk=mended_bulk).pick(again), mended=True)

    def _dead(self, shipment: _Shipment, position: int, lines: Sequence[bytes], reason: str) -> None:
        """Make a dead letter of a document; ``lines`` are those of the body."""
        bulk = shipment.bulk
        [target] = loads(lines[2 * position]).values()
        shipment.fates.dead(shipment.load_of(position), target["_index"])
        self._dead_letters.add(
            stage="output",
            reason=reason,
            raw=lines[2 * position + 1],
            plugin=self._name,
            event_id=bulk.event_ids[position] if bulk.event_ids else target["_id"],
            document_id=target["_id"],
            index=target["_index"],
        )


def _rewritten(document: bytes) -> bytes:
    """Return a document decoded and encoded, unchanged if it is no JSON."""
    try:
        return dumps(loads(document))
    except NotJsonError:
        return document
