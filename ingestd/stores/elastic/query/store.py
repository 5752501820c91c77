"""``ElasticStore``: the indices of Elasticsearch 6 to 9 or OpenSearch 2 and 3 as a `LogStore`.

*Pages.* Neither server sorts by ``_id``, and their points in time differ. So hits are sorted by ``@timestamp``, index
and ``_seq_no``, which both have, which is the same in every copy of a shard, and which no merge changes. Shards of
one index can share a number: a cursor also names the documents returned so far with the same sort values; the
search continues at these values and leaves those documents out.

*Documents* come byte for byte as they were sent: the answer is decoded without decoding its ``_source``.

*Exactness.* ``top`` asks each shard for many more values than wanted, and then for even more, until the servers
report that nothing can have been missed. Times are exact to the millisecond, which is what the servers keep.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

from ingestd.event.timestamp import from_epoch_clamped
from ingestd.stores.aggregation import TOO_MANY_BUCKETS, Aggregation, AggregationError, MetricBucket
from ingestd.stores.base import (
    Bucket,
    Hit,
    IndexInfo,
    InvalidIndexError,
    QueryTimeoutError,
    StoreError,
    TopValue,
)
from ingestd.stores.elastic.connection.client import ElasticClient, quote_part
from ingestd.stores.elastic.connection.errors import ElasticResponseError, ElasticUnavailable
from ingestd.stores.elastic.connection.event_loop_thread import EventLoopThread
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.elastic.connection.server import Server
from ingestd.stores.elastic.query.aggregate import aggregate
from ingestd.stores.elastic.query.aggregation_figures import date_histogram
from ingestd.stores.elastic.query.aggregation_parts import unknown_numbers
from ingestd.stores.elastic.query.dsl import Clause, fields_of, query_clause
from ingestd.stores.elastic.query.mapping import FieldMapping, Fields, fields_parameter
from ingestd.stores.elastic.query.older import with_interval, without_case_insensitive
from ingestd.stores.elastic.query.responses import (
    ANSWER,
    SearchHit,
    SortKey,
    bucket_counts,
    bucket_value,
    parse_cursor,
    to_cursor,
    with_usual_answers,
)
from ingestd.stores.elastic.query.scope import COPIES, read_copies, scope_of
from ingestd.stores.elastic.query.terms import NO_SCRIPTS, cuts_paths, terms_source
from ingestd.stores.elastic.server_state import SearchServer, server_state
from ingestd.stores.index_names import day_of
from ingestd.stores.known_fields import LEVEL_FIELDS
from ingestd.stores.query import INDEX_FIELD, Query

if TYPE_CHECKING:
    from elastic_transport import ApiResponse
    from elasticsearch import AsyncElasticsearch

T = TypeVar("T")

INDICES = "logstash-*"
PAGE_HITS = 500
SHARD_VALUES = 2_000  # fewest values that a shard sends for `top`; times 16 if that was not enough
MAX_SHARD_VALUES = 1_000_000
MAX_SERIES = 500  # values per bucket of a histogram
SORT = [
    {"@timestamp": {"order": "desc", "unmapped_type": "date", "missing": 0}},
    {"_index": {"order": "desc", "unmapped_type": "keyword"}},  # OpenSearch lacks it for new indices
    {"_seq_no": {"order": "desc", "unmapped_type": "long"}},
]
_NEWEST = 3
"""How many of the newest indices are looked at for the state of a server: yesterday's, today's and one more."""

_ANY_INDICES: dict[str, Any] = {"ignore_unavailable": True, "allow_no_indices": True}
"""For every search: without any index the result is empty."""

_ALL_SHARDS = _ANY_INDICES | {"allow_partial_search_results": False}
"""A shard that does not answer is an error, not a smaller result."""

_VALUES_PAGE = 10_000

_TOO_MANY_BUCKETS = "too_many_buckets"
_TOO_MANY_CLAUSES = ("too_many_clauses", "TooManyClauses", "maxClauseCount", "too many clauses")


class ElasticStore:
    """A `LogStore` over the indices that ``indices`` names; calls block, from any thread.

    Args:
        options: The connection. `ElasticOptions.timeout` bounds each request.
        indices: Names with wildcards, separated by commas.

    Raises:
        ValueError: An option is invalid. For a certificate file, the first call raises it.
    """

    def __init__(self, options: ElasticOptions, indices: str = INDICES) -> None:
        self._client = ElasticClient(options)
        self._indices = indices
        self._loop = EventLoopThread("elastic-store")
        self._missing: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"ElasticStore({self._client!r}, {self._indices!r})"

    @with_usual_answers
    def indices(self) -> list[IndexInfo]:
        """Return the indices in the order of their names; ``bytes`` are those of all copies."""
        wanted = {"format": "json", "bytes": "b", "h": "index,docs.count,store.size,status"}
        copies = self._run(read_copies(self._client))
        indices = f"{self._indices},{COPIES}" if copies else self._indices
        rows = self._run(self._client.request("GET", f"/_cat/indices/{quote_part(indices)}", wanted))
        if not isinstance(rows, list):
            raise StoreError("the server is neither Elasticsearch nor OpenSearch: it cannot list its indices")
        return sorted((_index_info(row, copies) for row in rows), key=lambda info: info.index)

    def search(self, query: Query, limit: int = 50, after: str | None = None) -> Iterator[Hit]:
        """Return the matching documents newest first, at most ``limit``; 0 is no limit.

        Pages are read as the caller iterates. Of documents with the same time, the last to arrive comes first.

        Raises:
            ValueError: ``limit`` is negative, or ``after`` is not a cursor.
        """
        if limit < 0:
            raise ValueError("a limit cannot be negative")
        sort_key = None if after is None else parse_cursor(after)
        fields = self._fields(query)
        return self._hits(query_clause(query, fields), fields.scope.indices, limit, sort_key)

    def _hits(self, clause: Clause, indices: str, limit: int, sort_key: SortKey | None) -> Iterator[Hit]:
        remaining = limit
        while True:
            seen = () if sort_key is None else sort_key.ids
            size = (min(remaining, PAGE_HITS) if limit else PAGE_HITS) + len(seen)
            hits = self._page(clause, indices, size, sort_key)
            for hit in hits:
                returned = sort_key.ids if sort_key is not None and sort_key.is_of(hit) else ()
                if hit.id in returned:
                    continue
                sort_key = SortKey(*hit.sort, (*returned, hit.id))
                yield Hit(hit.index, hit.id, bytes(hit.source), to_cursor(sort_key))
                remaining -= 1
                if remaining == 0:
                    return
            if len(hits) < size:
                return

    @with_usual_answers
    def count(self, query: Query) -> int:
        """Return the number of matching documents."""
        fields = self._fields(query)
        clause = self._for_server(query_clause(query, fields))
        answer = self._call(self._api.count(index=fields.scope.indices, query=clause, **_ANY_INDICES))
        _check_shards(answer.get("_shards", {}))
        return int(answer["count"])

    @with_usual_answers
    def top(self, field: str, query: Query, n: int = 20, *, paths: bool = False) -> list[TopValue]:
        """Return the ``n`` most frequent values of ``field``, most frequent first, ties by value."""
        fields = self._fields(query, field)
        clause, indices = query_clause(query, fields), fields.scope.indices
        mappings = fields.countable(field)
        if len(mappings) == 1:
            return self._top(mappings[0], indices, clause, n, paths=paths)
        counts: dict[Any, int] = defaultdict(int)  # a number in some indices and text in others
        for mapping in mappings:
            for top in self._top(mapping, indices, clause, max(n, SHARD_VALUES), paths=paths):
                counts[type(top.value), top.value] += top.count
        ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0][1]), item[0][0].__name__))
        return [TopValue(value, count) for (_, value), count in ranked[:n]]

    @with_usual_answers
    def histogram(self, query: Query, seconds: int, offset: int = 0, field: str = "level") -> list[Bucket]:
        """Return the number of documents over time, by ``field``, at most `MAX_SERIES` values in a bucket."""
        fields = self._fields(query, field)
        mappings = fields.countable(field)
        body = _histogram_body(query_clause(query, fields), seconds, offset)
        totals: dict[int, dict[str, int]] = {}
        for indices, mapping in _by_mapping(mappings, fields.scope.indices):
            for bucket in self._buckets(indices, mapping, body):
                counts = totals.setdefault(bucket["key"], defaultdict(int))
                for value, count in bucket_counts(bucket, mapping):
                    counts[value.upper() if field in LEVEL_FIELDS else value] += count
        return [
            Bucket(from_epoch_clamped(key // 1000), dict(sorted(counts.items())))
            for key, counts in sorted(totals.items())
        ]

    @with_usual_answers
    def aggregate(self, query: Query, aggregation: Aggregation) -> list[MetricBucket]:
        """Return what an aggregation computes of the matching documents; `take_missing` says what it could not."""
        fields = self._fields(query, *aggregation.all_fields)
        self._missing.update(dict.fromkeys(unknown_numbers(fields, aggregation)))
        return aggregate(self._search, query, query_clause(query, fields), fields, aggregation)

    def take_missing(self) -> list[str]:
        """Return what the answers since the last call lack because of how fields are mapped, in sentences."""
        missing, self._missing = self._missing, {}
        return list(missing)

    def delete(self, index: str) -> None:
        """Delete an index; nothing happens if it does not exist.

        Raises:
            InvalidIndexError: The name is a pattern, or not one of our indices.
        """
        if not index or any(char in index for char in '*?,/\\ "<>|#') or index[0] in "-_+.":
            raise InvalidIndexError(index, "it is not the name of a single index")
        ours = any(fnmatchcase(index, pattern) for pattern in self._indices.split(","))
        if not ours and index not in self._run(read_copies(self._client)):
            raise InvalidIndexError(index, f"it does not match {self._indices}")
        self._call(self._api.indices.delete(index=index, ignore_unavailable=True))

    def server_state(self) -> SearchServer:
        """Return what the server says about itself."""
        days = [(info.day, info.index) for info in self.indices() if info.day is not None and not info.closed]
        return self._run(server_state(self._client, [index for _, index in sorted(days)[-_NEWEST:]]))

    def interrupt(self) -> None:
        """Cancel the running queries from another thread: they raise `QueryTimeoutError`.

        Their connections close, which makes the servers abandon the search.
        """
        self._loop.cancel()

    def close(self) -> None:
        """Close the connections and end the thread."""
        if not self._loop.closed:
            self._loop.run(self._client.close())
            self._loop.close()

    @property
    def _api(self) -> AsyncElasticsearch:
        return self._client.api

    @with_usual_answers
    def _fields(self, query: Query, *also: str) -> Fields:
        """Ask the server how fields are indexed, and where: indices may have been added since the last query."""
        names = {*also, *fields_of(query.condition)}
        scope = scope_of(self._indices, query.condition, self._run(read_copies(self._client)))
        if INDEX_FIELD in names:
            rows = self._call(self._api.cat.indices(index=scope.indices, format="json", h="index"))
            scope = replace(scope, names=tuple(row["index"] for row in rows))
        wanted = fields_parameter(names - {INDEX_FIELD})
        if not wanted:
            return Fields({}, scope)
        # Not `api.field_caps`: it sends the names in the body, where OpenSearch ignores them.
        path, params = f"/{quote_part(scope.indices)}/_field_caps", {"fields": wanted, **_ANY_INDICES}
        headers = {"accept": "application/json"}
        return Fields.read(self._call(self._api.perform_request("GET", path, params=params, headers=headers)), scope)

    @with_usual_answers
    def _page(self, clause: Clause, indices: str, size: int, sort_key: SortKey | None) -> list[SearchHit]:
        body = {"query": self._for_server(clause), "size": size, "sort": SORT, "track_total_hits": False}
        if sort_key is not None:
            body["search_after"] = [sort_key.time, sort_key.index, sort_key.number + 1]
        data = self._run(self._client.search(f"/{quote_part(indices)}/_search", body, _ALL_SHARDS))
        answer = ANSWER.decode(data)
        _check_complete(answer.timed_out)
        return answer.hits.hits

    def _top(self, mapping: FieldMapping, indices: str, clause: Clause, n: int, *, paths: bool) -> list[TopValue]:
        shard_size, cut = max(SHARD_VALUES, 10 * n), cuts_paths(mapping, paths=paths)
        while True:
            terms = terms_source(mapping, paths=paths) | {"size": n, "shard_size": shard_size}
            body = {"query": clause, "size": 0, "track_total_hits": False, "aggs": {"top": {"terms": terms}}}
            try:
                answer = self._search(_named(mapping.indices) or indices, body)
            except StoreError as error:
                if cut and any(text in str(error) for text in NO_SCRIPTS):
                    return self._top_paths(mapping, indices, clause, n)
                raise
            top = answer.get("aggregations", {}).get("top", {"buckets": []})
            if not top.get("doc_count_error_upper_bound") or shard_size >= MAX_SHARD_VALUES:
                return [TopValue(bucket_value(bucket, mapping.type), bucket["doc_count"]) for bucket in top["buckets"]]
            shard_size *= 16

    def _top_paths(self, mapping: FieldMapping, indices: str, clause: Clause, n: int) -> list[TopValue]:
        """Return the most frequent paths on a server that allows no scripts: read and add up all values."""
        counts: Counter[str] = Counter()
        pages: dict[str, Any] = {"size": _VALUES_PAGE, "sources": [{"value": {"terms": {"field": mapping.name}}}]}
        while True:
            body = {"query": clause, "size": 0, "track_total_hits": False, "aggs": {"values": {"composite": pages}}}
            found = self._search(_named(mapping.indices) or indices, body).get("aggregations", {}).get("values", {})
            for bucket in found.get("buckets", []):
                counts[bucket["key"]["value"].partition("?")[0]] += bucket["doc_count"]
            if "after_key" not in found:
                break
            pages["after"] = found["after_key"]
        del counts[""]
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return [TopValue(value, count) for value, count in ranked[:n]]

    def _buckets(self, indices: str, mapping: FieldMapping | None, body: dict[str, Any]) -> list[Any]:
        if mapping is not None:
            parts = {
                "values": {"terms": {"field": mapping.name, "size": MAX_SERIES, "shard_size": SHARD_VALUES}},
                "none": {"missing": {"field": mapping.name}},
            }
            body = body | {"aggs": {"time": body["aggs"]["time"] | {"aggs": parts}}}
        answer = self._search(indices, body)
        buckets: list[Any] = answer.get("aggregations", {}).get("time", {}).get("buckets", [])
        return buckets

    def _for_server(self, clause: Clause) -> Clause:
        if self._server.case_insensitive:
            return clause
        older: Clause = without_case_insensitive(clause)
        return older

    @property
    @with_usual_answers
    def _server(self) -> Server:
        return self._run(self._client.server())

    def _search(self, indices: str, body: dict[str, Any]) -> Any:
        body = body | {"query": self._for_server(body["query"])}
        if not self._server.fixed_interval:
            body |= {"aggs": with_interval(body["aggs"])}
        answer = self._call(self._api.search(index=indices, body=body, **_ALL_SHARDS))
        _check_complete(answer.get("timed_out"))
        return answer

    def _call(self, request: Coroutine[Any, Any, ApiResponse[Any]]) -> Any:
        """Wait for the parsed answer to a request of the official client."""
        return self._run(request).body

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop.closed:
            work.close()
            raise StoreError("the store was closed")
        try:
            return self._loop.run(work)
        except CancelledError:
            raise QueryTimeoutError("the query was cancelled") from None
        except ElasticUnavailable as error:
            raise (QueryTimeoutError if error.kind == "timeout" else StoreError)(str(error)) from None
        except ElasticResponseError as error:
            if _TOO_MANY_BUCKETS in str(error):
                raise AggregationError(TOO_MANY_BUCKETS) from None
            if any(text in str(error) for text in _TOO_MANY_CLAUSES):
                raise StoreError("too many words match: write more of the first and the last word") from None
            raise StoreError(str(error)) from None


def _by_mapping(mappings: Sequence[FieldMapping], indices: str) -> list[tuple[str, FieldMapping | None]]:
    """Return each group of indices with its mapping of a field; None for the indices that lack the field."""
    if not mappings:
        return [(indices, None)]
    if mappings[0].indices is None:
        return [(indices, mappings[0])]
    others = [indices, *(f"-{index}" for mapping in mappings for index in mapping.indices or ())]
    return [*((_named(mapping.indices), mapping) for mapping in mappings), (",".join(others), None)]


def _histogram_body(clause: Clause, seconds: int, offset: int) -> dict[str, Any]:
    time: dict[str, Any] = {"date_histogram": date_histogram(seconds, offset)}
    return {"query": clause, "size": 0, "track_total_hits": False, "aggs": {"time": time}}


def _index_info(row: dict[str, Any], copies: Mapping[str, str]) -> IndexInfo:
    name, closed = row["index"], row.get("status") == "close"
    events, size = int(row["docs.count"] or 0), int(row["store.size"] or 0)
    return IndexInfo(name, day_of(name), events, size, closed, copies.get(name, ""))


def _named(indices: tuple[str, ...] | None) -> str:
    return "" if indices is None else ",".join(indices)


def _check_complete(timed_out: bool | None) -> None:
    """Raise QueryTimeoutError for an answer that lacks what the server had no time to find.

    ``search.default_search_timeout`` of the cluster ends searches early. Most versions then answer with an error, as
    ``_ALL_SHARDS`` asks for; those that mark the answer instead would show too few events.
    """
    if timed_out:
        raise QueryTimeoutError("the server ended the search early: it took longer than search.default_search_timeout")


def _check_shards(shards: Mapping[str, int]) -> None:
    """Raise StoreError for a count that lacks shards: ``_count`` has no ``allow_partial_search_results``."""
    total, answered = shards.get("total", 0), shards.get("successful", 0)
    if answered < total or shards.get("failed"):
        raise StoreError(f"only {answered} of {total} shards have answered, so the count would be too low")
