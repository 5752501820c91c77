"""The page's own arithmetic, asked in the browser: what is typed as a time, what becomes of filters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.dashboard.conftest import Open, Site

NOW = "2026-11-22T15:30:00+09:00"
RANGES = [  # id, from, to, the range (of Seoul), or what is wrong
    ("time", "14:00", "14:10", "2026-11-22 14:00 2026-11-22 14:10"),
    ("to_come_is_yesterday", "16:00", "16:10", "2026-11-21 16:00 2026-11-21 16:10"),
    ("over_midnight", "11-20 23:50", "00:10", "2026-11-20 23:50 2026-11-21 00:10"),
    ("day_and_time", "2026-11-01 14:00", "14:10", "2026-11-01 14:00 2026-11-01 14:10"),
    ("dots", "2026.11.01", "2026.11.02", "2026-11-01 00:00 2026-11-03 00:00"),
    ("one_day", "11/1", "11/1", "2026-11-01 00:00 2026-11-02 00:00"),
    ("ago", "-2h", "now", "2026-11-22 13:30 2026-11-22 15:30"),
    ("weeks", "-1w", "-1d", "2026-11-15 15:30 2026-11-21 15:30"),
    ("iso", "2026-11-22T00:00:00Z", "2026-11-22T01:00:00+09:00", "order"),
    ("seconds", "14:00:30", "14:00:40", "2026-11-22 14:00:30 2026-11-22 14:00:40"),
    ("no_time", "soon", "now", "from"),
    ("no_day", "2026-02-30", "now", "from"),
    ("no_hour", "14:00", "25:00", "to"),
    ("empty", "", "now", "from"),
    ("first_year", "0001-01-01", "0001-01-01", "0001-01-01 00:00 0001-01-02 00:00"),
    ("last_year", "9999-12-30", "9999-12-30 10:00", "9999-12-30 00:00 9999-12-30 10:00"),
    ("backwards", "now", "-1h", "order"),
]
QUERIES = [  # id, state, query text, characters before the user's own
    ("nothing", {}, "", 0),
    ("own", {"q": "a OR b"}, "a OR b", 0),
    ("blanks", {"q": "  a"}, "a", -2),
    ("level", {"level": "WARNING"}, "level:>=WARNING", 0),
    ("all", {"q": "a OR b", "level": "ERROR", "filters": [{"field": "w", "value": "x y"}]},
     '(a OR b) AND level:>=ERROR AND w:"x y"', 1),
    ("not", {"filters": [{"field": "w", "value": "x", "not": True}]}, 'NOT w:"x"', 0),
    ("number", {"filters": [{"field": "status_code", "value": 404}]}, "status_code:404", 0),
    ("quotes", {"filters": [{"field": "w", "value": 'a"b\\'}]}, 'w:"a\\"b\\\\"', 0),
    ("path", {"filters": [{"field": "p", "value": "/a b", "path": True}]}, '(p:"/a b" OR p:\\/a\\ b\\?*)', 0),
    ("field", {"filters": [{"field": "my field:x", "value": True}]}, "my\\ field\\:x:true", 0),
]  # fmt: skip
WORDS = [  # id, query, words looked for in messages
    ("one", "서울", ["서울"]),
    ("phrase", '"not found" OR timeout', ["not found", "timeout"]),
    ("fields_are_not", 'level:ERROR AND search_word:"서울 맛집" AND cart', ["cart"]),
    ("negated_are_not", "cart NOT checkout -basket", ["cart"]),
    ("ranges_are_not", "status_code:[500 TO 599] AND x", ["x"]),
    ("marks", "(time*)", ["time"]),
]
FILTERS = [
    {"field": "a=b", "value": "x", "not": False, "path": False},
    {"field": "w", "value": "!=\"'&#%+서울", "not": True, "path": False},
    {"field": "n", "value": 404, "not": False, "path": False},
    {"field": "request_path", "value": "/a b", "not": True, "path": True},
]


@pytest.fixture(scope="module")
def site(local_site: Site) -> Site:
    return local_site


def table(cases: list[Any]) -> dict[str, Any]:
    return {case[0]: case[1:] for case in cases}


class TestModules:
    """One page answers for each table: that of a single case would be mostly loading."""

    def test_ranges(self, site: Site, visit: Open) -> None:
        found = visit(site.url).page.evaluate(
            """async ([cases, now]) => {
                const { parseRange, inputText } = await import("./static/time.js");
                return Object.fromEntries(Object.entries(cases).map(([name, [from, to]]) => {
                    const range = parseRange(from, to, new Date(now));
                    return [name, range.error ?? `${inputText(range.since)} ${inputText(range.until)}`];
                }));
            }""",
            [table(RANGES), NOW],
        )
        assert found == {name: expected for name, _, _, expected in RANGES}

    def test_queries(self, site: Site, visit: Open) -> None:
        found = visit(site.url).page.evaluate(
            """async (cases) => {
                const { compose } = await import("./static/query.js");
                const { DEFAULTS } = await import("./static/state.js");
                return Object.fromEntries(Object.entries(cases).map(([name, [state]]) => {
                    const { text, shift } = compose({ ...DEFAULTS, ...state });
                    return [name, [text, shift]];
                }));
            }""",
            table(QUERIES),
        )
        assert found == {name: [text, shift] for name, _, text, shift in QUERIES}

    def test_words_to_mark(self, site: Site, visit: Open) -> None:
        found = visit(site.url).page.evaluate(
            """async (cases) => {
                const { freeWords } = await import("./static/query.js");
                return Object.fromEntries(Object.entries(cases).map(([name, [q]]) => [name, freeWords(q)]));
            }""",
            table(WORDS),
        )
        assert found == {name: words for name, _, words in WORDS}

    def test_the_address_brings_every_state_back(self, site: Site, visit: Open) -> None:
        state = {
            "tab": "visitors", "q": "a & b #c", "range": "", "from": "2026-11-22T05:00:00.000Z",
            "to": "2026-11-22T05:10:00.000Z", "filters": FILTERS, "level": "WARNING", "cols": ["a", "b.c"],
            "charts": ["d"], "traces": True, "every": 30, "live": True, "country": "KR",
        }  # fmt: skip
        found = visit(site.url).page.evaluate(
            """async (state) => {
                const { format, parse } = await import("./static/state.js");
                return parse("#" + format(state));
            }""",
            state,
        )
        assert found == state

    def test_messages_are_the_same_in_both_languages(self, site: Site, visit: Open) -> None:
        english, korean = visit(site.url).page.evaluate(
            """async () => {
                const { en } = await import("./static/english.js");
                const { ko } = await import("./static/korean.js");
                const holes = (text) => [...new Set(JSON.stringify(text).match(/\\{\\w+\\}/g))].sort();
                const read = ([key, text]) => [key, holes(text)];
                return [en, ko].map((all) => Object.fromEntries(Object.entries(all).map(read)));
            }"""
        )
        assert english == korean
