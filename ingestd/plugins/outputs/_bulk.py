"""Bulk requests until every document is stored or a dead letter."""

from __future__ import annotations

import asyncio
import itertools
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ingestd import metrics
from ingestd.dead_letters.base import DeadLetters
from ingestd.event.jsontext import NotJsonError, dumps, loads
from ingestd.event.payload import index_counts
from ingestd.event.tally import Tally
from ingestd.logs import Outage, get_logger
from ingestd.plugins.outputs._adaptive import AdaptiveLimit
from ingestd.plugins.outputs._bulk_payload import BulkPayload
from ingestd.plugins.outputs._connect import Connector
from ingestd.plugins.outputs._retry import PAUSE_SECONDS, Retry
from ingestd.protocols.http.bulk import BulkResult, BulkVerdict, RejectedDocument, parse_response
from ingestd.stores.elastic.connection.body import BodyParts
from ingestd.stores.elastic.connection.client import ElasticClient
from ingestd.stores.elastic.connection.errors import ElasticUnavailable

log = get_logger(__name__)

MAX_REQUESTS = 8
"""Maximum concurrent requests of one process to one cluster; the actual number depends on the cluster's responses."""

_BAD_REQUEST = 400

_ALL_REJECTED = 3
"""After this many rejections in a row, with no document stored in between, it is a problem to report."""

