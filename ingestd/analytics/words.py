"""What visitors search for: the most frequent words, and how they changed against the period before.

Only visits count, so that a search that has several records counts once. A word is compared by its share of all
searches, as a busier week makes each word more frequent. All counts are exact: a store is asked for the `CANDIDATES`
most frequent words of both periods, and, where there are more, for the counts of those words that are among the
candidates of one period only. So a site with fewer different words takes two queries, and any other some more.
"""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ingestd.analytics.periods import Period
from ingestd.analytics.significance import SIGNIFICANT, certain_ratio, log_likelihood_ratio
from ingestd.analytics.word_filter import WordFilter
from ingestd.event.jsontext import dumps
from ingestd.stores.aggregation import Aggregation, Metric
from ingestd.stores.base import LogStore
from ingestd.stores.export.excel import excel_text
from ingestd.stores.query import And, Condition, Equal, Exists, Not, Or, Query

COLUMNS = ("word", "count", "share", "previous", "change", "rank", "previous_rank")


WORD, RESULTS = "search_word", "search_results"
"""The fields with a searched word, and with how many results the search had."""

VISITS: Condition = Not(Equal("visit", "false"))
"""All but the records about a request that are not access lines."""

CANDIDATES = 2_000
"""Words of each period that are compared; see the module."""

ASKED_AT_ONCE = 500
"""Words that one query counts."""

MIN_CHANGE = 1.5
"""A word rises if there are at least this many times as many searches for it, and falls if there were before."""


