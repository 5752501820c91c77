"""Bulk requests until every document has its fate: stored, or a dead letter."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator, Sequence

from ingestd import metrics
from ingestd.event.jsontext import NotJsonError, dumps, loads
from ingestd.logs import get_logger
from ingestd.plugins.registry import DeadLetters
from ingestd.protocols.bulk import BulkResult, Dead, Verdict, read_answer
from ingestd.stores.elastic.client import ElasticClient
from ingestd.stores.elastic.errors import ElasticUnavailable

log = get_logger(__name__)

Item = tuple[bytes, bytes]
"""An action line with its line end, and a document without one."""

_PAUSE_SECONDS = 60.0
_BAD_REQUEST = 400


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


class BulkSender:
    """Sends items until each is stored or dead; what the servers answer decides which are sent again."""

    def __init__(
        self, client: ElasticClient, name: str, dead_letters: DeadLetters, retry: Retry, *, pipeline: str | None = None
    ) -> None:
        self._client, self._name, self._dead_letters, self._retry = client, name, dead_letters, retry
        self._pipeline = pipeline

    async def send(self, items: Sequence[Item], *, mended: bool = False) -> None:
        """Return when every item has its fate. ``mended``: documents were decoded and written anew already."""
        for attempt in self._retry.attempts():
            if not items:
                return
            result, retry_after = await self._request(items)
            match result.verdict:
                case Verdict.ITEMS:
                    await self._bury([(items[one.position], one) for one in result.dead], mended=mended)
                    items = [items[position] for position in result.retry]
                case Verdict.SPLIT if len(items) > 1:
                    half = len(items) // 2
                    await self.send(items[:half], mended=mended)
                    await self.send(items[half:], mended=mended)
                    return
                case Verdict.SPLIT:
                    self._dead(items[0], result.reason)
                    return
                case Verdict.PAUSE:
                    text = "the server refuses us; delivery waits until it does not"
                    log.error(text, output=self._name, reason=result.reason)
                    retry_after = max(retry_after, _PAUSE_SECONDS)
            if items:
                await self._again(attempt, len(items), result.reason, retry_after)

    async def _request(self, items: Sequence[Item]) -> tuple[BulkResult, float]:
        """Send one request; an answer that does not come is a retry."""
        body = b"".join([b"%b%b\n" % item for item in items])
        begin = asyncio.get_running_loop().time()
        try:
            answer = await self._client.bulk(body, pipeline=self._pipeline)
        except ElasticUnavailable as error:
            return BulkResult(Verdict.RETRY, reason=str(error)), 0.0
        metrics.BULK_SECONDS.observe(asyncio.get_running_loop().time() - begin, self._name)
        metrics.BULK_BYTES.observe(len(body), self._name)
        return read_answer(answer.status, answer.body, len(items)), answer.retry_after or 0.0

    async def _again(self, attempt: int, events: int, reason: str, retry_after: float) -> None:
        log.warning("a delivery is tried again", output=self._name, events=events, reason=reason)
        metrics.REQUESTS_RETRIED.add(1, self._name, "bulk")
        metrics.EVENTS_RETRIED.add(events, self._name, "bulk")
        await self._retry.wait(attempt, retry_after)

    async def _bury(self, refused: list[tuple[Item, Dead]], *, mended: bool) -> None:
        """Make dead letters of what was refused, but give a document that may only be written badly one more try.

        A record whose untouched fields hold a key twice, or a number out of range, is refused as it came;
        decoded in full and written anew it is sound.
        """
        hopeful: list[Item] = []
        for (action, document), dead in refused:
            anew = b"" if mended or dead.status != _BAD_REQUEST else _rewritten(document)
            if anew and anew != document:
                hopeful.append((action, anew))
            else:
                self._dead((action, document), dead.reason)
        if hopeful:
            await self.send(hopeful, mended=True)

    def _dead(self, item: Item, reason: str) -> None:
        self._dead_letters.add(stage="output", reason=reason, raw=item[1], plugin=self._name)


def _rewritten(document: bytes) -> bytes:
    try:
        return dumps(loads(document))
    except NotJsonError:
        return b""
