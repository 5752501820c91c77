"""``ElasticStore``: the indices of Elasticsearch 8 and 9 or OpenSearch 2 and 3 as a `LogStore`.

*Pages.* There is no sorting by ``_id``, and a point in time is another thing in each server. So hits are sorted by
``@timestamp``, index and ``_seq_no``, which both servers have, which is the same in every copy of a shard, and which
no merge changes. Shards of one index can share a number: a cursor also names the documents that had the very place,
the search goes on at this place, and these are left out.

*Documents* come byte for byte as they were sent: an answer is read without reading its ``_source``.

*Exactness.* ``top`` asks each shard for many more values than wanted, and again for more yet, until the servers
say that nothing can have been missed. Times are exact to the millisecond, which is what the servers keep.
"""

from __future__ import annotations

import base64
import datetime
import re
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ingestd.stores.base import (
    Bucket,
    Hit,
    IndexInfo,
    InvalidIndexError,
    QueryTimeoutError,
    StoreError,
    TopValue,
)
from ingestd.stores.elastic.background import Background
from ingestd.stores.elastic.client import ElasticClient, quote_part
from ingestd.stores.elastic.dsl import Clause, fields_of, query_clause
from ingestd.stores.elastic.errors import ElasticRefused, ElasticUnavailable
from ingestd.stores.elastic.mapping import Fields, Kind, Way, asked
from ingestd.stores.elastic.options import ElasticOptions
from ingestd.stores.query import Query

if TYPE_CHECKING:
    from elastic_transport import ApiResponse
    from elasticsearch import AsyncElasticsearch

T = TypeVar("T")

INDICES = "logstash-*"
PAGE_HITS = 500
SHARD_VALUES = 2_000  # values that a shard sends for `top`, at least; again times 16 if that was not enough
MOST_SHARD_VALUES = 1_000_000
SERIES = 500  # values that a stretch of a histogram tells apart
SORT = [
    {"@timestamp": {"order": "desc", "unmapped_type": "date", "missing": 0}},
    {"_index": {"order": "desc", "unmapped_type": "keyword"}},  # OpenSearch knows it of no index that is new
    {"_seq_no": {"order": "desc", "unmapped_type": "long"}},
]
_ANY_INDICES: dict[str, Any] = {"ignore_unavailable": True, "allow_no_indices": True}
"""For every search: no index at all is an empty answer."""

_ALL_SHARDS = _ANY_INDICES | {"allow_partial_search_results": False}
"""A shard that does not answer is an error, not a smaller answer."""

_DAY = re.compile(r"(\d{4})[.-](\d\d)[.-](\d\d)\Z", re.ASCII)
_TOO_MANY = ("too_many_clauses", "TooManyClauses", "maxClauseCount", "too many clauses")


class _Place(msgspec.Struct, array_like=True, frozen=True):
    """A place in the order of hits, and the documents there that were returned already."""

    time: int
    index: str
    number: int
    ids: tuple[str, ...] = ()


class _Hit(msgspec.Struct, kw_only=True):
    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")
    source: msgspec.Raw = msgspec.field(name="_source")
    sort: tuple[int, str, int]


class _Hits(msgspec.Struct):
    hits: list[_Hit] = []


class _Answer(msgspec.Struct):
    hits: _Hits
    timed_out: bool = False


_ANSWER = msgspec.json.Decoder(_Answer)
_PLACE = msgspec.json.Decoder(_Place)


