"""The charts and searches on the dashboard, over the fields of the built-in pipeline.

They are those of ingestd's own dashboard. ``objects`` converts them to Kibana's saved objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VISITS = "NOT visit:false"
"""All but the records about a request that are not access lines, so that each request counts once. Events that were
stored before access lines were marked have no ``visit`` and count as before."""

LEVELS = "level:(WARN OR WARNING OR ERROR OR CRITICAL OR FATAL)"
PROBLEMS = "problem:*"
"""Events that the filter ``problem`` has grouped."""


@dataclass(frozen=True, slots=True)
class GridPosition:
    """The position of a panel on a grid of 48 columns."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Terms:
    """The most frequent values of a field."""

    field: str
    size: int
    label: str


@dataclass(frozen=True, slots=True)
class OverTime:
    """Bars of equal width in time; the width depends on the selected time range."""

    label: str = "Time"


@dataclass(frozen=True, slots=True)
class Chart:
    """A count of events, split by ``buckets``, outermost first. ``query`` is in Lucene's syntax."""

    name: str
    title: str
    kind: Literal["bars", "table", "ring"]
    buckets: tuple[Terms | OverTime, ...]
    position: GridPosition
    query: str = ""


@dataclass(frozen=True, slots=True)
class WorldMap:
    """A map of countries, darker with more events; ``countries`` are their two-letter codes."""

    name: str
    title: str
    countries: Terms
    position: GridPosition
    query: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """A saved search: a list of events, newest first; with a ``position`` it is also on the dashboard."""

    name: str
    title: str
    description: str
    columns: tuple[str, ...]
    query: str
    position: GridPosition | None = None


TITLE = "ingestd: logs of the site"

CHARTS = (
    Chart("levels", "Levels over time", "bars", (OverTime(), Terms("level", 7, "Level")), GridPosition(0, 0, 48, 10)),
    Chart(
        "words", "Top search words", "table", (Terms("search_word", 50, "Word"),), GridPosition(0, 10, 16, 14), VISITS
    ),
    Chart("paths", "Top paths", "table", (Terms("request_path", 50, "Path"),), GridPosition(16, 10, 18, 14), VISITS),
    Chart(
        "status", "Status codes", "ring", (Terms("status_code", 12, "Status"),), GridPosition(34, 10, 14, 14), VISITS
    ),
    Chart(
        "words-by-country",
        "Top search words by country",
        "table",
        (Terms("geoip.country_code2", 10, "Country"), Terms("search_word", 5, "Word")),
        GridPosition(32, 24, 16, 16),
        f"search_word:* AND {VISITS}",
    ),
    Chart(
        "problems",
        "Top problems",
        "table",
        (Terms("problem_title", 50, "Problem"), Terms("problem", 1, "Id")),
        GridPosition(0, 40, 48, 14),
        PROBLEMS,
    ),
)

WORLD = WorldMap(
    "visitors", "Visitors by country", Terms("geoip.country_code2", 300, "Country"), GridPosition(0, 24, 32, 16), VISITS
)

_EVENT = ("level", "logger_name", "message")

SEARCHES = (
    Search(
        "words-30-days",
        "Search words of the last 30 days",
        "Which words were searched most in the last 30 days? Click the field search_word for its top values.",
        ("search_word", "request_path", "client_ip"),
        "search_word:* AND @timestamp:[now-30d TO now]",
    ),
    Search(
        "words-chosen-time",
        "Search words of the chosen time",
        "Which words were searched in the time range above?",
        ("search_word", "request_path", "client_ip"),
        "search_word:*",
    ),
    Search(
        "warnings",
        "Warnings and above",
        "Only WARNING and above, with their stack traces.",
        (*_EVENT, "stack_trace"),
        LEVELS,
        GridPosition(0, 54, 48, 18),
    ),
    Search(
        "problems",
        "Problems",
        "Errors of the same cause have the same problem. Click the field problem_title for the most frequent ones.",
        ("problem_title", "level", "host", "request_path", "message"),
        PROBLEMS,
    ),
    Search("moment", "What happened then", "Everything in the time range above, such as 14:00 to 14:10.", _EVENT, "*"),
    Search("by-level", "Events by level", "How many of each level over time? See the bars.", _EVENT, "level:*"),
    Search(
        "visitors-from",
        "Visitors",
        "Where do visitors come from?",
        ("client_ip", "geoip.country_code2", "geoip.city_name", "request_path"),
        f"client_ip:* AND {VISITS}",
    ),
)
