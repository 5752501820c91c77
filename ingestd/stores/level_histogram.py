"""Histograms by level: by ``level``, and by ``log.level`` for the events that have none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from ingestd.stores.base import Bucket
from ingestd.stores.known_fields import LEVEL_FIELDS
from ingestd.stores.query import WITHOUT_LEVEL, And, Query

LEVEL = LEVEL_FIELDS[0]
"""The field that stands for both."""


def level_histogram(count: Callable[[Query, str], list[Bucket]], query: Query, field: str) -> list[Bucket]:
    """Return the number of documents over time by ``field``, and by either field of a level if that is `LEVEL`.

    Args:
        count: Asks the store for the histogram of a query by a field; twice if there are events without a `LEVEL`.
        query: Which documents are counted.
        field: The field that the counts are by.
    """
    found = count(query, field)
    if field != LEVEL or not any("" in bucket.counts for bucket in found):
        return found
    condition = WITHOUT_LEVEL if query.condition is None else And((query.condition, WITHOUT_LEVEL))
    others = {bucket.time: bucket.counts for bucket in count(replace(query, condition=condition), LEVEL_FIELDS[1])}
    return [Bucket(bucket.time, _completed(bucket.counts, others.get(bucket.time, {}))) for bucket in found]


def _completed(counts: dict[str, int], others: dict[str, int]) -> dict[str, int]:
    """Return counts by the one field with those by the other of the events that were counted under ``""``."""
    known = {name: count for name, count in others.items() if name}
    without = max(counts.get("", 0) - sum(known.values()), others.get("", 0))
    completed = Counter({name: count for name, count in counts.items() if name})
    completed.update(known)
    return dict(completed) | ({"": without} if without else {})
