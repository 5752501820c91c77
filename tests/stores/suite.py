"""What every store must answer in the same way: events, questions in the query language, and their answers.

`QUESTIONS` are asked of each store by `check`; ``texts.TEXTS`` lists which words are found in which text. If a store
cannot give the same answer to a question, ``differs`` says why.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from ingestd.stores import lucene
from ingestd.stores.base import LogStore, StoreError
from ingestd.stores.query import Query
from ingestd.stores.zoned_histogram import zoned_histogram
from tests.stores.aggregations import AGGREGATIONS
from tests.stores.events import DAYS, EVENTS, index_of, key_of
from tests.stores.questions import SKIPPED_MIDNIGHT, ChangedClocks, Question, query
from tests.stores.texts import TEXTS
from tests.stores.word_reports import WORD_REPORTS


def keys(store: LogStore, wanted: Query, limit: int = 0, after: str | None = None) -> list[str]:
    """Return the keys of what a search finds, in its order; each document must be byte for byte the stored one."""
    return [key_of(hit.document) for hit in store.search(wanted, limit, after)]


PAGE = 1000
"""More than all events. In each store, a search with a limit is faster than one that reads everything."""

_OPENSEARCH = "an object as host is kept and not indexed"
_NO_WILDCARD = "Elasticsearch 6 refuses a wildcard if the field is a number on another day, and says so"
_LEGACY = "Elasticsearch before 8.14 keeps host and does not index it"

FOUND: list[tuple[str, str, str]] = []
"""Id, text and the keys of the expected events of each question made by `found`."""


def found(id: str, text: str, expected: str, **differs: str) -> Question:  # noqa: A002
    """Return the question which events a text finds, by their keys."""
    FOUND.append((id, text, " ".join(sorted(expected.split()))))
    return Question(id, lambda store: " ".join(sorted(keys(store, query(text), PAGE))), FOUND[-1][-1], differs)


def _keys(prefix: str, first: int, last: int) -> str:
    return " ".join(f"{prefix}{number:02}" for number in range(first, last + 1))


ALL = " ".join(EVENTS)
REQUESTS = f"{_keys('r', 1, 12)} {_keys('s', 0, 11)}"
IN_TEXT = "a Range of numbers in a field of text: Elasticsearch compares it letter by letter"

FILTERS = [
    found("everything", "*", ALL),
    found("level", "level:ERROR", "r04 r12 l09"),
    found("level_lower", "level:warning", "r05 r07 r10 l02"),
    found("level_title", "level:Warn", "l03"),
    found("level_threshold", "level:>=WARNING", "r04 r05 r07 r10 r12 l02 l03 l04 l05 l09"),
    found("level_above", "level:>ERROR", "l04 l05"),
    found("level_between", "level:[warn TO error]", "r04 r05 r07 r10 r12 l02 l03 l09"),
    found("level_below", "level:<INFO", "l01"),
    found("level_unknown", "level:NOTICE", "l06"),
    found("level_wildcard", "level:w*", "r05 r07 r10 l02 l03"),
    found("level_missing", "-_exists_:level", "l07 l08 m01 m02 m03 v01 v02 v03 v04 v05 v06 v07 v08 v09 v10 v11 v12"),
    found("level_group", "level:(DEBUG OR notice)", "l01 l06"),
    found("not_level", "-level:INFO -level:>=WARNING _exists_:message", "l01 l06 l07 l08 m01 m02 m03"),
    found("korean_value", 'search_word:"서울 맛집"', "r01 r02 r08 r12"),
    found("part_of_a_value_is_none", "search_word:맛집", ""),
    found("value_case", "search_word:seoul", "r11"),
    found("value_wildcard", "search_word:서울*", "r01 r02 r08 r09 r12"),
    found("value_wildcard_inside", "search_word:서?*집", "r01 r02 r08 r12"),
    found("value_wildcard_one", "search_word:?eoul", "r10 r11"),
    found("value_with_signs", 'request_path:"/search?q=busan"', "r03 r04"),
    found("path_wildcard", r"request_path:/api/*", "r06 r07"),
    found("path_with_wildcards_as_such", r"request_path:/search\?q=x", "r08"),
    found("quoted_star", 'user:"kim*"', "v06"),
    found("escaped_star", r"user:kim\*", "v06"),
    found("star_is_not_quoted", "user:kim*", "v06"),
    found("quotes_and_backslash", lucene.render_filter("odd", 'say "hi" \\o/'), "v06"),
    found("control_characters", lucene.render_filter("odd", "a\tb\nc"), "v05"),
    found("zero_width_space", lucene.render_filter("odd", "\u200b"), "v07"),
    found("astral", lucene.render_filter("odd", "\U0001f680"), "v08"),
    found("astral_is_one_character", "odd:?", "v07 v08"),
    found("no_unicode_normalisation", 'user:"é"', "v08"),
    found("number", "status_code:404", "r05 r07"),
    found("number_as_float", "status_code:404.0", "r05 r07"),
    found("number_is_no_word", "status_code:many", ""),
    found("number_from", "status_code:>=500", "r04 r12"),
    found("number_range", "status_code:[400 TO 499]", "r05 r07 r10"),
    found("number_range_open", "status_code:{404 TO 503}", "r04"),
    found("number_below", "status_code:<201 AND request_path:*", f"r01 r02 r03 r08 r11 {_keys('s', 0, 11)}"),
    found("number_wildcard", "status_code:4*", "r05 r07 r10"),
    found("number_wildcard_one", "status_code:40?", "r05 r07 r10"),
    found("number_range_of_words", "status_code:[a TO z]", ""),
    found("number_too_large", "status_code:>99999999999 OR status_code:99999999999999999999", ""),
    found("number_below_what_is_large", "status_code:[500 TO 1e300]", "r04 r12"),
    found("number_above_what_is_small", "duration:[-1e300 TO 0.5]", "r06"),
    found("number_between_two", "n:(>0.5 AND <1.5)", "v03"),
    found("number_wildcard_two_digits", "n:??", "v02 v03 v06"),
    found("number_wildcard_zero", "n:0*", "v04"),
    found("number_wildcard_negative", "n:-*", "v02"),
    found("number_wildcard_negative_digit", "n:-5?*", ""),
    found("number_wildcard_starts", "n:1*", "v03"),
    found("negative", "n:-5", "v02"),
    found("negative_range", "n:[-10 TO -1]", "v02"),
    found("below_zero", "n:<0", "v02"),
    found("large_integer", "n:9007199254740991", "v05"),
    found("float", "duration:0.25", "r06"),
    found("float_written_else", "duration:1.50", "r07"),
    found("float_range", "duration:(>0.25 AND <=100)", "r07 r08 r09"),
    found("element_of_numbers", "n:10", "v03"),
    found("elements_range", "n:[6 TO 50]", "v03 v06"),
    found("numbers_as_text", "version:>=9", "v07 v08", elasticsearch=IN_TEXT, opensearch=IN_TEXT, legacy=IN_TEXT),
    found("true", "flag:true", "v01"),
    found("false", "flag:false", "v02"),
    found("True_is_no_value", "flag:True", ""),
    found("empty_value", 'empty:""', "v03"),
    found("element", "tags:auth", "r10 r12"),
    found("both_elements", "tags:(slow AND auth)", "r10"),
    found("exists", "_exists_:tags", "r10 r11 r12"),
    found("exists_star", "user:*", "v05 v06 v07 v08"),
    found("null_is_not_there", "_exists_:nothing", ""),
    found("empty_array_is_not_there", "_exists_:none", ""),
    found("empty_text_is_there", "_exists_:empty", "v03"),
    found("object_is_there", "_exists_:a", "v01 v02"),
    found(
        "text_or_object",
        "_exists_:host",
        "r03 r04 r05",
        opensearch="an object as host is kept and not indexed",
        legacy=_LEGACY,
    ),
    found("object_has_no_value", "a:deep", ""),
    found("nested", "a.b.c:deep", "v01 v02"),
    found("nested_element", "a.b.c:deeper", "v02"),
    found("nested_reference", r"\[a\]\[b\]\[c\]:deep", "v01 v02"),
    found("dotted_name", "x.y:dotted", "v03"),
    found("dotted_path", "x.y:nested", "v04"),
    found("dots_in_names", "http.request.method:GET", "d01 d02 d04"),
    found("dots_in_names_there", "_exists_:http.request.method", "d01 d02 d03 d04"),
    found("unknown_field", "nobody:knows", ""),
    found("not_unknown_field", "-nobody:knows", ALL),
    found("unknown_field_range", "nobody:>5", ""),
    found("unknown_field_exists", "_exists_:nobody", ""),
    found("in_objects_of_an_array", "items.sku:b2", "o01 o02"),
    found("in_objects_of_an_array_or_an_object", "items.sku:a1", "o01 o03 o05 o08"),
    found("in_objects_of_an_array_in_an_array", "items.sku:d4", "o06"),
    found("in_objects_of_an_array_reference", r"\[items\]\[sku\]:c3", "o05"),
    found("in_objects_of_an_array_and_a_dotted_name", "items.sku:e5", "o08"),
    found("in_objects_of_an_array_wildcard", "items.sku:?2*", "o01 o02"),
    found("in_objects_of_an_array_number", "items.qty:3", "o01"),
    found("in_objects_of_an_array_range", "items.qty:>=3", "o01 o02"),
    found("in_objects_of_an_array_both", "items.sku:(a1 AND b2)", "o01"),
    found("in_objects_of_an_array_not", "-items.sku:a1 _exists_:items", "o02 o06"),
    found("in_objects_of_an_array_there", "_exists_:items.sku", "o01 o02 o03 o05 o06 o08"),
    found("in_objects_of_an_array_empty", 'items.sku:""', "o06"),
    found("in_objects_of_an_array_of_others", "items.note:none", "o02"),
    found("in_objects_of_arrays", "order.lines.sku:x", "o01 o04"),
    found("in_objects_of_arrays_last", "order.lines.sku:y", "o04"),
    found("in_objects_of_arrays_truth", "order.lines.gift:true", "o04"),
    found("no_position_in_an_array", "items.0.sku:a1 OR tags.0:slow", ""),
    found("arrays_in_an_array", "grid:3 OR grid:30", "o05"),
    found("arrays_in_an_array_there", "_exists_:grid", "o05 o06"),
    found("number_and_text", "size:5", "x01 x03 x04"),
    found("number_and_text_there", "_exists_:size", "x01 x02 x03 x04 x05 x06"),
    found("number_and_text_wildcard", "size:l*", "x05", legacy=_NO_WILDCARD),
    found("number_and_text_wildcard_inside", "size:l*e", "x05", legacy=_NO_WILDCARD),
    found("number_and_object", "size.width:5", "x06"),
    found("number_and_text_in_an_object", "span.ms:1", "x01 x04 x05"),
    found("not_number_and_text", "-size:5 size:*", "x02 x05 x06"),
    found("address", "client_ip:211.36.1.1", "r01"),
    found("no_address", "client_ip:somewhere", ""),
    found("host_text", "host:web1", "r03 r05", legacy=_LEGACY),
    found("host_object", "host.name:web2", "r04", opensearch=_OPENSEARCH, legacy=_LEGACY),
    found("text_range", "search_word:[Seoul TO seoul]", "r10 r11"),
    found("text_from", "search_word:>=제", "r05"),
    found("text_below", "search_word:<a", "r10"),
    found("and_or", "status_code:200 AND (search_word:부산 OR search_word:서울*)", "r01 r02 r03 r08"),
    found("blank_is_and", "search_word:부산 level:INFO", "r03"),
    found("not_in_group", "search_word:부산 NOT (level:INFO OR level:DEBUG)", "r04"),
    found("nothing_and_all", "* -*", ""),
    found("day", "@timestamp:2026-11-20", f"{_keys('r', 1, 7)} {_keys('x', 1, 3)}"),
    found("hour", "@timestamp:2026-11-20T14", "r03 r04 r05 r06"),
    found("minutes", '@timestamp:["2026-11-20T14:00" TO "2026-11-20T14:10"}', "r03 r04 r05"),
    found("offset", '@timestamp:["2026-11-20T23:00+09:00" TO "2026-11-20T23:10+09:00"}', "r03 r04 r05"),
    found("point_in_time", '@timestamp:"2026-11-20T23:59:59.999Z"', "r07"),
    found("times_from", "@timestamp:>=2026-11-22T12", "m01 m02 m03"),
]

FREE_TEXT = [
    found("word", "details", "l01"),
    found("word_any_case", "DETAILS", "l01"),
    found("part_of_words", "time", "t03 t04"),
    found("one_syllable", "맛", "r01 r02 r08 r12 t01 t02"),
    found("korean", "서울", "r01 r02 r08 r09 r12 t01 t02 t12"),
    found("korean_phrase", '"서울 맛집"', "r01 r02 r08 r12 t01"),
    found("korean_words", "서울 맛집", "r01 r02 r08 r12 t01 t02"),
    found("word_in_a_path", "여행", "v11"),
    found("phrase_in_a_path", '"제주도 여행"', "v11"),
    found("words_apart_in_a_path", '"제주도 카페"', ""),
    found("accents_in_a_path", '"CAFÉ x"', "v11"),
    found("ideographs_in_a_path", '"東京 都"', "t05 v11"),
    found("wildcard_in_a_path", "제*도", "v11"),
    found("plain_word_in_a_path", "Bestpath", "v12"),
    found("ending_of_a_word", "찾았", "t01"),
    found("punctuation_between", '"동서울 맛집을"', "t01"),
    found("host_name", "example.com", "t03"),
    found("number_in_text", "30.5", "t03"),
    found("digits", "5432", "t03"),
    found("underscore", "foo_bar", "t04"),
    found("part_of_underscored", "o_b", "t04"),
    found("apostrophe", "it's", "t04"),
    found("hyphen", "time-out", "t04"),
    found("stack_trace", "ZeroDivisionError", "l09"),
    found("stack_trace_phrase", '"ZeroDivisionError: division by zero"', "l09"),
    found("stack_trace_file", '"views.py, line 42"', "l09"),
    found("both_fields", "Internal AND Traceback", "l09"),
    found("phrase_in_one_field", '"search Traceback"', ""),
    found("message_only", "message:traceback", ""),
    found("stack_trace_only", "stack_trace:traceback", "l09"),
    found("message_there", "message:* AND -level:*", "l07 l08 m01 m02 m03"),
    found("path", "/search?q=", "r01 r02 r03 r04 r05 r08"),
    found("url_phrase", '"GET /search"', "r01 r02 r03 r04 r05 r08 r12"),
    found("phrase_of_numbers", '"HTTP/1.1 404"', "r05 r07"),
    found("not_word", "-서울 -search message:* @timestamp:2026-11-21T12", "t03 t04 t05 t06 t07 t08 t09 t10 t11"),
    found("ideographs", "東京", "t05 v11"),
    found("ideographs_inside", "京都の", "t05"),
    found("hiragana", "の天", "t05"),
    found("ideographs_apart", "東天", ""),
    found("latin_and_digits", "Tokyo2026", "t05"),
    found("element_of_texts", '"second part"', "t06"),
    found("not_across_elements", '"part second"', ""),
    found("accents", "café", "t07 v11"),
    found("accents_upper", "CAFÉ", "t07 v11"),
    found("accents_count", "cafe", ""),
    found("sigma", "ας", ""),
    found("sigma_as_lucene", "ασ", "t07"),
    found("backslashes", r'"C:\\temp\\new"', "t08"),
    found("star_in_quotes", '"*star*"', "t08"),
    found("emoji", "🚀", "t09"),
    found("version", "v1.2.3", "t09"),
    found("mixed_word", "3호선", "t12"),
    found("part_of_mixed", "2호", "t12"),
    found("wildcard_in_word", "run*error", "t04"),
    found("wildcard_in_korean", "동?울", "t01"),
    found("wildcard_one_word_only", "connect*out", ""),
    found("wildcard_at_ends", "*untim*", "t04"),
    found("boost_is_ignored", "details^2", "l01"),
]

NEWEST = "m03 m02 m01 l09 l08"


def _pages(size: int) -> Callable[[LogStore], str]:
    """Read everything in pages, each after the last hit of the previous page."""

    def ask(store: LogStore) -> str:
        seen: list[str] = []
        after = None
        while hits := list(store.search(query(), size, after)):
            seen += [key_of(hit.document) for hit in hits]
            after = hits[-1].cursor
        assert len(seen) == len(set(seen)), "a hit was returned twice"
        return " ".join(sorted(seen))

    return ask


def to_the_end(*ids: str) -> Question:
    """Return some questions of `FOUND`, asked without a limit."""
    asked = [case for case in FOUND if case[0] in ids]
    return Question(
        "to_the_end",
        lambda store: {id_: " ".join(sorted(keys(store, query(text)))) for id_, text, _ in asked},
        {id_: expected for id_, _, expected in asked},
    )


def _newest_first(store: LogStore) -> bool:
    times = [str(EVENTS[key]["@timestamp"]).removesuffix("Z") for key in keys(store, query())]
    return times == sorted(times, reverse=True) and len(times) == len(EVENTS)


def _same_twice(store: LogStore) -> bool:
    return keys(store, query()) == keys(store, query())


def _ids(store: LogStore) -> bool:
    return all(hit.id == key_of(hit.document) for hit in store.search(query(), 0))


def _indices(store: LogStore) -> list[tuple[str, str, int]]:
    rows = store.indices()
    assert all(row.bytes > 0 for row in rows)
    assert [row.index for row in rows] == sorted(row.index for row in rows)
    return [(row.index[-10:], str(row.day), row.events) for row in rows]


def _count(text: str) -> Callable[[LogStore], int]:
    return lambda store: store.count(query(text))


def _top(
    name: str, text: str = "", n: int = 20, since: str | None = None
) -> Callable[[LogStore], list[tuple[Any, int]]]:
    return lambda store: [(top.value, top.count) for top in store.top(name, query(text, since), n)]


def _of_any_order(ask: Callable[[LogStore], list[Any]]) -> Callable[[LogStore], set[Any]]:
    return lambda store: set(ask(store))


def _top_paths(name: str, text: str = "", n: int = 20) -> Callable[[LogStore], list[tuple[Any, int]]]:
    return lambda store: [(top.value, top.count) for top in store.top(name, query(text), n, paths=True)]


def _over_time(
    text: str, seconds: int, offset: int = 0, name: str = "level"
) -> Callable[[LogStore], dict[str, dict[str, int]]]:
    def ask(store: LogStore) -> dict[str, dict[str, int]]:
        buckets = store.histogram(query(text), seconds, offset, name)
        assert [bucket.time for bucket in buckets] == sorted(bucket.time for bucket in buckets)
        return {bucket.time.removesuffix(":00.000Z"): bucket.counts for bucket in buckets}

    return ask


def _over_days(text: str, zone: datetime.tzinfo) -> Callable[[LogStore], dict[str, dict[str, int]]]:
    def ask(store: LogStore) -> dict[str, dict[str, int]]:
        now = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC).timestamp()
        buckets = zoned_histogram(store, query(text), 86400, zone, now)
        return {bucket.time.removesuffix(":00.000Z"): bucket.counts for bucket in buckets}

    return ask


def _between(since: str | None, until: str | None) -> Callable[[LogStore], str]:
    return lambda store: " ".join(sorted(keys(store, query("", since, until))))


def _days() -> list[tuple[str, str, int]]:
    """Return what `_indices` should return."""
    held = [index_of(event) for event in EVENTS.values()]
    return [(day, day.replace(".", "-"), held.count(day)) for day in DAYS]


OTHERS = [
    Question("indices", _indices, _days()),
    Question("newest_first", lambda store: " ".join(keys(store, query(), 5)), NEWEST),
    Question("whole_order", _newest_first, True),
    Question("same_order_twice", _same_twice, True),
    Question("ids", _ids, True),
    *(Question(f"pages_of_{size}", _pages(size), " ".join(sorted(EVENTS))) for size in (3, 5, 1000)),
    to_the_end("level_threshold", "number_range", "both_elements", "not_word", "minutes", "nothing_and_all"),
    Question("since", _between("2026-11-22T11:00:08Z", None), "l09 m01 m02 m03"),
    Question("until", _between(None, "2026-11-20T14:05:00.000Z"), "r01 r02 r03"),
    Question("between", _between("2026-11-20T14:00:00Z", "2026-11-20T14:10:00Z"), "r03 r04 r05"),
    Question("between_nothing", _between("2026-11-22T00:00:00Z", "2026-11-20T00:00:00Z"), ""),
    Question("count", _count(""), len(EVENTS)),
    Question("count_level", _count("level:>=WARNING"), 10),
    Question("count_text", _count("서울 OR message:GET"), 27),
    Question("count_nothing", _count("nobody:knows"), 0),
    Question("top_words", _top("search_word", n=2), [("같은 0", 4), ("같은 1", 4)]),
    Question("top_words_of_level", _top("search_word", "level:>=ERROR"), [("부산", 1), ("서울 맛집", 1)]),
    Question(
        "top_words_since",
        _top("search_word", since="2026-11-22T00:00:00Z"),
        [("같은 0", 4), ("같은 1", 4), ("같은 2", 4), ("서울 맛집", 1)],
    ),
    Question("top_paths", _top_paths("request_path", n=4), [("/s", 12), ("/search", 7), ("/", 1), ("/admin/", 1)]),
    Question("top_paths_of_level", _top_paths("request_path", "level:>=ERROR"), [("/search", 2)]),
    Question(
        "top_paths_of_an_array",
        _top_paths("urls"),
        [("/a", 2), ("/b", 1), ("c", 1)],
        {"elasticsearch": "the servers of the tests have no scripts: both values of an array count"},
    ),
    Question("top_paths_of_numbers", _top_paths("status_code", n=2), [(200, 17), (404, 2)]),
    Question("top_paths_unknown", _top_paths("nobody"), []),
    Question("top_numbers", _top("status_code", n=3), [(200, 17), (404, 2), (201, 1)]),
    Question("top_floats", _top("duration"), [(0.25, 1), (1.5, 1), (12.0, 1), (100.0, 1)]),
    Question("top_truth", _top("flag"), [(False, 1), (True, 1)]),
    Question("top_elements", _top("tags"), [("auth", 2), ("slow", 2)]),
    Question(
        "top_levels_as_written",
        _top("level", "level:>=WARNING @timestamp:2026-11-22T11"),
        [("CRITICAL", 1), ("ERROR", 1), ("Warn", 1), ("fatal", 1), ("warning", 1)],
    ),
    Question("top_nested", _top("a.b.c"), [("deep", 2), ("deeper", 1)]),
    Question("top_in_objects_of_an_array", _top("items.sku"), [("a1", 4), ("b2", 2), ("c3", 1), ("d4", 1), ("e5", 1)]),
    Question("top_in_objects_of_an_array_of_query", _top("items.sku", "items.sku:b2"), [("b2", 2), ("a1", 1)]),
    Question("top_in_objects_of_an_array_numbers", _top("items.qty"), [(1, 1), (2, 1), (3, 1), (5, 1)]),
    Question("top_in_objects_of_arrays", _top("order.lines.sku"), [("x", 2), ("y", 1), ("z", 1)]),
    Question("top_dots_in_names", _top("http.request.method"), [("GET", 3), ("PUT", 2)]),
    Question("top_arrays_in_an_array", _top("grid"), [(1, 2), (2, 1), (3, 1), (30, 1)]),
    Question("top_number_and_text", _of_any_order(_top("size")), {(5, 2), (7, 1), (70, 1), ("5", 1), ("large", 1)}),
    Question(
        "top_number_and_text_in_an_object", _of_any_order(_top("span.ms")), {("1", 2), ("long", 1), (1, 1), (2, 1)}
    ),
    Question(
        "histogram_in_objects_of_an_array",
        _over_time("items:*", 3600, 0, "items.sku"),
        {"2026-11-21T16:00": {"": 1, "a1": 4, "b2": 2, "c3": 1, "d4": 1, "e5": 1}},
    ),
    Question("top_address", _top("client_ip"), [("211.36.1.1", 1), ("211.36.1.2", 1)]),
    Question("top_no_empty", _top("empty"), []),
    Question("top_unknown", _top("nobody"), []),
    Question("top_object", _top("a"), []),
    Question("top_of_nothing", _top("search_word", "nobody:knows"), []),
    Question(
        "histogram_by_level",
        _over_time("@timestamp:2026-11-22T11 OR @timestamp:2026-11-20T14", 3600),
        {
            "2026-11-20T14:00": {"ERROR": 1, "INFO": 2, "WARNING": 1},
            "2026-11-22T11:00": {
                **dict.fromkeys(("CRITICAL", "DEBUG", "ERROR", "FATAL", "NOTICE", "WARN", "WARNING"), 1),
                "": 2,
            },
        },
    ),
    Question(
        "histogram_days",
        _over_time("search_word:부산 OR user:*", 86400),
        {"2026-11-20T00:00": {"ERROR": 1, "INFO": 1}, "2026-11-21T00:00": {"": 4}},
    ),
    Question(
        "histogram_days_of_seoul",
        _over_time('status_code:404 OR request_path:("/admin/" OR "/")', 86400, 9 * 3600),
        {"2026-11-19T15:00": {"WARNING": 1}, "2026-11-20T15:00": {"INFO": 2, "WARNING": 1}},
    ),
    *(
        Question(f"histogram_days_of_{zone}", _over_days("search_word:부산 OR user:*", ZoneInfo(zone)), days)
        for zone, days in {
            "UTC": {"2026-11-20T00:00": {"ERROR": 1, "INFO": 1}, "2026-11-21T00:00": {"": 4}},
            "Asia/Seoul": {"2026-11-19T15:00": {"ERROR": 1, "INFO": 1}, "2026-11-21T15:00": {"": 4}},
            "America/New_York": {"2026-11-20T05:00": {"ERROR": 1, "INFO": 1}, "2026-11-21T05:00": {"": 4}},
        }.items()
    ),
    Question(
        "histogram_days_around_a_change_of_clocks",
        _over_days("user:*", ChangedClocks()),
        {"2026-11-20T15:00": {"": 2}, "2026-11-21T15:00": {"": 2}},
    ),
    Question(
        "histogram_days_of_which_one_lacks_its_midnight",
        _over_days("search_word:부산 OR user:*", SKIPPED_MIDNIGHT),
        {"2026-11-19T15:00": {"ERROR": 1, "INFO": 1}, "2026-11-21T15:00": {"": 4}},
    ),
    Question(
        "histogram_of_a_day_that_lacks_its_midnight",
        _over_days("user:*", SKIPPED_MIDNIGHT),
        {"2026-11-21T15:00": {"": 4}},
    ),
    Question(
        "histogram_of_numbers",
        _over_time("@timestamp:2026-11-20T14", 600, 0, "status_code"),
        {"2026-11-20T14:00": {"200": 1, "404": 1, "500": 1}, "2026-11-20T14:10": {"201": 1}},
    ),
    Question(
        "histogram_of_truth",
        _over_time("@timestamp:[2026-11-21T15:00:00 TO 2026-11-21T15:00:02]", 60, 0, "flag"),
        {"2026-11-21T15:00": {"": 1, "false": 1, "true": 1}},
    ),
    Question("histogram_unknown_field", _over_time("user:*", 60, 0, "nobody"), {"2026-11-21T15:00": {"": 4}}),
    Question("histogram_of_nothing", _over_time("nobody:knows", 60), {}),
]


QUESTIONS = [*FILTERS, *FREE_TEXT, *OTHERS, *AGGREGATIONS, *WORD_REPORTS]


def check(store: LogStore, kind: str, questions: Sequence[Question] = tuple(QUESTIONS)) -> dict[str, tuple[Any, Any]]:
    """Ask all questions; return those with another answer: id -> (expected, got). ``kind`` is as in ``differs``.

    A question with an entry in ``differs`` whose answer does not differ is one of them: then the entry has to go.
    """
    wrong: dict[str, tuple[Any, Any]] = {}
    for question in questions:
        try:
            got = question.ask(store)
        except StoreError as error:
            got = f"{type(error).__name__}: {error}"
        if (got == question.expected) == (kind in question.differs):
            wrong[question.id] = (question.expected, got)
    return wrong


def check_texts(
    ask: Callable[[str], Sequence[str]], texts: Sequence[tuple[str, str, str, bool]] = tuple(TEXTS)
) -> dict[str, tuple[bool, bool]]:
    """Search for each wanted text of some `TEXTS`; ``ask`` returns the ids of the texts that are found."""
    wrong: dict[str, tuple[bool, bool]] = {}
    answers = {wanted: ask(wanted) for _, wanted, _, _ in texts}
    for id_, wanted, _, expected in texts:
        got = id_ in answers[wanted]
        if got != expected:
            wrong[id_] = (expected, got)
    return wrong
