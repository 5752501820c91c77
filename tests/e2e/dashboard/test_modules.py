"""The page's own arithmetic, asked in the browser: what is typed as a time, what becomes of filters."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.dashboard.conftest import Site
from tests.stores import levels
from tests.stores.levels import IN_PAGE

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
ZONES = [  # zone, text, the time, as it is shown, seconds ahead of UTC
    (None, "14:00", "2026-11-22T05:00:00.000Z", "2026-11-22 14:00", "14:00:00", 32400),
    ("UTC", "06:00", "2026-11-22T06:00:00.000Z", "2026-11-22 06:00", "06:00:00", 0),
    ("UTC", "08:00", "2026-11-21T08:00:00.000Z", "2026-11-21 08:00", "08:00:00", 0),
    ("America/New_York", "2026-07-01", "2026-07-01T04:00:00.000Z", "2026-07-01 00:00", "00:00:00", -14400),
    ("America/New_York", "2026-03-08 02:30", "2026-03-08T07:30:00.000Z", "2026-03-08 03:30", "03:30:00", -14400),
    ("America/New_York", "2026-11-01 01:30", "2026-11-01T05:30:00.000Z", "2026-11-01 01:30", "01:30:00", -14400),
    ("Asia/Seoul", "0001-01-01", "0000-12-31T15:32:08.000Z", "0001-01-01 00:00", "00:00:00", 30472),
]
READABLE = {  # a path, and how it is shown
    "/search?q=%EC%84%9C%EC%9A%B8%20%EB%A7%9B%EC%A7%91": "/search?q=서울 맛집",
    "/search?q=%BC%AD%BF%EF": "/search?q=서울",  # CP949
    "/a%2Fb%20c": "/a%2Fb%20c",
    "/admin%E3%85%A4": "/admin%E3%85%A4",  # a filler of Hangul
    "/admin%C2%A0": "/admin%C2%A0",
    "/admi%CC%81n": "/admi%CC%81n",
    "/%E2%80%AEnimda": "/%E2%80%AEnimda",  # from right to left
    "/%3Cb%3E": "/%3Cb%3E",
}
LONG = [f"/{letter}{'x' * 800}" for letter in "abc"]
GROUPS = [  # field, values, which are asked for together, and the condition
    ("request_path", [], []),
    ("level", ["ERROR", 5], [[["ERROR", 5], '(level:"ERROR" OR level:5)']]),
    (
        "request_path",
        ["/a", "/b"],
        [
            [
                ["/a", "/b"],
                r'((request_path:"/a" OR request_path:\/a\?*) OR (request_path:"/b" OR request_path:\/b\?*))',
            ]
        ],
    ),
    (
        "user",
        [*LONG, "x" * 3000],
        [[LONG[:2], f'(user:"{LONG[0]}" OR user:"{LONG[1]}")'], [LONG[2:], f'(user:"{LONG[2]}")']],
    ),
]
"""Errors by path: a query has at most 4,096 characters."""
QUERIES = [  # id, state, query text, characters before the user's own
    ("nothing", {}, "", 0),
    ("own", {"q": "a OR b"}, "a OR b", 0),
    ("blanks", {"q": "  a"}, "a", -2),
    ("level", {"level": "WARNING"}, IN_PAGE.format("WARNING"), 0),
    ("level_in_either_field", {"filters": [{"field": "level", "value": "ERROR", "not": True, "path": True}]},
     "NOT " + IN_PAGE.replace(":>={0}", ':"ERROR"'), 0),
    ("all", {"q": "a OR b", "level": "ERROR", "filters": [{"field": "w", "value": "x y"}]},
     f'(a OR b) AND {IN_PAGE.format("ERROR")} AND w:"x y"', 1),
    ("not", {"filters": [{"field": "w", "value": "x", "not": True}]}, 'NOT w:"x"', 0),
    ("number", {"filters": [{"field": "status_code", "value": 404}]}, "status_code:404", 0),
    ("quotes", {"filters": [{"field": "w", "value": 'a"b\\'}]}, 'w:"a\\"b\\\\"', 0),
    ("path", {"filters": [{"field": "p", "value": "/a b", "path": True}]}, '(p:"/a b" OR p:\\/a\\ b\\?*)', 0),
    ("field", {"filters": [{"field": "my field:x", "value": True}]}, "my\\ field\\:x:true", 0),
]  # fmt: skip
MARKS = [  # id, state, path and text of a field, what is marked in it
    ("one", {"q": "서울"}, "message", "GET /search?q=서울 맛집", ["서울"]),
    ("within_a_word", {"q": "ell"}, "message", "Hello", ["ell"]),
    ("case", {"q": "TimeOut"}, "message", "timeout, Timeout", ["timeout", "Timeout"]),
    ("sought_before", {"q": "", "sought": '(timeout) AND w:"x"'}, "message", "a timeout of x", ["timeout"]),
    ("phrase", {"q": '"not found" OR timeout'}, "message", "Not  Found: /x, timeout", ["Not  Found", "timeout"]),
    ("field_is_elsewhere", {"q": "level:ERROR AND cart"}, "message", "ERROR in cart", ["cart"]),
    ("field", {"q": 'search_word:"서울 맛집"'}, "search_word", "서울 맛집", ["서울 맛집"]),
    ("level_in_the_other_field", {"q": "log.level:error"}, "level", "ERROR", ["ERROR"]),
    ("group", {"q": "status_code:(404 OR 500 NOT 200)"}, "status_code", "404 200", ["404"]),
    ("negated_are_not", {"q": "cart NOT checkout -basket"}, "message", "checkout cart basket", ["cart"]),
    ("ranges_are_not", {"q": "status_code:[500 TO 599] AND x"}, "status_code", "500 x", ["x"]),
    ("wildcard", {"q": "(tim?out*)"}, "message", "a timeout", ["timeout"]),
    ("inner_wildcard", {"q": "request_path:\\/a*z"}, "request_path", "/abcz", ["/abcz"]),
    ("regular", {"q": "/fo+(o|x)/"}, "message", "a foox", ["foox"]),
    ("escaped", {"q": "a\\:b"}, "message", "x a:b", ["a:b"]),
    ("signs", {"q": "foo-bar[1]"}, "message", "foo-bar[1]", ["foo-bar[1]"]),
    ("longest_first", {"q": "time timeout"}, "message", "timeout", ["timeout"]),
    ("filter", {"q": "", "filters": [{"field": "w", "value": "제주"}]}, "w", "제주", ["제주"]),
    ("filter_out", {"q": "", "filters": [{"field": "w", "value": "제주", "not": True}]}, "w", "제주", []),
    ("malformed", {"q": "/(/ x"}, "message", "x (", ["x"]),
    ("nothing", {"q": ""}, "message", "x", []),
]
JSON_EVENT = {
    "message": 'a "cart"\n서울 n', "level": "ERROR", "tags": ["cart", "x"], "status_code": 404,
    "empty": [{}, [], None, ""],
    "geoip": {"cart": [{"name": "ERROR cart"}], "float": 0.5}, "q\"": "c:\\cart",
}  # fmt: skip
JSON_MARKS = ["cart", "서울", "n", "ERROR", "cart", "404", "cart", "cart"]  # of `cart n level:ERROR ...`, values alone
LIBRARY = '  File "/usr/lib/python3.13/threading.py", line 1, in run\n    self.go()\n'
OWN = '  File "/srv/shop/views.py", line 88, in checkout\n    total()\n    ~~~~~^^\n'
HEAD = "Traceback (most recent call last):\n"
STACKS = [  # id, stack trace, frames that are folded, the exception
    ("own", f"{HEAD}{OWN}ValueError: no", [], "ValueError: no"),
    ("one", f"{HEAD}{LIBRARY}{OWN}ValueError: no", [1], "ValueError: no"),
    ("between", f"{HEAD}{LIBRARY}{LIBRARY}{OWN}{LIBRARY}KeyError: 'a'", [2, 1], "KeyError: 'a'"),
    ("only_libraries", f"{HEAD}{LIBRARY}KeyError: 'a'", [], "KeyError: 'a'"),
    ("frozen", f'{HEAD}  File "<frozen runpy>", line 1, in x\n{OWN}OSError', [1], "OSError"),
    ("lines", f"{HEAD}{OWN}ValueError: first\nsecond line", [], "ValueError: first"),
    ("chained", f"{HEAD}{OWN}KeyError: 1\n\nDuring handling:\n\n{HEAD}{LIBRARY}{OWN}E: 2", [1], "E: 2"),
    ("windows", f'{HEAD}  File "C:\\py\\site-packages\\x.py", line 1, in x\n{OWN}E: 2', [1], "E: 2"),
    ("java", "java.lang.Error: no\n\tat a.B.c(B.java:1)", [], "java.lang.Error: no"),
]
FILTERS = [
    {"field": "a=b", "value": "x", "not": False, "path": False},
    {"field": "w", "value": "!=\"'&#%+서울", "not": True, "path": False},
    {"field": "n", "value": 404, "not": False, "path": False},
    {"field": "request_path", "value": "/a b", "not": True, "path": True},
]

CONTEXTS = [  # id, text, the cursor at |; what is completed
    ("field", "sta|", ["sta", 0, ""]),
    ("negated", "-sta|", ["sta", 1, ""]),
    ("after_operator", "a AND sta|", ["sta", 6, "AND"]),
    ("operator", "level:ERROR |", ["", 12, "level:ERROR"]),
    ("bracket", "(le|", ["le", 1, ""]),
    ("value", "level:ER|", ["level", "ER", 6]),
    ("value_after_or", "a OR search_word:서|", ["search_word", "서", 17]),
    ("quoted", 'search_word:"서울 맛|', ["search_word", '"서울 맛', 12]),
    ("compared", "status_code:>=4|", ["status_code", "4", 14]),
    ("escaped_field", r"my\ field:x|", ["my field", "x", 10]),
    ("nested_field", "geoip.country_code2:|", ["geoip.country_code2", "", 20]),
    ("range", "status_code:[400 TO 4|", None),
    ("phrase", '"not fou|', None),
    ("within_a_word", "le|vel", None),
]
HOSTS = [
    ({"host": "web-1"}, ["host", "web-1"]),
    ({"host": {"name": "web-2", "ip": ["10.0.0.1"]}}, ["host.name", "web-2"]),
    ({"host.name": "web-3"}, ["host.name", "web-3"]),
    ({"host": {"ip": "10.0.0.1"}, "hostname": "x"}, ["host.ip", "10.0.0.1"]),
    ({"host": {}, "message": "x"}, None),
]
AROUND = [  # events at second: how many, of 10 seconds each; the seconds around second 0 that are shown
    ("few", {0: 1}, [-3600, 3600]),
    ("many", {-20: 20, -10: 20, 0: 5, 10: 40, 20: 9}, [-20, 20]),
    ("at_once", {0: 100}, [0, 10]),
]


@pytest.fixture(scope="module")
def site(local_site: Site) -> Site:
    return local_site


def table(cases: list[Any]) -> dict[str, Any]:
    return {case[0]: case[1:] for case in cases}


class TestModules:
    """One page answers for all tables: that of each would be mostly loading."""

    def test_ranges(self, modules: Page) -> None:
        found = modules.evaluate(
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

    def test_times_in_other_zones(self, modules: Page) -> None:
        found = modules.evaluate(
            """async (cases) => {
                const { inputText, parseTime, preciseText, useZone, zoneSeconds } = await import("./static/time.js");
                const found = cases.map(([zone, text]) => {
                    useZone(zone);
                    const date = parseTime(text, new Date("2026-11-22T06:30:00Z"));
                    return [date.toISOString(), inputText(date), preciseText(date).slice(0, 8), zoneSeconds(date)];
                });
                useZone(null);
                return found;
            }""",
            [case[:2] for case in ZONES],
        )
        assert found == [list(case[2:]) for case in ZONES]

    def test_queries(self, modules: Page) -> None:
        found = modules.evaluate(
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

    def test_paths_are_readable_and_none_looks_like_another(self, modules: Page) -> None:
        found = modules.evaluate(
            """async (paths) => {
                const { readable } = await import("./static/format.js");
                return paths.map(readable);
            }""",
            [*READABLE],
        )
        assert found == [*READABLE.values()]

    def test_errors_are_asked_for_by_the_paths_that_are_shown(self, modules: Page) -> None:
        found = modules.evaluate(
            """async (cases) => {
                const { groupsOf } = await import("./static/panel_table.js");
                return cases.map(([by, values]) => groupsOf(by, values).map(({ values: some, text }) => [some, text]));
            }""",
            [case[:2] for case in GROUPS],
        )
        assert found == [groups for *_, groups in GROUPS]

    def test_the_share_of_errors(self, site: Site, modules: Page) -> None:
        found = modules.evaluate(
            """async () => {
                const { createErrors } = await import("./static/panel_table.js");
                const panel = createErrors("status_code", () => {});
                const period = { since: "2000-01-01T00:00:00Z", until: "2100-01-01T00:00:00Z" };
                await panel.load({ q: "status_code:500 OR status_code:200", ...period }, new AbortController().signal);
                const cells = (row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent);
                const rows = [...panel.element.querySelectorAll("tbody tr")];
                return rows.map((row) => [row.querySelector("button").title, ...cells(row)]);
            }"""
        )
        failures = str(sum(sent.status == 500 for sent in site.history.sent))
        assert sorted((row[0], *row[3:]) for row in found) == [("200", "0", "0%"), ("500", failures, "100%")]

    def test_levels(self, modules: Page) -> None:
        """They are those of the commands, and what is too long to be one is cut."""
        long = {"level": "x" * 100_000}
        read = """async (events) => events.map((await import("./static/levels.js")).levelOf)"""
        found = modules.evaluate(read, [*(event for event, _ in levels.EVENTS.values()), {"level": 30}, long])
        assert found == [*(level for _, level in levels.EVENTS.values()), "30", "x" * 40 + "…"]

    def test_long_values(self, modules: Page) -> None:
        """What is shown is cut, and cannot be a filter, as the server has only its start."""
        found = modules.evaluate(
            """async ([value]) => {
                const { createTop } = await import("./static/top.js");
                const top = createTop({ title: "x", fields: ["level"] });
                top.show({ field: "level", values: [{ value, count: 2 }, { value: "INFO", count: 1 }] });
                const buttons = [...top.element.querySelectorAll(".top-row button")];
                return [top.element.outerHTML.length < 5000, buttons.map((button) => button.disabled)];
            }""",
            ["x" * 1000 + "…"],
        )
        assert found == [True, [True, True, False, False]]

    def test_marks(self, modules: Page) -> None:
        found = modules.evaluate(
            """async (cases) => {
                const { marker } = await import("./static/marks.js");
                const { h } = await import("./static/dom.js");
                const marked = ([state, path, text]) => {
                    const shown = h("p", {}, marker(state)(text, path));
                    if (shown.textContent !== text) throw new Error(shown.textContent);
                    return [...shown.querySelectorAll("mark")].map((mark) => mark.textContent);
                };
                return Object.fromEntries(Object.entries(cases).map(([name, [...given]]) => [name, marked(given)]));
            }""",
            table(MARKS),
        )
        assert found == {name: marks for name, *_, marks in MARKS}

    def test_marks_in_json(self, modules: Page) -> None:
        text, marks = modules.evaluate(
            """async ([event, q]) => {
                const { markedJson, marker } = await import("./static/marks.js");
                const { h } = await import("./static/dom.js");
                const shown = h("pre", {}, markedJson(event, marker({ q })));
                const marks = [...shown.querySelectorAll("mark")].map((mark) => mark.textContent);
                return [shown.textContent === JSON.stringify(event, null, 2) || shown.textContent, marks];
            }""",
            [JSON_EVENT, 'cart 서울 "n" level:ERROR status_code:404'],
        )
        assert text is True
        assert marks == JSON_MARKS

    def test_stack_traces(self, modules: Page) -> None:
        found = modules.evaluate(
            """async (cases) => {
                const { exceptionOf, stackBlock, stackOf } = await import("./static/stack.js");
                const read = ([text]) => {
                    const block = stackBlock(stackOf({ exc_info: text }));
                    const buttons = [...block.querySelectorAll("button")];
                    const folded = buttons.map((button) => parseInt(button.textContent, 10));
                    for (const button of buttons) button.nextSibling.remove();
                    for (const button of buttons) button.remove();
                    return [folded, block.querySelector("b").textContent.trim(), block.textContent.trim() === text];
                };
                return Object.fromEntries(Object.entries(cases).map(([name, given]) => [name, read(given)]));
            }""",
            table(STACKS),
        )
        for name, _, folded, exception in STACKS:
            assert (name, found[name]) == (name, [folded, exception, True])
        read = """async (events) => events.map((await import("./static/stack.js")).stackOf)"""
        error = {"type": "E", "message": "7", "stack_trace": OWN}
        dotted = {f"error.{name}": value for name, value in error.items()}
        events = [{"error": error}, dotted, {"error": error | {"stack_trace": f"{OWN}E: 8"}}]
        assert modules.evaluate(read, events) == [f"{OWN}E: 7", f"{OWN}E: 7", f"{OWN}E: 8"]

    def test_the_address_brings_every_state_back(self, modules: Page) -> None:
        state = {
            "tab": "visitors", "q": "a & b #c", "range": "", "from": "2026-11-22T05:00:00.000Z",
            "to": "2026-11-22T05:10:00.000Z", "filters": FILTERS, "level": "WARNING", "cols": ["a", "b.c"],
            "charts": ["d", "~number~p95~a%2Cb"], "traces": True, "every": 30, "live": True, "country": "KR",
            "zone": "utc", "compare": True, "sort": "-a", "widths": {"a=b": 120}, "around": "logstash-2026.11.22/x",
            "word": "a=b&c", "find": "서울 #", "mark": "muted", "problem": "1f",
            "region": "Seoul", "requests": True, "particular": True, "sought": "a b",
        }  # fmt: skip
        found = modules.evaluate(
            """async (state) => {
                const { format, parse } = await import("./static/state.js");
                return parse("#" + format(state));
            }""",
            state,
        )
        assert found == state

    def test_messages_are_the_same_in_both_languages(self, modules: Page) -> None:
        english, korean = modules.evaluate(
            """async () => {
                const { en } = await import("./static/english.js");
                const { ko } = await import("./static/korean.js");
                const holes = (text) => [...new Set(JSON.stringify(text).match(/\\{\\w+\\}/g))].sort();
                const read = ([key, text]) => [key, holes(text)];
                return [en, ko].map((all) => Object.fromEntries(Object.entries(all).map(read)));
            }"""
        )
        assert english == korean

    def test_what_stands_before_the_cursor(self, modules: Page) -> None:
        found = modules.evaluate(
            """async (cases) => {
                const { contextAt } = await import("./static/completion.js");
                return Object.fromEntries(Object.entries(cases).map(([name, text]) => {
                    const found = contextAt(text.replace("|", ""), text.indexOf("|"));
                    const values = found && ("field" in found
                        ? [found.field, found.value, found.start] : [found.word, found.start, found.after]);
                    return [name, values];
                }));
            }""",
            {name: text for name, text, _ in CONTEXTS},
        )
        assert found == {name: expected for name, _, expected in CONTEXTS}

    def test_hosts_and_ranges_of_what_happened_around(self, modules: Page) -> None:
        hosts, ranges = modules.evaluate(
            """async ([events, cases]) => {
                const { hostOf, rangeAround } = await import("./static/context.js");
                const base = Date.parse("2026-11-22T10:00:00Z");
                const buckets = (counts) => Object.entries(counts)
                    .map(([second, events]) => ({ time: base + 1000 * second, counts: { INFO: events } }))
                    .sort((a, b) => a.time - b.time)
                    .map(({ time, counts }) => ({ time: new Date(time).toISOString(), counts }));
                return [
                    events.map(hostOf).map((found) => found && [found.field, found.value]),
                    cases.map((counts) => rangeAround(buckets(counts), base).map((time) => (time - base) / 1000)),
                ];
            }""",
            [[event for event, _ in HOSTS], [counts for _, counts, _ in AROUND]],
        )
        assert hosts == [host for _, host in HOSTS]
        assert ranges == [expected for _, _, expected in AROUND]
