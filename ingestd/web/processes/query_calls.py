"""The calls of a query process: it queries the store or reads the data folder, and renders the JSON of the API.

All of it runs in the query process, so that neither a heavy query nor a large response delays anything else.
"""

from __future__ import annotations

import datetime
import errno
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ingestd.analytics.periods import MAX_BARS, bar_seconds
from ingestd.event.fields import FieldError
from ingestd.event.jsontext import dumps
from ingestd.lifecycle.retention import next_deletion
from ingestd.plugins._kafka_offsets import TIMEOUT_S, offsets_document
from ingestd.settings import read_stored_zone
from ingestd.stores.aggregation import Aggregation, AggregationError, Interval, Metric, Terms, Value, with_end
from ingestd.stores.base import (
    Hit,
    IndexInfo,
    LogStore,
    QueryMemoryError,
    QueryTimeoutError,
    QueryTooLongError,
    StoreError,
    take_missing,
)
from ingestd.stores.known_fields import PATH_FIELDS
from ingestd.stores.level_histogram import level_histogram
from ingestd.stores.misspelt import misspelt, not_searched
from ingestd.stores.query import Query, QueryError, check_field, names_index
from ingestd.web.params import ParameterError
from ingestd.web.protocol import Arguments, QueryProcessConfig, QueryResponse, error_response

MAX_PAGE_BYTES = 16 << 20
"""A longer page of hits is cut short; its cursor continues after the last hit on it."""

MAX_SERIES = 50
"""Values of a field that a histogram counts separately."""

MAX_VALUE_CHARS = 1000
"""Of a value in lists, charts and tables; the rest of a longer one is `OTHERS`. Filters by such a one find nothing."""

OTHERS = "…"

_LOOK_SECONDS = 4.0
"""How long a diagnosis waits for Kafka's brokers, which may be unavailable."""

_WRITE_SECONDS = 0.2
"""How long the daemon may take to finish a write to the journal."""


