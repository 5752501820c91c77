"""One searched word: who searched for it, where and when, and what else these visitors searched for."""

from __future__ import annotations

import datetime
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ingestd.analytics.words import (
    RESULTS,
    WORD,
    WordCount,
    WordCounts,
    also,
    compared,
    previous_period,
    value_text,
    visits,
)
from ingestd.event.jsontext import loads
from ingestd.event.timestamp import from_epoch_clamped, to_epoch_ns
from ingestd.stores.base import LogStore, TopValue
from ingestd.stores.known_fields import ADDRESS_FIELDS, PATH_FIELDS, text_getter
from ingestd.stores.query import Equal, Exists, Or, Query

_PLACES = ("geoip.{}", "geoip.geo.{}", "client.geo.{}", "source.geo.{}")
COUNTRY_FIELDS = ("geoip.country_code2", *(place.format("country_iso_code") for place in _PLACES[1:]))
REGION_FIELDS = (
    *(place.format("region_name") for place in _PLACES),
    *(place.format("city_name") for place in _PLACES),
)
"""Fields with a place, as Logstash's geoip filter sets them without ECS and with it; the first that has values counts.

Some databases have cities and no regions.
"""

NEAR_S = 600
"""How far apart two searches of a visitor may be to belong together, in seconds."""

MAX_SEARCHES, MAX_NEAR = 1_000, 5_000
"""Searches for the word, the newest, and searches of their visitors that are looked at."""

MAX_SERIES = 200
"""Words that are counted over time at once: servers count at most 500 values in an interval."""

_ADDRESS_OF = {field: text_getter((field,)) for field in ADDRESS_FIELDS}

_Search = tuple[str, int, str]
"""The address of a visitor, the time in nanoseconds since 1970, and the word."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The words that visitors searched for within `NEAR_S` seconds of the word, each with how many visitors did.

    ``visitors``: how many were looked at; 0 if no address is known. ``sampled``: they are not all.
    """

    visitors: int = 0
    words: tuple[tuple[str, int], ...] = ()
    sampled: bool = False


@dataclass(frozen=True, slots=True)
class WordDetails:
    """A word, and its most frequent values of places and paths: a field and its values; no field if none has any."""

    word: WordCount
    total: int
    without_results: int | None
    countries: tuple[str, Sequence[TopValue]]
    regions: tuple[str, Sequence[TopValue]]
    paths: tuple[str, Sequence[TopValue]]
    neighbours: Neighbours


def word_details(
    store: LogStore, query: Query, word: str, *, zone: datetime.tzinfo | None, limit: int = 10
) -> WordDetails:
    """Return what is known about a word; ``query`` and ``zone`` are those of `words_report`."""
    counts = WordCounts(store, visits(query))
    counts.add([word])
    previous = None
    if (before := previous_period(query, zone)) is not None:
        previous = WordCounts(store, replace(counts.query, since=before.since, until=before.until))
        previous.add([word])
    (found,) = compared(counts, previous, [word])
    searches = also(counts.query, Equal(WORD, word))
    known = store.count(also(searches, Exists(RESULTS)))
    return WordDetails(
        found,
        counts.total,
        store.count(also(searches, Equal(RESULTS, "0"))) if known else None,
        _first(store, searches, COUNTRY_FIELDS, limit),
        _first(store, searches, REGION_FIELDS, limit),
        _first(store, searches, PATH_FIELDS, limit, paths=True),
        neighbours(store, counts.query, word, limit),
    )


def _first(
    store: LogStore, query: Query, fields: Iterable[str], limit: int, *, paths: bool = False
) -> tuple[str, Sequence[TopValue]]:
    """Return the most frequent values of the first field that has any."""
    for field in fields:
        if found := store.top(field, query, limit, paths=paths):
            return field, found
    return "", ()