_TIMEOUTS = 3
"""After this many timeouts a request is sent in halves: it may be too large."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Documents for one request: those of several payloads, and the tally of each payload.

    ``asked``: they were sent before, and may have been stored then.
    """

    payloads: Sequence[BulkPayload]
    tallies: Sequence[Tally]
    asked: bool = False

    def __len__(self) -> int:
        return sum(map(len, self.payloads))

    def body(self) -> BodyParts:
        return BodyParts([payload.body for payload in self.payloads])

    def locate(self, positions: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Return for each position in the request the number of its payload, and the position in that."""
        starts = list(itertools.accumulate(map(len, self.payloads), initial=0))
        for position in positions:
            number = bisect_right(starts, position) - 1
            yield number, position - starts[number]

    def pick(self, positions: Iterable[int]) -> _Attempt:
        """Return some of the documents, given by rising positions."""
        chosen: dict[int, list[int]] = {}
        for number, position in self.locate(positions):
            chosen.setdefault(number, []).append(position)
        payloads = [self.payloads[number].pick(own) for number, own in chosen.items()]
        return replace(self, payloads=payloads, tallies=[self.tallies[number] for number in chosen])

    def with_documents(self, documents: Sequence[bytes]) -> _Attempt:
        """Return the attempt with other documents under the same ids."""
        rest = iter(documents)
        payloads = [payload.with_documents(list(itertools.islice(rest, len(payload)))) for payload in self.payloads]
        return replace(self, payloads=payloads)

    def note_duplicates(self, positions: Iterable[int]) -> None:
        """Count the documents that the server had already, unless it may have them from this attempt."""
        if not self.asked:
            for number, position in self.locate(positions):
                self.tallies[number].not_delivered(self.payloads[number].indices[position], dead=False)


@dataclass(frozen=True, slots=True)
class _Reply:
    """The outcome of a request; ``cause`` is the label of a retry, ``retry_after`` what the server asks for in s."""

    result: BulkResult
    cause: str
    retry_after: float = 0.0


class BulkSender:
    """Sends documents until each is stored or dead; the responses decide which are sent again.

    Args:
        client: Of the cluster.
        name: The plugin id of the output.
        dead_letters: Where documents go that the cluster refuses for good.
        retry: How long to wait between tries.
        connector: Knows the server.
        pipeline: An ingest pipeline of the server for all documents.
        own_documents: Whether each event becomes a document of its own, so that an index can be counted.
    """

    def __init__(  # noqa: PLR0913 -- the parts that it connects
        self,
        client: ElasticClient,
        name: str,
        dead_letters: DeadLetters,
        retry: Retry,
        connector: Connector,
        *,
        pipeline: str | None = None,
        own_documents: bool = True,
    ) -> None:
        self._client, self._name, self._dead_letters, self._retry = client, name, dead_letters, retry
        self._connector, self._pipeline, self._own_documents = connector, pipeline, own_documents
        self._limit = AdaptiveLimit(MAX_REQUESTS)
        self._failing = Outage(log.warning, "a delivery is tried again", log.info, "deliveries succeed again")
        text = "the server refuses requests; delivery waits until it accepts them"
        self._refused = Outage(log.error, text, log.info, "the server accepts events again")
        self._retry_lock = asyncio.Lock()
        self._ask_again_at = 0.0  # by the loop's clock
        self._refusal = ""
        self._rejected, self._rejection = 0, ""  # since the last document that was stored

    def problems(self) -> list[str]:
        """Return why events are kept, or why all of them have become dead letters lately, if so."""
        if self._refused.ongoing:
            return [f"{self._name} keeps its events: {self._refusal}"]
        if self._rejected < _ALL_REJECTED:
            return []
        return [f"the last {self._rejected} events of {self._name} became dead letters: {self._rejection}"]

    def retry_reason(self) -> str:
        """Return why requests are sent again, empty if they are not."""
        return self._refused.reason or self._failing.reason

    async def deliver(self, payloads: Sequence[BulkPayload]) -> list[Tally]:
        """Send all payloads in one request; return what became of each when every document is stored or dead."""
        tallies = [self._all_delivered(payload) for payload in payloads]
        await self._send(_Attempt(payloads, tallies))
        return tallies

    def _all_delivered(self, payload: BulkPayload) -> Tally:
        return Tally(
            delivered=len(payload), indices=index_counts(payload.indices) if self._own_documents else Counter()
        )

    async def _send(self, attempt: _Attempt, *, rewritten: bool = False) -> None:
        """Return when every document is stored or dead. ``rewritten``: they were decoded and encoded again."""
        timeouts = 0
        for number in self._retry.attempts():
            count = len(attempt)
            if not count:
                return
            reply = await self._request(attempt)
            result = reply.result
            match result.verdict:
                case BulkVerdict.ITEMS:
                    self._rejected *= not result.delivered
                    if result.duplicates:
                        attempt.note_duplicates(result.duplicates)
                    if result.rejected:
                        await self._refused_documents(attempt, result.rejected, rewritten=rewritten)
                    if not result.retry:
                        self._failing.recovered(output=self._name)
                        return
                    attempt = attempt.pick(result.retry)
                case BulkVerdict.SPLIT if count > 1:
                    await self._send_halves(attempt, rewritten=rewritten)
                    return
                case BulkVerdict.SPLIT:
                    self._dead_letter(attempt, 0, result.reason)
                    return
                case BulkVerdict.RETRY:
                    attempt = replace(attempt, asked=True)
                    timeouts += reply.cause == "timeout"
            metrics.REQUESTS_RETRIED.add(1, self._name, reply.cause)
            metrics.EVENTS_RETRIED.add(count, self._name, reply.cause)
            if result.verdict is not BulkVerdict.PAUSE:  # that one waits in ``_request``
                self._failing.failed(output=self._name, events=count, reason=result.reason)
                await self._retry.wait(number, reply.retry_after)
            if timeouts == _TIMEOUTS and count > 1:
                await self._send_halves(attempt, rewritten=rewritten)
                return

    async def _send_halves(self, attempt: _Attempt, *, rewritten: bool) -> None:
        count = len(attempt)
        await self._send(attempt.pick(range(count // 2)), rewritten=rewritten)
        await self._send(attempt.pick(range(count // 2, count)), rewritten=rewritten)

    async def _request(self, attempt: _Attempt) -> _Reply:
        """Send one request; no response is a retry.

        While the server refuses us, one request a minute checks whether it still does, and all others wait: too many
        failures may lock the account.
        """
        async with self._limit.slot():
            if not self._refused.ongoing:
                return await self._request_now(attempt)
            async with self._retry_lock:
                await asyncio.sleep(self._ask_again_at - asyncio.get_running_loop().time())
                await self._connector.refresh()
                return await self._request_now(attempt)

    async def _request_now(self, attempt: _Attempt) -> _Reply:
        body = attempt.body()
        start = asyncio.get_running_loop().time()
        try:
            answer = await self._client.bulk(body, pipeline=self._pipeline, document_type=self._connector.document_type)
        except ElasticUnavailable as error:
            self._limit.bad()
            return _Reply(BulkResult(BulkVerdict.RETRY, reason=str(error)), error.kind)
        seconds = asyncio.get_running_loop().time() - start
        metrics.BULK_SECONDS.observe(seconds, self._name)
        metrics.BULK_BYTES.observe(body.size, self._name)
        result = parse_response(answer.status, answer.body, len(attempt))
        self._note_refusal(result)
        if result.verdict is BulkVerdict.RETRY or result.retry:
            self._limit.bad()
        else:
            self._limit.good(seconds)
        cause = "item" if result.verdict is BulkVerdict.ITEMS else str(answer.status)
        return _Reply(result, cause, answer.retry_after or 0.0)

    def _note_refusal(self, result: BulkResult) -> None:
        if result.verdict is BulkVerdict.PAUSE:
            self._refused.failed(output=self._name, reason=result.reason)
            self._refusal = result.reason
            self._ask_again_at = asyncio.get_running_loop().time() + PAUSE_SECONDS
        else:
            self._refused.recovered(output=self._name)

    async def _refused_documents(
        self, attempt: _Attempt, refused: Sequence[RejectedDocument], *, rewritten: bool
    ) -> None:
        """Make dead letters of what was refused, but first try documents once more that may only be encoded badly.

        A record whose untouched fields have a duplicate key, or a number out of range, is refused as it came; decoded
        in full and encoded again, it is accepted.
        """
        again: list[int] = []
        documents: list[bytes] = []
        located = attempt.locate(document.position for document in refused)
        for rejected, (number, position) in zip(refused, located, strict=True):
            document = attempt.payloads[number].documents[position]
            encoded = document if rewritten or rejected.status != _BAD_REQUEST else _rewritten(document)
            if encoded == document:
                self._dead_letter(attempt, rejected.position, rejected.reason)
            else:
                again.append(rejected.position)
                documents.append(encoded)
        if again:
            await self._send(attempt.pick(again).with_documents(documents), rewritten=True)

    def _dead_letter(self, attempt: _Attempt, position: int, reason: str) -> None:
        """Make a dead letter of a document."""
        [(number, at)] = attempt.locate([position])
        payload = attempt.payloads[number]
        attempt.tallies[number].not_delivered(payload.indices[at], dead=True)
        self._rejected += 1
        self._rejection = f"index {payload.indices[at]}: {reason}"
        self._dead_letters.add(
            stage="output",
            reason=reason,
            raw=(payload.events or payload.documents)[at],
            plugin=self._name,
            event_id=payload.ids[at],
            document_id=(payload.document_ids or payload.ids)[at],
            index=payload.indices[at],
        )


def _rewritten(document: bytes) -> bytes:
    """Return a document decoded and encoded again, unchanged if it is not JSON."""
    try:
        return dumps(loads(document))
    except NotJsonError:
        return document
