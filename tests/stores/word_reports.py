"""The questions of the suite that are reports of searched words."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any
from unittest import mock

from ingestd.analytics import words
from ingestd.analytics.word_details import word_details, word_series
from ingestd.stores.base import LogStore
from tests.stores.questions import Question, query

_DAY = query("", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z")
_DAYS = query("", "2026-11-20T00:00:00Z", "2026-11-23T00:00:00Z")


def _report(candidates: int) -> Callable[[LogStore], Any]:
    """Return the report of a day, if so many words are candidates."""

    def ask(store: LogStore) -> Any:
        with mock.patch.object(words, "CANDIDATES", candidates):
            found = words.words_report(store, _DAY, zone=datetime.UTC, limit=2)
        rows = [(word.word, word.count, word.previous, word.rank, word.previous_rank) for word in found.words]
        totals = (found.total, found.distinct, found.previous_total, found.previous_distinct)
        return rows, totals, [[word.word for word in part] for part in (found.rising, found.new, found.fallen)]

    return ask


def _exact_counts(store: LogStore) -> dict[str, int]:
    """Ask for more words than a server takes clauses."""
    return words.exact_counts(store, _DAYS, ["서울 맛집", "seoul", "맛집", *map(str, range(1_500))])


def _details(store: LogStore) -> Any:
    found = word_details(store, _DAYS, "서울 맛집", zone=datetime.UTC)
    places = [(field, [(top.value, top.count) for top in values]) for field, values in (found.countries, found.paths)]
    return found.word.count, found.word.previous, found.total, found.without_results, places, found.neighbours.visitors


def _series(store: LogStore) -> dict[str, dict[str, int]]:
    found = word_series(store, _DAYS, ["서울 맛집", "제주", "never"], 86_400)
    return {word: {time[:10]: count for time, count in counts.items()} for word, counts in found.items()}


WORD_REPORTS = [
    *(
        Question(
            f"words_{name}",
            _report(candidates),
            ([("같은 0", 4, 0, 1, None), ("같은 1", 4, 0, 2, None)], (13, 4, 4, 4), [[], [], []]),
        )
        for name, candidates in (("report", 2_000), ("report_of_few_candidates", 1))
    ),
    Question("words_exact_counts", _exact_counts, {"서울 맛집": 4, "seoul": 1}),
    Question(
        "words_details",
        _details,
        (4, 0, 22, None, [("", []), ("request_path", [("/search", 4)])], 2),
    ),
    Question(
        "words_over_time",
        _series,
        {
            "서울 맛집": {"2026-11-20": 2, "2026-11-21": 1, "2026-11-22": 1},
            "제주": {"2026-11-20": 1},
            "never": {},
        },
    ),
]