def word_series(
    store: LogStore, query: Query, words: Sequence[str], seconds: int, offset: int = 0
) -> dict[str, dict[str, int]]:
    """Return how often each word was searched for over time, by the start of each interval that has a search.

    ``seconds`` and ``offset`` are those of `LogStore.histogram`. Only the first `MAX_SERIES` words are counted.
    """
    found: dict[str, dict[str, int]] = {word: {} for word in words[:MAX_SERIES]}
    if not found:
        return {}
    asked = also(visits(query), Or(tuple(Equal(WORD, word) for word in found)))
    for bucket in store.histogram(asked, seconds, offset, WORD):
        for word, count in bucket.counts.items():
            if word in found:
                found[word][bucket.time] = count
    return found


def neighbours(store: LogStore, query: Query, word: str, limit: int = 10) -> Neighbours:
    """Return what visitors searched for within `NEAR_S` seconds before or after they searched for a word.

    Visitors are addresses, in the first of `ADDRESS_FIELDS` that has any. The newest `MAX_SEARCHES` searches for the
    word are looked at, and of their visitors the newest `MAX_NEAR` searches in that time.
    """
    searches: dict[str, list[_Search]] = {field: [] for field in ADDRESS_FIELDS}
    has_address = Or(tuple(map(Exists, ADDRESS_FIELDS)))
    number = 0
    for hit in store.search(also(query, Equal(WORD, word), has_address), MAX_SEARCHES):
        number += 1
        event = loads(hit.document)
        for field in ADDRESS_FIELDS:
            searches[field].extend(_searches(event, field))
    for field, found in searches.items():
        if at := _times(found, only=word):
            near = _near(store, query, word, field, at, limit)
            return replace(near, sampled=near.sampled or number >= MAX_SEARCHES)
    return Neighbours()


def _near(
    store: LogStore, query: Query, word: str, field: str, at: Mapping[str, Sequence[int]], limit: int
) -> Neighbours:
    """Return the neighbours; ``at``: when each address, a value of ``field``, was seen with the word."""
    times = [time for found in at.values() for time in found]
    near = Or(tuple(Equal(field, address) for address in at))
    since, until = (from_epoch_clamped(time // 1_000_000_000) for time in _around(min(times), max(times)))
    query = replace(also(query, near, Exists(WORD)), since=since, until=until)
    others = [found for hit in store.search(query, MAX_NEAR) for found in _searches(loads(hit.document), field)]
    visitors: dict[str, set[str]] = {}
    for address, time, searched in others:
        if searched != word and _is_near(time, at.get(address, ())):
            visitors.setdefault(searched, set()).add(address)
    ranked = sorted(((len(found), other) for other, found in visitors.items()), key=lambda pair: (-pair[0], pair[1]))
    ranked_words = tuple((other, count) for count, other in ranked[:limit])
    return Neighbours(len(at), ranked_words, sampled=len(others) >= MAX_NEAR)


def _searches(event: dict[str, Any], field: str) -> Iterator[_Search]:
    """Yield each word that an event is a search for, if a field has the address of the visitor."""
    address, words, time = _ADDRESS_OF[field](event), event.get(WORD), event.get("@timestamp")
    if address and isinstance(time, str):
        for word in words if isinstance(words, list) else [words]:
            if word is not None and word != "":
                yield address, to_epoch_ns(time), value_text(word)


def _around(first_ns: int, last_ns: int) -> tuple[int, int]:
    return first_ns - NEAR_S * 1_000_000_000, last_ns + (NEAR_S + 1) * 1_000_000_000


def _is_near(time_ns: int, times: Sequence[int]) -> bool:
    """Return whether one of some times, sorted, is near another."""
    width = NEAR_S * 1_000_000_000
    return bisect_left(times, time_ns - width) < bisect_right(times, time_ns + width)


def _times(searches: Iterable[_Search], only: str) -> dict[str, list[int]]:
    """Return when each visitor searched for a word, in order."""
    found: dict[str, list[int]] = {}
    for address, time, word in searches:
        if word == only:
            found.setdefault(address, []).append(time)
    return {address: sorted(times) for address, times in found.items()}