@dataclass(frozen=True, slots=True)
class WordCount:
    """A word in a period and in the one before, if there is one.

    ``share`` is that of all searches. Words with the same count are ranked by their text; the rank is None for a word
    that nobody searched for, or that is not among the candidates.
    """

    word: str
    count: int
    share: float
    previous: int | None = None
    rank: int | None = None
    previous_rank: int | None = None

    @property
    def change(self) -> float | None:
        """How much the count grew, 1.0 if it doubled; None if it was 0, or unknown."""
        return (self.count - self.previous) / self.previous if self.previous else None

    def document(self) -> dict[str, Any]:
        """Return the word as JSON types."""
        return {
            "word": self.word,
            "count": self.count,
            "share": self.share,
            "previous": self.previous,
            "change": self.change,
            "rank": self.rank,
            "previous_rank": self.previous_rank,
        }


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Searches without results: how many, and of which words the most.

    ``known``: whether any record says how many results its search had.
    """

    known: bool
    count: int = 0
    words: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class WordReport:
    """Words of a period, the most frequent first; ``before``: the period they are compared with.

    ``total`` and ``distinct`` are of all searches, ``matching`` is the number of words that could be listed: all, or
    those with a text. ``rising``, ``new`` and ``fallen`` have what changed most first: see `words_report`.
    """

    total: int
    distinct: int
    matching: int
    words: tuple[WordCount, ...]
    before: Period | None = None
    previous_total: int | None = None
    previous_distinct: int | None = None
    rising: tuple[WordCount, ...] = ()
    new: tuple[WordCount, ...] = ()
    fallen: tuple[WordCount, ...] = ()


@dataclass(slots=True)
class WordCounts:
    """The searches of one period, counted when they are asked for.

    Attributes:
        query: The searches.
        limit: How many words are counted at least.
    """

    store: LogStore
    query: Query
    limit: int = 0
    total: int = 0
    distinct: int = 0
    ranks: dict[str, int] = field(default_factory=dict)
    complete: bool = True
    """Whether the candidates are all words."""

    _counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        candidates = max(self.limit, CANDIDATES)
        found = self.store.top(WORD, self.query, candidates)
        for top in found:
            word = value_text(top.value)
            self._counts[word] = self._counts.get(word, 0) + top.count
        self.ranks = {word: rank for rank, word in enumerate(self._counts, 1)}
        self.complete = len(found) < candidates
        self.total, self.distinct = sum(self._counts.values()), len(self._counts)
        if not self.complete:
            self._count_all()

    def _count_all(self) -> None:
        searches = also(self.query, Exists(WORD), Not(Equal(WORD, "")))
        metrics = (Metric("count"), Metric("distinct", WORD))
        ((events, distinct),) = (bucket.values for bucket in self.store.aggregate(searches, Aggregation(metrics)))
        self.total = max(self.total, int(events or 0))
        self.distinct = max(self.distinct, int(distinct or 0))

    def matching(self, find: str) -> tuple[list[str], int]:
        """Return the words with a text in them, the most frequent first, and how many there are; no text: all words."""
        if not find or not self.total:
            return list(self.ranks), self.distinct
        chosen = WordFilter(WORD, find)
        found = WordCounts(self.store, also(self.query, chosen.condition), self.limit)
        words = [word for word in found.ranks if chosen.fits(word)]
        return words, len(words) if found.complete else found.distinct

    def add(self, words: Iterable[str]) -> None:
        """Count words that are not among the candidates."""
        if self.complete:
            return
        missing = [word for word in dict.fromkeys(words) if word not in self._counts]
        for first in range(0, len(missing), ASKED_AT_ONCE):
            part = missing[first : first + ASKED_AT_ONCE]
            self._counts |= dict.fromkeys(part, 0) | exact_counts(self.store, self.query, part)

    def get(self, word: str) -> int | None:
        """Return the number of searches for a word, None if it was not counted."""
        return self._counts.get(word, 0 if self.complete else None)

    def share(self, count: int) -> float:
        """Return the share of all searches that a number of them is."""
        return count / self.total if self.total else 0.0


def words_report(  # noqa: PLR0913 -- what is listed are choices of their own
    store: LogStore,
    query: Query,
    *,
    zone: datetime.tzinfo | None,
    compare: bool = True,
    limit: int = 50,
    listed: int = 20,
    find: str = "",
) -> WordReport:
    """Return the most frequent words of a query.

    ``rising`` and ``fallen`` are the words whose count and share of all searches both changed by `MIN_CHANGE` or more,
    and not by chance: see `SIGNIFICANT`. ``new`` are those that nobody searched for before. The order of all three is
    that of `certain_ratio`.

    Args:
        store: Has the events.
        query: Which events; to be compared, it needs a start and an end.
        zone: Where days start, see `Period.before`; None: the machine's.
        compare: Whether to compare with the period before.
        limit: The most words.
        listed: The most words of each list of changes.
        find: Only words with this text in them are listed; all numbers stay those of all searches.
    """
    counts = WordCounts(store, visits(query), limit)
    words, matching = counts.matching(find)
    top = words[:limit]
    counts.add(top)
    before = previous_period(query, zone) if compare else None
    if before is None:
        return WordReport(counts.total, counts.distinct, matching, tuple(compared(counts, None, top)))
    previous = WordCounts(store, replace(counts.query, since=before.since, until=before.until), limit)
    earlier, _ = previous.matching(find)
    both = [*top, *words[:ASKED_AT_ONCE], *earlier[:ASKED_AT_ONCE]]
    counts.add(both)
    previous.add(both)
    rising, new, fallen = _changes(counts, previous, dict.fromkeys([*words, *earlier]))
    return WordReport(
        counts.total,
        counts.distinct,
        matching,
        tuple(compared(counts, previous, top)),
        before,
        previous.total,
        previous.distinct,
        tuple(rising[:listed]),
        tuple(new[:listed]),
        tuple(fallen[:listed]),
    )


def compared(counts: WordCounts, previous: WordCounts | None, words: Iterable[str]) -> Iterator[WordCount]:
    """Yield words with their counts; those that were not counted in both periods are left out."""
    for word in words:
        count = counts.get(word)
        then = None if previous is None else previous.get(word)
        if count is None or (previous is not None and then is None):
            continue
        rank_then = None if previous is None else previous.ranks.get(word)
        yield WordCount(word, count, counts.share(count), then, counts.ranks.get(word), rank_then)


def _changes(
    counts: WordCounts, previous: WordCounts, words: Iterable[str]
) -> tuple[list[WordCount], list[WordCount], list[WordCount]]:
    """Return which words rose, are new, and fell."""
    changed: list[tuple[float, WordCount]] = []
    for word in compared(counts, previous, words):
        numbers = (word.count, counts.total, word.previous or 0, previous.total)
        if log_likelihood_ratio(*numbers) >= SIGNIFICANT:
            changed.append((certain_ratio(*numbers), word))
    changed.sort(key=lambda pair: (-abs(pair[0]), pair[1].word))
    found, traffic = [word for _, word in changed], counts.total / previous.total if previous.total else 1.0
    grown, shrunk = MIN_CHANGE * max(traffic, 1), min(traffic, 1) / MIN_CHANGE  # in number, and as a share
    rising = [word for word in found if word.previous and word.count >= word.previous * grown]
    fallen = [word for word in found if word.previous and word.count <= word.previous * shrunk]
    return rising, [word for word in found if not word.previous], fallen


def unanswered(store: LogStore, query: Query, limit: int = 20, find: str = "") -> Unanswered:
    """Return the searches of a query that had no results, by word; ``find``: that of `words_report`."""
    asked = also(visits(query), Equal(RESULTS, "0"))
    counts = WordCounts(store, asked)
    if not counts.total:
        return Unanswered(store.count(also(visits(query), Exists(RESULTS))) > 0)
    words = counts.matching(find)[0][:limit]
    counts.add(words)
    return Unanswered(True, counts.total, tuple((word, counts.get(word) or 0) for word in words))


def exact_counts(store: LogStore, query: Query, words: Sequence[str]) -> dict[str, int]:
    """Return how often some words were searched for, in one query; words that nobody searched for are left out."""
    wanted, asked = set(words), also(query, Or(tuple(Equal(WORD, word) for word in words)))
    size = len(wanted)
    while True:
        found = store.top(WORD, asked, size + 1)
        counts: dict[str, int] = {}
        for top in found:
            if (word := value_text(top.value)) in wanted:
                counts[word] = counts.get(word, 0) + top.count
        if len(found) <= size or len(counts) == len(wanted):
            return counts
        size *= 8  # a search with several words counts for others, too


def previous_period(query: Query, zone: datetime.tzinfo | None) -> Period | None:
    """Return the period that a query is compared with; None if it has no start or no end."""
    if query.since is None or query.until is None:
        return None
    return Period(query.since, query.until).before(zone)


def visits(query: Query) -> Query:
    """Return a query restricted to visits."""
    return also(query, VISITS)


def also(query: Query, *conditions: Condition) -> Query:
    """Return a query with more conditions."""
    own = () if query.condition is None else (query.condition,)
    return replace(query, condition=And((*own, *conditions)))


def value_text(value: Any) -> str:
    """Return a word as text; a site may send numbers."""
    return value if isinstance(value, str) else dumps(value).decode()


def words_csv(words: Iterable[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> bytes:
    """Return words, such as `WordCount.document`, as CSV (RFC 4180) in UTF-8 with the byte order mark that Excel needs.

    A word that a spreadsheet would take as a formula starts with an apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(word[name]) for name in columns] for word in words)
    return text.getvalue().encode("utf-8-sig", errors="replace")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return excel_text(value, numbers=False) if isinstance(value, str) else str(value)