class ElasticStore:
    """A `LogStore` over the indices that ``indices`` names; calls block, from any thread.

    Args:
        options: The connection. `ElasticOptions.timeout` bounds each request.
        indices: Names with wildcards, separated by commas.

    Raises:
        ValueError: An option is wrong, or a certificate file is.
    """

    def __init__(self, options: ElasticOptions, indices: str = INDICES) -> None:
        self._client = ElasticClient(options)
        self._indices = indices
        self._background = Background("elastic-store")

    def __repr__(self) -> str:
        return f"ElasticStore({self._client!r}, {self._indices!r})"

    def indices(self) -> list[IndexInfo]:
        """Return the indices in the order of their names; ``bytes`` are those of all copies."""
        columns = "index,docs.count,store.size"
        rows = self._call(self._api.cat.indices(index=self._indices, format="json", bytes="b", h=columns))
        if not isinstance(rows, list):
            raise StoreError("what answers is no Elasticsearch: it cannot list its indices")
        return sorted(
            (
                IndexInfo(row["index"], _day_of(row["index"]), int(row["docs.count"] or 0), int(row["store.size"] or 0))
                for row in rows
            ),
            key=lambda info: info.index,
        )

    def search(self, query: Query, limit: int = 50, after: str | None = None) -> Iterator[Hit]:
        """Return the matching documents newest first, at most ``limit``; 0 is no limit.

        They are read page by page as the caller goes on. At the same time, what came later is first.

        Raises:
            ValueError: ``limit`` is negative, or ``after`` is no cursor.
        """
        if limit < 0:
            raise ValueError("a limit is not negative")
        place = None if after is None else _place(after)
        return self._hits(query_clause(query, self._fields(fields_of(query.where))), limit, place)

    def _hits(self, clause: Clause, limit: int, place: _Place | None) -> Iterator[Hit]:
        left = limit
        while True:
            seen = () if place is None else place.ids
            size = (min(left, PAGE_HITS) if limit else PAGE_HITS) + len(seen)
            found = self._page(clause, size, place)
            for hit in found:
                known = place.ids if place is not None and hit.sort == (place.time, place.index, place.number) else ()
                if hit.id in known:
                    continue
                place = _Place(*hit.sort, (*known, hit.id))
                yield Hit(hit.index, hit.id, bytes(hit.source), _cursor(place))
                left -= 1
                if left == 0:
                    return
            if len(found) < size:
                return

    def count(self, query: Query) -> int:
        """Return how many documents match."""
        clause = query_clause(query, self._fields(fields_of(query.where)))
        answer = self._call(self._api.count(index=self._indices, query=clause, **_ANY_INDICES))
        return int(answer["count"])

    def top(self, field: str, query: Query, n: int = 20) -> list[TopValue]:
        """Return the ``n`` most frequent values of ``field``, the most frequent first, equals by value."""
        fields = self._fields([field, *fields_of(query.where)])
        clause = query_clause(query, fields)
        ways = [way for way in fields.values(field) if way.kind not in {Kind.TEXT, Kind.OTHER}]
        if len(ways) == 1:
            return self._top(ways[0], clause, n)
        counts: dict[Any, int] = defaultdict(int)  # a field that is a number here and a text there
        for way in ways:
            for found in self._top(way, clause, max(n, SHARD_VALUES)):
                counts[type(found.value), found.value] += found.count
        ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0][1]), item[0][0].__name__))
        return [TopValue(value, count) for (_, value), count in ranked[:n]]

    def histogram(self, query: Query, seconds: int, offset: int = 0, field: str = "level") -> list[Bucket]:
        """Return the number of documents over time, by ``field``, which may have `SERIES` values in a stretch."""
        fields = self._fields([field, *fields_of(query.where)])
        ways = [way for way in fields.values(field) if way.kind not in {Kind.TEXT, Kind.OTHER}]
        body = _histogram_body(query_clause(query, fields), seconds, offset)
        totals: dict[int, dict[str, int]] = {}
        for indices, way in self._split(ways):
            for bucket in self._buckets(indices, way, body):
                counts = totals.setdefault(bucket["key"], defaultdict(int))
                for value, count in _counts(bucket, way):
                    counts[value.upper() if field == "level" else value] += count
        return [Bucket(_utc(key), dict(sorted(counts.items()))) for key, counts in sorted(totals.items())]

    def delete(self, index: str) -> None:
        """Delete an index; nothing happens if it is not there.

        Raises:
            InvalidIndexError: The name is a pattern, or of none of our indices.
        """
        if not index or any(char in index for char in '*?,/\\ "<>|#') or index[0] in "-_+.":
            raise InvalidIndexError(index, "it does not name one index")
        if not any(fnmatchcase(index, pattern) for pattern in self._indices.split(",")):
            raise InvalidIndexError(index, f"it is none of {self._indices}")
        self._call(self._api.indices.delete(index=index, ignore_unavailable=True))

    def interrupt(self) -> None:
        """End the queries that run, from another thread: they raise `QueryTimeoutError`.

        Their connections close, upon which the servers give up the search.
        """
        self._background.cancel()

    def close(self) -> None:
        """Close the connections and end the thread."""
        if not self._background.closed:
            self._background.run(self._client.close())
            self._background.close()

    @property
    def _api(self) -> AsyncElasticsearch:
        return self._client.api

    def _fields(self, names: Iterable[str]) -> Fields:
        """Ask how fields are indexed now: an index with a new field may have come since the last query."""
        wanted = asked(names)
        if not wanted:
            return Fields({})
        # Not `api.field_caps`: it puts the names into the body, where OpenSearch does not take them.
        path, params = f"/{quote_part(self._indices)}/_field_caps", {"fields": wanted, **_ANY_INDICES}
        headers = {"accept": "application/json"}
        return Fields.read(self._call(self._api.perform_request("GET", path, params=params, headers=headers)))

    def _page(self, clause: Clause, size: int, place: _Place | None) -> list[_Hit]:
        body = {"query": clause, "size": size, "sort": SORT, "track_total_hits": False}
        if place is not None:
            body["search_after"] = [place.time, place.index, place.number + 1]
        data = self._run(self._client.search(f"/{quote_part(self._indices)}/_search", body, _ALL_SHARDS))
        return _ANSWER.decode(data).hits.hits

    def _top(self, way: Way, clause: Clause, n: int) -> list[TopValue]:
        shard_size = max(SHARD_VALUES, 10 * n)
        while True:
            terms: dict[str, Any] = {"field": way.name, "size": n, "shard_size": shard_size}
            if way.kind is Kind.KEYWORD:
                terms["exclude"] = [""]
            body = {"query": clause, "size": 0, "track_total_hits": False, "aggs": {"top": {"terms": terms}}}
            answer = self._search(_named(way.indices), body)
            found = answer.get("aggregations", {}).get("top", {"buckets": []})
            if not found.get("doc_count_error_upper_bound") or shard_size >= MOST_SHARD_VALUES:
                return [TopValue(_typed(bucket, way.kind), bucket["doc_count"]) for bucket in found["buckets"]]
            shard_size *= 16

    def _buckets(self, indices: str, way: Way | None, body: dict[str, Any]) -> list[Any]:
        if way is not None:
            parts = {
                "values": {"terms": {"field": way.name, "size": SERIES, "shard_size": SHARD_VALUES}},
                "none": {"missing": {"field": way.name}},
            }
            body = body | {"aggs": {"time": body["aggs"]["time"] | {"aggs": parts}}}
        answer = self._search(indices, body)
        found: list[Any] = answer.get("aggregations", {}).get("time", {}).get("buckets", [])
        return found

    def _split(self, ways: Sequence[Way]) -> list[tuple[str, Way | None]]:
        """Return which indices to ask in which way, each once; those without the field in none."""
        if not ways:
            return [("", None)]
        if ways[0].indices is None:
            return [("", ways[0])]
        others = [self._indices, *(f"-{index}" for way in ways for index in way.indices or ())]
        return [*((_named(way.indices), way) for way in ways), (",".join(others), None)]

    def _search(self, indices: str, body: dict[str, Any]) -> Any:
        return self._call(self._api.search(index=indices or self._indices, body=body, **_ALL_SHARDS))

    def _call(self, request: Coroutine[Any, Any, ApiResponse[Any]]) -> Any:
        """Wait for the parsed answer to a request of the official client."""
        return self._run(request).body

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._background.closed:
            work.close()
            raise StoreError("the store was closed")
        try:
            return self._background.run(work)
        except CancelledError:
            raise QueryTimeoutError("the query was cancelled") from None
        except ElasticUnavailable as error:
            raise (QueryTimeoutError if error.kind == "timeout" else StoreError)(str(error)) from None
        except ElasticRefused as error:
            if any(sign in str(error) for sign in _TOO_MANY):
                raise StoreError("too many words fit this: write more of the first and of the last one") from None
            raise StoreError(str(error)) from None


