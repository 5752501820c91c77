"""What a query process answers: a call of the store or a look at the data folder, made into the JSON of a page.

Runs in the query process, so that neither a heavy query nor a large answer holds up anything else.
"""

from __future__ import annotations

import datetime
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ingestd.event.fields import FieldError
from ingestd.event.jsontext import dumps
from ingestd.lifecycle.retention import Rules, next_deletion
from ingestd.stores.base import Hit, IndexInfo, LogStore, QueryTimeoutError, StoreError
from ingestd.stores.query import Query, QueryError
from ingestd.web.api.intervals import MOST_BARS, bar_seconds
from ingestd.web.api.params import ParameterError

MOST_BYTES = 16 << 20
"""A page of hits ends early when it gets longer, and says where to go on."""

MOST_SERIES = 50
"""Values of a field that a histogram tells apart."""

OTHERS = "…"

_AGAIN_SECONDS = 0.2
"""How long a write of the daemon that is under way may take."""

Arguments = dict[str, Any]


class Answer(NamedTuple):
    """An HTTP status and a JSON text."""

    status: int
    body: bytes


def refusal(status: int, message: str, **more: Any) -> Answer:
    """Return the answer that says why there is none; ``message`` is one sentence for people."""
    return Answer(status, dumps({"error": {"message": message, **more}}))