class QueryCalls:
    """Runs calls on one store and one data folder. The store is opened by the first call that needs it.

    Args:
        open_store: Opens the store.
        setup: The data folder, and what the daemon does with the store.
    """

    def __init__(self, open_store: Callable[[], LogStore], setup: QueryProcessConfig) -> None:
        self._open, self._data_dir = open_store, Path(setup.data_dir)
        self._retention, self._action_settings = setup.retention, setup.action_settings
        self._configs, self._kafka_clients = setup.configs, setup.kafka
        self._fills_store = setup.fills_store
        self._store: LogStore | None = None
        self._calls = {
            "search": self._search,
            "histogram": self._histogram,
            "top": self._top,
            "aggregate": self._aggregate,
            "words": self._words,
            "word": self._word,
            "indices": self._indices,
            "dead_letters": self._dead_letters,
            "audit": self._audit,
            "accounts": self._accounts,
            "kafka": self._kafka,
            "doctor": self._doctor,
            "trace": self._trace,
            "alert_preview": self._alert_preview,
            "problems": self._problems,
            "problem_known": self._problem_known,
        }

    def interrupt(self) -> None:
        """End the running query, from another thread, if the store can do that."""
        interrupt = getattr(self._store, "interrupt", None)
        if interrupt is not None:
            interrupt()

    def run(self, call: str, arguments: Arguments) -> QueryResponse:
        """Return the response to a call; expected errors are in it. Raises KeyError.

        Raises:
            MemoryError: The process has no more memory, or what it has left cannot be relied on.
        """
        started = time.monotonic()
        try:
            document = self._calls[call](arguments)
        except QueryError as error:
            details = {name: getattr(error, name) for name in ("column", "length", "hint", "kind", "values")}
            return error_response(400, error.message, **details)
        except _RuleError as error:
            return error_response(400, str(error), field=error.field)
        except (FieldError, ParameterError, AggregationError, QueryTooLongError) as error:
            return error_response(400, str(error))
        except QueryTimeoutError as error:
            return error_response(504, str(error))
        except StoreError as error:
            if is_out_of_memory(error) or is_out_of_memory(error.__cause__):
                raise MemoryError from error
            return error_response(503, str(error))
        except OSError as error:
            if is_out_of_memory(error):
                raise MemoryError from error
            return error_response(503, f"the data folder cannot be read: {error.strerror or error}")
        if len(document) > 2 * MAX_PAGE_BYTES:
            return error_response(503, "the response is too large; request fewer values, or a field with shorter ones")
        ms = round((time.monotonic() - started) * 1000)
        missing = take_missing(self._store) if self._store is not None else []
        incomplete = b',"missing":%b' % dumps(missing) if missing else b""
        return QueryResponse(200, document[:-1] + incomplete + b',"ms":%d}' % ms)

    @property
    def _opened(self) -> LogStore:
        if self._store is None:
            self._store = self._open()
        return self._store

    def _search(self, arguments: Arguments) -> bytes:
        limit, after = arguments["limit"], arguments["after"]
        query = _query(arguments)
        hits: list[bytes] = []
        size, cursor = 0, None
        try:
            for hit in self._opened.search(query, limit, after):
                hits.append(_hit(hit))
                size += len(hits[-1])
                if len(hits) == limit or size > MAX_PAGE_BYTES:
                    cursor = hit.cursor
                    break
        except ValueError:
            if after is None:
                raise
            raise ParameterError("after is not a cursor of this store") from None
        hints = []
        if not hits and after is None:
            hints = misspelt(self._opened, query.condition) + not_searched(self._opened, query.condition)
        return b'{"hits":[%b],"next":%b,"hints":%b}' % (b",".join(hits), dumps(cursor), dumps(hints))

    def _histogram(self, arguments: Arguments) -> bytes:
        query, now = _query(arguments), arguments["now"]
        since = query.since or self._earliest(query) or now
        span_s = max((_moment(query.until or now) - _moment(since)).total_seconds(), 0)
        seconds = arguments["seconds"] or bar_seconds(span_s)
        if span_s / seconds > MAX_BARS:
            raise ParameterError(f"that makes more than {MAX_BARS:,} bars; choose a shorter time range or wider bars")
        offset, store = arguments["offset"], self._opened
        buckets = level_histogram(lambda of, by: store.histogram(of, seconds, offset, by), query, arguments["field"])
        counted = [(bucket.time, _shortened(bucket.counts)) for bucket in buckets]
        series: Counter[str] = Counter()
        for _, counts in counted:
            series.update(counts)
        kept = {name for name, _ in series.most_common(MAX_SERIES)}
        shown = [{"time": at, "counts": _folded(counts, kept)} for at, counts in counted]
        total = series.total()
        return dumps({"seconds": seconds, "buckets": shown, "total": total})

    def _earliest(self, query: Query) -> str | None:
        """Return the start of the oldest day that a query is about, in the easternmost time zone, UTC+14."""
        asked = partial(names_index, query.condition)
        days = [
            index.day
            for index in self._opened.indices()
            if index.day is not None and (not index.restored_from or asked(index.index))
        ]
        if not days:
            return None
        first = datetime.datetime.combine(min(days), datetime.time())
        if min(days) > datetime.date.min:
            first -= datetime.timedelta(hours=14)
        return first.isoformat() + "Z"

    def _top(self, arguments: Arguments) -> bytes:
        field, number, paths = arguments["field"], arguments["n"], arguments.get("paths", False)
        found = self._opened.top(field, _query(arguments), number, paths=paths)
        values = [{"value": _short(top.value), "count": top.count} for top in found]
        return dumps({"field": field, "values": values})

    def _aggregate(self, arguments: Arguments) -> bytes:
        query, seconds = _query(arguments), arguments["seconds"]
        for field in arguments["by"]:
            check_field(field)
        terms = [Terms(field, arguments["n"], arguments["paths"] and field in PATH_FIELDS) for field in arguments["by"]]
        interval = Interval(seconds, ((None, arguments["offset"]),)) if seconds else None
        wanted = Aggregation(tuple(map(Metric.parse, arguments["metrics"])), tuple(terms), interval)
        found = self._opened.aggregate(with_end(query, wanted, arguments["now"]), wanted)
        short = [replace(bucket, key=tuple(map(_short, bucket.key))) for bucket in found]
        return dumps({"buckets": [bucket.document(wanted) for bucket in short]})

    def _words(self, arguments: Arguments) -> bytes:
        from ingestd.web.processes.word_calls import words_document  # noqa: PLC0415 -- most queries do not need it

        return words_document(self._opened, _query(arguments), arguments)

    def _word(self, arguments: Arguments) -> bytes:
        from ingestd.web.processes.word_calls import word_document  # noqa: PLC0415 -- most queries do not need it

        return word_document(self._opened, _query(arguments), arguments)

    def _indices(self, _: Arguments) -> bytes:
        backups: dict[str, dict[str, str | int | None]] = {}
        kept: dict[str, datetime.date] = {}
        if self._action_settings is not None:
            from ingestd.web.lifecycle_summary import BackupSummary  # noqa: PLC0415 -- most queries do not need it

            summary = BackupSummary(self._action_settings)
            backups, kept = summary.verified(), summary.kept_until()
        shown = [
            {
                "index": index.index,
                "day": index.day and index.day.isoformat(),
                "events": index.events,
                "bytes": index.bytes,
                "backup": backups.get(index.index) or backups.get(index.restored_from),
                "delete_at": self._deletion(index, kept.get(index.index)),
                "restored_from": index.restored_from or None,
            }
            for index in self._opened.indices()
        ]
        return dumps({"indices": shown})

    def _deletion(self, index: IndexInfo, kept_until: datetime.date | None) -> str | None:
        """Return the day on which an index is deleted because of its age; space, count and holds are not predicted."""
        day = None if self._retention is None else next_deletion(index, self._retention)
        if day is None:
            return None
        return max(day, kept_until or day).isoformat()

    def _dead_letters(self, _: Arguments) -> bytes:
        from ingestd.dead_letters.reader import DeadLetterReader, dead_letters_folder  # noqa: PLC0415 -- rarely needed

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

        found = accounts(self._data_dir, lambda: time.sleep(_WRITE_SECONDS))
        sheet = overall(found).document()
        return dumps({"audit": sheet | {"balanced": not any(account.total.difference for account in found)}})

    def _accounts(self, _: Arguments) -> bytes:
        from ingestd.pipeline.audit import accounts, accounts_document  # noqa: PLC0415

        zone = read_stored_zone(self._data_dir)
        days = ZoneInfo(zone.zone) if zone is not None else datetime.UTC
        found = accounts(self._data_dir, lambda: time.sleep(_WRITE_SECONDS), days)
        return dumps(accounts_document(found))

    def _kafka(self, arguments: Arguments) -> bytes:
        return dumps({"kafka": self._offsets(arguments["topics"])})

    def _offsets(self, topics: Sequence[str] = (), timeout_s: float = TIMEOUT_S) -> list[dict[str, Any]]:
        return [offsets_document(client, topics, timeout_s) for client in self._kafka_clients]

    def _doctor(self, arguments: Arguments) -> bytes:
        from ingestd.diagnosis.facts import UnsupportedClients  # noqa: PLC0415 -- rarely needed
        from ingestd.diagnosis.kafka_checks import kafka_states  # noqa: PLC0415 -- rarely needed
        from ingestd.web.diagnosis import diagnosis  # noqa: PLC0415 -- rarely needed

        clients = tuple(UnsupportedClients(*row) for row in arguments["senders"])
        document = diagnosis(
            self._opened,
            self._data_dir,
            self._retention,
            self._action_settings,
            clients,
            arguments["lang"],
            kafka=kafka_states(self._offsets(timeout_s=_LOOK_SECONDS)),
            fills_store=self._fills_store,
        )
        return dumps(document)

    def _problems(self, arguments: Arguments) -> bytes:
        from ingestd.analytics.problem_marks import load_marks  # noqa: PLC0415 -- most queries do not need it
        from ingestd.analytics.problems import list_problems  # noqa: PLC0415

        marks, query, number = load_marks(self._data_dir), _query(arguments), arguments["n"]
        wanted = arguments["problem"]
        found = list_problems(self._opened, query, marks, problem=wanted, limit=number, now=arguments["now"])
        return dumps({"problems": [problem.document() for problem in found]})

    def _problem_known(self, arguments: Arguments) -> bytes:
        from ingestd.analytics.problems import is_known  # noqa: PLC0415 -- most queries do not need it

        return dumps({"known": is_known(self._data_dir, self._opened, arguments["problem"])})

    def _trace(self, arguments: Arguments) -> bytes:
        if not self._configs:
            raise ParameterError("events are not traced here")
        from ingestd.web.event_trace import EventNotFoundError, trace_event  # noqa: PLC0415 -- rarely needed

        try:
            document = trace_event(self._opened, self._configs, arguments["index"], arguments["id"], arguments["time"])
        except EventNotFoundError as error:
            raise ParameterError(str(error)) from None
        return dumps(document)

    def _alert_preview(self, arguments: Arguments) -> bytes:
        from ingestd.alerts.preview import preview  # noqa: PLC0415 -- rarely needed
        from ingestd.alerts.rules import make_rule  # noqa: PLC0415
        from ingestd.settings import parse_rule  # noqa: PLC0415
        from ingestd.stores.lucene import parse  # noqa: PLC0415

        raw = {key: value for key, value in arguments["rule"].items() if key != "channels"}
        try:
            found = parse_rule(raw)
            parse(found.query)  # its error says where the mistake is
            rule = make_rule("preview", found, ())
        except QueryError:
            raise
        except ValueError as error:
            raise _RuleError(str(error), getattr(error, "key", "")) from None
        return dumps(preview(self._opened, rule, arguments["now"], arguments["days"]))