def _histogram_body(clause: Clause, seconds: int, offset: int) -> dict[str, Any]:
    over_time = {
        "field": "@timestamp",
        "fixed_interval": f"{seconds}s",
        "offset": f"{-(offset % seconds)}s",
        "min_doc_count": 1,
        "format": "epoch_millis",
    }
    time: dict[str, Any] = {"date_histogram": over_time}
    return {"query": clause, "size": 0, "track_total_hits": False, "aggs": {"time": time}}


def _named(indices: tuple[str, ...] | None) -> str:
    return "" if indices is None else ",".join(indices)


def _counts(bucket: Any, way: Way | None) -> Iterator[tuple[str, int]]:
    """Yield the values of the field in one stretch of time, and how many documents have them."""
    if way is None:
        yield "", bucket["doc_count"]
        return
    for value in bucket["values"]["buckets"]:
        key = _typed(value, way.kind)
        yield str(key).lower() if isinstance(key, bool) else str(key), value["doc_count"]
    if bucket["none"]["doc_count"]:
        yield "", bucket["none"]["doc_count"]


def _typed(bucket: Any, kind: Kind) -> str | int | float | bool:
    key: str | int | float = bucket["key"]
    match kind:
        case Kind.BOOLEAN:
            return bool(key)
        case Kind.INTEGER:
            return int(key)
        case Kind.DATE:
            return str(bucket["key_as_string"])
    return key


def _day_of(index: str) -> datetime.date | None:
    """Return the day that an index name ends in; ``None`` if in none."""
    try:
        return datetime.date(*map(int, found.groups())) if (found := _DAY.search(index)) else None
    except ValueError:
        return None


def _utc(milliseconds: int) -> str:
    moment = datetime.datetime.fromtimestamp(milliseconds // 1000, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _cursor(place: _Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _place(cursor: str) -> _Place:
    try:
        return _PLACE.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:  # msgspec's errors and base64's are of this kind
        raise ValueError("this is no cursor of a hit") from None
