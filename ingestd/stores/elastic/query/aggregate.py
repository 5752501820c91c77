"""Runs an aggregation on Elasticsearch or OpenSearch: the buckets of each level, then the metrics of the innermost.

Indices may map a field differently, and a server refuses a request that treats a text as a number; so each group of
indices with the same mappings (`IndexPart`) has requests of its own, whose results are added up.

The keys of a level are found without metrics, as ``top`` finds values: shards send many more than are wanted, and then
even more, until the servers report that nothing can have been missed. The metrics are then computed for these keys
only, so that a shard does not compute them for thousands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ingestd.stores.aggregation import (
    Aggregation,
    AggregationError,
    Figures,
    MetricBucket,
    Statistics,
    Terms,
    Value,
    metric_buckets,
    query_seconds,
)
from ingestd.stores.base import StoreError
from ingestd.stores.elastic.query.aggregation_figures import metrics, over_time, read
from ingestd.stores.elastic.query.aggregation_parts import IndexPart, TypedKey, index_parts
from ingestd.stores.elastic.query.dsl import Clause
from ingestd.stores.elastic.query.mapping import Fields
from ingestd.stores.elastic.query.responses import bucket_value
from ingestd.stores.elastic.query.terms import NO_SCRIPTS, terms_source
from ingestd.stores.query import Query

Search = Callable[[str, dict[str, Any]], Any]
"""Returns the answer to a search in some indices with a body."""

Run = Callable[[IndexPart, dict[str, Any]], Any]
"""Returns the results of aggregations in a part of the indices."""

_SHARD_KEYS, _MAX_SHARD_KEYS = 2_000, 1_000_000
"""Fewest and most keys that a shard sends; times 16 if they were not enough."""

_MIN_CANDIDATES = 100
"""Of a part of the indices, if there are several: a key may be frequent only in their sum."""


def aggregate(
    search: Search, query: Query, clause: Clause, fields: Fields, aggregation: Aggregation
) -> list[MetricBucket]:
    """Return the buckets of an aggregation.

    Raises:
        AggregationError: There are too many, a rate has no time, or percentiles of two parts cannot be joined.
    """
    seconds = query_seconds(aggregation, query)
    body = {"query": clause, "size": 0, "track_total_hits": False}

    def run(part: IndexPart, aggs: dict[str, Any]) -> Any:
        return _without_scripts(search, part.indices, body | {"aggs": aggs}).get("aggregations", {})

    parts = list(index_parts(fields, aggregation))
    keys = _keys(run, parts, aggregation)
    found: dict[tuple[TypedKey, int], Figures] = {}
    intervals = over_time(aggregation.interval, lambda aggs: search(fields.scope.indices, body | {"aggs": aggs}))
    for part in parts if keys else ():
        for bucket, figures in _figures(run, part, aggregation, keys, intervals):
            _join(found.setdefault(bucket, Figures()), figures)
    return metric_buckets(aggregation, seconds, keys, found, lambda typed: typed[1])


def _without_scripts(search: Search, indices: str, body: dict[str, Any]) -> Any:
    try:
        return search(indices, body)
    except StoreError as error:
        if any(text in str(error) for text in NO_SCRIPTS):
            raise StoreError("the server allows no scripts: count paths with their query strings") from None
        raise


def _keys(run: Run, parts: Sequence[IndexPart], aggregation: Aggregation) -> list[TypedKey]:
    """Return the keys of the buckets by field, in order: those of a parent together."""
    keys: list[TypedKey] = [()]
    for size in range(1, len(aggregation.terms) + 1):
        terms, parents = aggregation.terms[:size], keys
        for part in parts:
            part.keys.append(_level(run, part, terms, parents, several=len(parts) > 1))
        counts = sum((part.keys[-1] for part in parts), Counter[TypedKey]())
        order = {key: at for at, key in enumerate(counts)}  # of a single part, that of the server
        if len(parts) > 1:
            order = {key: at for at, key in enumerate(sorted(counts, key=lambda key: (str(key[-1][1]), key[-1][0])))}
        children: dict[TypedKey, list[TypedKey]] = {parent: [] for parent in parents}
        for key in sorted(counts, key=lambda key: (-counts[key], order[key])):
            children[key[:-1]].append(key)
        keys = [key for parent in parents for key in children[parent][: terms[-1].size]]
    return keys


def _level(
    run: Run,
    part: IndexPart,
    terms: Sequence[Terms],
    parents: Sequence[TypedKey],
    *,
    several: bool,
) -> Counter[TypedKey]:
    """Return the most frequent keys of the innermost of some levels in a part, in the order of the server."""
    if any(term.field not in part.mappings for term in terms):
        return Counter()
    last = terms[-1]
    size = max(10 * last.size, _MIN_CANDIDATES) if several else last.size
    shard_size = max(_SHARD_KEYS, 10 * size)
    while True:
        source = terms_source(part.mappings[last.field], paths=last.paths)
        aggs = {"level": {"terms": source | {"size": size, "shard_size": shard_size}}}
        if len(terms) > 1:
            aggs = _of_parents(part, terms[0], dict.fromkeys(parents, aggs))
        if not aggs:
            return Counter()
        found: Counter[TypedKey] = Counter()
        missed = 0
        for parent, answer in _parent_buckets(part, terms, run(part, aggs)):
            level = answer.get("level", {})
            missed += level.get("doc_count_error_upper_bound", 0)
            for bucket in level.get("buckets", ()):
                found[*parent, _typed(bucket_value(bucket, part.mappings[last.field].type))] = bucket["doc_count"]
        if not missed or shard_size >= _MAX_SHARD_KEYS:
            return found
        shard_size *= 16


def _typed(value: Value) -> tuple[str, Value]:
    return type(value).__name__, value


def _of_parents(part: IndexPart, terms: Terms, inside: Mapping[TypedKey, dict[str, Any]]) -> dict[str, Any]:
    """Return an aggregation for each key of the outer level, with what is ``inside`` of it."""
    source = terms_source(part.mappings[terms.field], paths=terms.paths)
    return {
        f"parent{at}": {"terms": _only(source, [parent]), "aggs": aggs}
        for at, (parent, aggs) in enumerate(inside.items())
        if parent in part.keys[0]
    }


def _parent_buckets(part: IndexPart, terms: Sequence[Terms], answer: Any) -> Iterator[tuple[TypedKey, Any]]:
    """Yield the keys of the outer level, if there are two, and what was answered inside of them."""
    if len(terms) == 1:
        yield (), answer
        return
    for name, found in answer.items():
        if name.startswith("parent"):
            for bucket in found["buckets"]:
                yield (_typed(bucket_value(bucket, part.mappings[terms[0].field].type)),), bucket


def _only(source: dict[str, Any], keys: Sequence[TypedKey]) -> dict[str, Any]:
    """Return the source of a ``terms`` aggregation for the last values of some keys only."""
    values = [key[-1][1] for key in keys]
    included = [str(value).lower() if isinstance(value, bool) else value for value in values]
    return {name: of for name, of in source.items() if name != "exclude"} | {"include": included, "size": len(keys)}


def _figures(
    run: Run,
    part: IndexPart,
    aggregation: Aggregation,
    keys: Sequence[TypedKey],
    intervals: dict[str, Any] | None,
) -> Iterator[tuple[tuple[TypedKey, int], Figures]]:
    """Yield the buckets of a part: key, start and figures."""
    leaf = metrics(part, aggregation)
    if intervals is not None:
        leaf = {"time": intervals | {"aggs": leaf}}
    terms = aggregation.terms
    if not terms:
        answer = run(part, {"all": {"filter": {"match_all": {}}, "aggs": leaf}})
        for start, figures in read(aggregation, answer.get("all")):
            yield ((), start), figures
        return
    known = [key for key in keys if key in part.keys[-1]]
    if not known:
        return
    source = terms_source(part.mappings[terms[-1].field], paths=terms[-1].paths)

    def inner(children: Sequence[TypedKey]) -> dict[str, Any]:
        return {"level": {"terms": _only(source, children), "aggs": leaf}}

    aggs = inner(known)
    if len(terms) > 1:
        parents = dict.fromkeys(key[:1] for key in known)
        inside = {parent: inner([key for key in known if key[:1] == parent]) for parent in parents}
        aggs = _of_parents(part, terms[0], inside)
    for parent, answer in _parent_buckets(part, terms, run(part, aggs)):
        for bucket in answer.get("level", {}).get("buckets", ()):
            key = (*parent, _typed(bucket_value(bucket, part.mappings[terms[-1].field].type)))
            for start, figures in read(aggregation, bucket):
                yield (key, start), figures


def _join(total: Figures, more: Figures) -> None:
    """Add the figures of another part of the indices.

    Raises:
        AggregationError: Both have percentiles or distinct values of a field, which cannot be joined.
    """
    total.events += more.events
    for name, statistics in more.statistics.items():
        total.statistics.setdefault(name, Statistics()).add(statistics)
    both = [name for name, _ in total.percentiles.keys() & more.percentiles.keys()]
    both += [
        name for name in total.distinct.keys() & more.distinct.keys() if total.distinct[name] and more.distinct[name]
    ]
    if both:
        raise AggregationError(
            "percentiles and distinct values cannot be joined: the indices map a field differently; "
            "choose a time range, or indices, in which they do not"
        )
    total.percentiles |= more.percentiles
    total.distinct |= {name: count for name, count in more.distinct.items() if count or name not in total.distinct}
