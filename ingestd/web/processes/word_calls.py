"""The calls of a query process that are about searched words: `words_document` and `word_document`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from ingestd.analytics.periods import Period
from ingestd.analytics.word_details import word_details, word_series
from ingestd.analytics.words import WordCount, previous_period, unanswered, words_csv, words_report
from ingestd.event.jsontext import dumps
from ingestd.event.timestamp import from_epoch_clamped
from ingestd.stores.aggregation import MAX_BUCKETS
from ingestd.stores.base import LogStore, TopValue, moment
from ingestd.stores.query import Query
from ingestd.web.params import ParameterError
from ingestd.web.protocol import Arguments

MAX_POINTS = 100
"""Intervals of a series; more would be narrower than the chart shows."""

_LISTED = 20
"""Words of each list of changes."""


def words_document(store: LogStore, query: Query, arguments: Arguments) -> bytes:
    """Return the words of a period as JSON, or as CSV in JSON."""
    query = _bounded(query, arguments["now"])
    zone, limit, find = ZoneInfo(arguments["zone"]), arguments["n"], arguments["find"]
    report = words_report(store, query, zone=zone, limit=limit, listed=_LISTED, find=find)
    if arguments["csv"]:
        return dumps({"csv": words_csv(word.document() for word in report.words).decode()})
    lists = {"words": report.words, "rising": report.rising, "new": report.new, "fallen": report.fallen}
    times = _times(query, arguments)
    series = _series(store, query, [word.word for found in lists.values() for word in found], times, arguments)
    without = unanswered(store, query, _LISTED, find)
    document: dict[str, Any] = {
        "total": report.total,
        "distinct": report.distinct,
        "matching": report.matching,
        "before": _period(report.before),
        "previous_total": report.previous_total,
        "previous_distinct": report.previous_distinct,
        "without_results": {
            "known": without.known,
            "count": without.count,
            "words": [{"word": word, "count": count} for word, count in without.words],
        },
        "times": times,
    }
    return dumps(document | {name: _with_series(found, series) for name, found in lists.items()})


def word_document(store: LogStore, query: Query, arguments: Arguments) -> bytes:
    """Return what is known about a word as JSON."""
    query, zone, word = _bounded(query, arguments["now"]), ZoneInfo(arguments["zone"]), arguments["word"]
    details = word_details(store, query, word, zone=zone)
    times = _times(query, arguments)
    series = _series(store, query, [word], times, arguments)
    before, earlier = previous_period(query, zone), {}
    if before is not None:
        query = replace(query, since=before.since, until=before.until)
        earlier = _series(store, query, [word], _times(query, arguments), arguments)
    return dumps(
        details.word.document()
        | {
            "total": details.total,
            "before": _period(before),
            "without_results": details.without_results,
            "countries": _values(details.countries),
            "regions": _values(details.regions),
            "paths": _values(details.paths),
            "near": {
                "visitors": details.neighbours.visitors,
                "sampled": details.neighbours.sampled,
                "words": [{"word": near, "visitors": count} for near, count in details.neighbours.words],
            },
            "times": times,
            "series": series.get(word, []),
            "previous_series": earlier.get(word, []),
        }
    )


def _bounded(query: Query, now: str) -> Query:
    """Return a query with an end, the current time, if it has a start."""
    return query if query.since is None or query.until is not None else replace(query, until=now)


def _times(query: Query, arguments: Arguments) -> list[str]:
    """Return the starts of the intervals of a query; none without a width or a time range.

    Raises:
        ParameterError: There are too many.
    """
    seconds, offset = arguments["seconds"], arguments["offset"]
    if not seconds or query.since is None or query.until is None:
        return []
    since, until = (moment(time).timestamp() for time in (query.since, query.until))
    first = int((since + offset) // seconds * seconds) - offset
    if (until - first) / seconds > MAX_POINTS:
        raise ParameterError(f"that makes more than {MAX_POINTS} intervals; choose a shorter time range or wider ones")
    return [from_epoch_clamped(start) for start in range(first, max(int(-(-until // 1)), first + 1), seconds)]


def _series(
    store: LogStore, query: Query, words: Iterable[str], times: Sequence[str], arguments: Arguments
) -> dict[str, list[int]]:
    """Return how often words were searched for in each interval."""
    if not times:
        return {}
    known = list(dict.fromkeys(words))[: MAX_BUCKETS // len(times)]
    found = word_series(store, query, known, arguments["seconds"], arguments["offset"])
    return {word: [counts.get(time, 0) for time in times] for word, counts in found.items()}


def _with_series(words: Iterable[WordCount], series: dict[str, list[int]]) -> list[dict[str, Any]]:
    return [word.document() | {"series": series.get(word.word, [])} for word in words]


def _period(period: Period | None) -> dict[str, str] | None:
    return None if period is None else {"since": period.since, "until": period.until}


def _values(found: tuple[str, Sequence[TopValue]]) -> dict[str, Any]:
    field, values = found
    return {"field": field, "values": [{"value": top.value, "count": top.count} for top in values]}