class Answers:
    """Answers what is asked of one store and one data folder. The store is opened at the first call for it.

    ``rules`` are those by which the daemon deletes its indices; None: it does not. ``orders`` are the settings of the
    backups of this store, as texts by name; None: there are none.
    """

    def __init__(
        self,
        open_store: Callable[[], LogStore],
        data_dir: Path,
        rules: Rules | None = None,
        orders: Mapping[str, str] | None = None,
    ) -> None:
        self._open, self._data_dir, self._rules, self._orders = open_store, data_dir, rules, orders
        self._store: LogStore | None = None
        self._calls = {
            "search": self._search,
            "histogram": self._histogram,
            "top": self._top,
            "indices": self._indices,
            "dead_letters": self._dead_letters,
            "audit": self._audit,
        }

    def interrupt(self) -> None:
        """End the query that runs, from another thread, if the store can do that."""
        interrupt = getattr(self._store, "interrupt", None)
        if interrupt is not None:
            interrupt()

    def answer(self, call: str, arguments: Arguments) -> Answer:
        """Return the answer to a call; what goes wrong is told in it. Raises MemoryError."""
        began = time.monotonic()
        try:
            document = self._calls[call](arguments)
        except QueryError as error:
            return refusal(400, error.message, column=error.column, length=error.length, hint=error.hint)
        except (FieldError, ParameterError) as error:
            return refusal(400, str(error))
        except QueryTimeoutError as error:
            return refusal(504, str(error))
        except StoreError as error:
            return refusal(503, str(error))
        except OSError as error:
            return refusal(503, f"the data folder cannot be read: {error.strerror or error}")
        if len(document) > 2 * MOST_BYTES:
            return refusal(503, "the answer is too large; ask for less, or for a field with shorter values")
        ms = round((time.monotonic() - began) * 1000)
        return Answer(200, document[:-1] + b',"ms":%d}' % ms)

    @property
    def _asked(self) -> LogStore:
        if self._store is None:
            self._store = self._open()
        return self._store

    def _search(self, arguments: Arguments) -> bytes:
        limit, after = arguments["limit"], arguments["after"]
        query = _query(arguments)
        hits: list[bytes] = []
        size, cursor = 0, None
        try:
            for hit in self._asked.search(query, limit, after):
                hits.append(_hit(hit))
                size += len(hits[-1])
                if len(hits) == limit or size > MOST_BYTES:
                    cursor = hit.cursor
                    break
        except ValueError:
            if after is None:
                raise
            raise ParameterError("after is no cursor of this store") from None
        return b'{"hits":[%b],"next":%b}' % (b",".join(hits), dumps(cursor))

    def _histogram(self, arguments: Arguments) -> bytes:
        query, now = _query(arguments), arguments["now"]
        since = query.since or self._earliest() or now
        span_s = max((_moment(query.until or now) - _moment(since)).total_seconds(), 0)
        seconds = arguments["seconds"] or bar_seconds(span_s)
        if span_s / seconds > MOST_BARS:
            raise ParameterError(f"that makes more than {MOST_BARS:,} bars; choose a shorter time range or wider bars")
        buckets = self._asked.histogram(query, seconds, arguments["offset"], arguments["field"])
        series: Counter[str] = Counter()
        for one in buckets:
            series.update(one.counts)
        kept = {name for name, _ in series.most_common(MOST_SERIES)}
        shown = [{"time": one.time, "counts": _folded(one.counts, kept)} for one in buckets]
        total = series.total()
        return dumps({"seconds": seconds, "buckets": shown, "total": total})

    def _earliest(self) -> str | None:
        """Return the begin of the first day there is, as far east as one may count it."""
        days = [one.day for one in self._asked.indices() if one.day is not None]
        if not days:
            return None
        first = datetime.datetime.combine(min(days), datetime.time()) - datetime.timedelta(hours=14)
        return first.isoformat() + "Z"

    def _top(self, arguments: Arguments) -> bytes:
        found = self._asked.top(arguments["field"], _query(arguments), arguments["n"])
        values = [{"value": one.value, "count": one.count} for one in found]
        return dumps({"field": arguments["field"], "values": values})

    def _indices(self, _: Arguments) -> bytes:
        backups: dict[str, dict[str, str]] = {}
        kept: dict[str, datetime.date] = {}
        if self._orders is not None:
            from ingestd.web.backup_news import BackupNews  # noqa: PLC0415 -- most queries need none

            news = BackupNews(self._orders)
            backups, kept = news.verified(), news.kept_until()
        shown = [
            {
                "index": one.index,
                "day": one.day and one.day.isoformat(),
                "events": one.events,
                "bytes": one.bytes,
                "backup": backups.get(one.index),
                "delete_at": self._deletion(one, kept.get(one.index)),
            }
            for one in self._asked.indices()
        ]
        return dumps({"indices": shown})

    def _deletion(self, index: IndexInfo, kept_until: datetime.date | None) -> str | None:
        """Return the day on which age lets an index go; what space, count or a hold do about it is not foretold."""
        day = None if self._rules is None else next_deletion(index, self._rules)
        if day is None:
            return None
        return max(day, kept_until or day).isoformat()

    def _dead_letters(self, _: Arguments) -> bytes:
        from ingestd.dead_letters.reader import DeadLetterReader, dead_letters_folder  # noqa: PLC0415 -- few ask for them

        counts: Counter[tuple[str, str]] = Counter()
        for found in DeadLetterReader(dead_letters_folder(self._data_dir)).read():
            if found.dead_letter is not None:
                counts[found.dead_letter.reason, found.dead_letter.stage] += 1
        groups = [
            {"reason": reason, "stage": stage, "count": count} for (reason, stage), count in counts.most_common(100)
        ]
        return dumps({"dead_letters": groups})

    def _audit(self, _: Arguments) -> bytes:
        from ingestd.pipeline.audit import accounts, overall  # noqa: PLC0415

        found = accounts(self._data_dir, lambda: time.sleep(_AGAIN_SECONDS))
        sheet = overall(found).document()
        return dumps({"audit": sheet | {"balanced": not any(one.total.difference for one in found)}})


def _folded(counts: dict[str, int], kept: set[str]) -> dict[str, int]:
    """Return the counts of the values that are kept, and of all others together."""
    if counts.keys() <= kept:
        return counts
    folded = {name: count for name, count in counts.items() if name in kept}
    folded[OTHERS] = sum(counts.values()) - sum(folded.values()) + folded.pop(OTHERS, 0)
    return folded


def _query(arguments: Arguments) -> Query:
    from ingestd.stores.lucene import parse  # noqa: PLC0415 -- the status page needs no parser

    return Query(arguments["since"], arguments["until"], parse(arguments["q"]))


def _hit(hit: Hit) -> bytes:
    """Return a hit as JSON: the document in it stays byte for byte what was stored."""
    names = dumps({"index": hit.index, "id": hit.id, "cursor": hit.cursor})
    return names[:-1] + b',"event":' + hit.document + b"}"


def _moment(time_text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(time_text[:19] + "+00:00")