class _RuleError(ParameterError):
    """A rule of an alert is wrong; ``field`` is the setting, empty if that is not known."""

    def __init__(self, text: str, field: str) -> None:
        super().__init__(text)
        self.field = field


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error comes from the memory limit of the process or of DuckDB."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # DuckDB is not imported for its class; Python has none for a thread that cannot get its stack.
    known = type(error).__name__ == "OutOfMemoryException" or str(error) == "can't start new thread"
    return known or isinstance(error, QueryMemoryError | MemoryError)


def _short(value: Value) -> Value:
    """Return a value as it is shown: one of 100 kB would be in each bar and row."""
    if isinstance(value, str) and len(value) > MAX_VALUE_CHARS:
        return value[:MAX_VALUE_CHARS] + OTHERS
    return value


def _shortened(counts: dict[str, int]) -> dict[str, int]:
    """Return counts by shown values; those that start in the same way are one."""
    if not counts or len(max(counts, key=len)) <= MAX_VALUE_CHARS:
        return counts
    found: Counter[str] = Counter()
    for name, count in counts.items():
        found[str(_short(name))] += count
    return dict(found)


def _folded(counts: dict[str, int], kept: set[str]) -> dict[str, int]:
    """Return the counts of the ``kept`` values, and the sum of all others."""
    if counts.keys() <= kept:
        return counts
    folded = {name: count for name, count in counts.items() if name in kept}
    folded[OTHERS] = sum(counts.values()) - sum(folded.values()) + folded.pop(OTHERS, 0)
    return folded


def _query(arguments: Arguments) -> Query:
    from ingestd.stores.lucene import parse  # noqa: PLC0415 -- the status page does not need the parser

    return Query(arguments["since"], arguments["until"], parse(arguments["q"]))


def _hit(hit: Hit) -> bytes:
    """Return a hit as JSON; its document is what the store returned."""
    names = dumps({"index": hit.index, "id": hit.id, "cursor": hit.cursor})
    return names[:-1] + b',"event":' + hit.document + b"}"


def _moment(time_text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(time_text[:19] + "+00:00")
