"""The questions of the suite that are aggregations."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from ingestd.stores.aggregation import Aggregation, Interval, Metric, Terms
from ingestd.stores.base import LogStore
from ingestd.stores.zoned_histogram import zoned_interval
from tests.stores.events import EVENTS
from tests.stores.questions import SKIPPED_MIDNIGHT, ChangedClocks, Question, query


def _aggregated(
    metrics: str,
    text: str = "",
    by: str = "",
    *,
    n: int = 10,
    paths: bool = False,
    interval: Interval | datetime.tzinfo | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Callable[[LogStore], dict[str, Any]]:
    """Return the values of metrics for each bucket, by its key and time; ``interval`` may be days of a zone."""

    def ask(store: LogStore) -> dict[str, Any]:
        asked, wanted = query(text, since, until), interval
        if isinstance(wanted, datetime.tzinfo):
            wanted = zoned_interval(store, asked, 86400, wanted, _NOW)
        terms = tuple(Terms(field, n, paths=paths) for field in by.split())
        buckets = store.aggregate(asked, Aggregation(tuple(map(Metric.parse, metrics.split())), terms, wanted))
        times = [(bucket.time or "").removesuffix(":00.000Z") for bucket in buckets]
        names = [
            " / ".join([*map(str, bucket.key), *filter(None, [time])])
            for bucket, time in zip(buckets, times, strict=True)
        ]
        return {name: list(bucket.values) for name, bucket in zip(names, buckets, strict=True)}

    return ask


def _in_order(ask: Callable[[LogStore], dict[str, Any]]) -> Callable[[LogStore], list[Any]]:
    return lambda store: list(ask(store).items())


def _close(ask: Callable[[LogStore], dict[str, Any]], *bounds: tuple[float, float]) -> Callable[[LogStore], bool]:
    """Return whether the metrics of the only bucket are within bounds: percentiles may be approximate."""

    def within(store: LogStore) -> bool:
        (values,) = ask(store).values()
        return all(low <= value <= high for value, (low, high) in zip(values, bounds, strict=True))

    return within


_NOW = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC).timestamp()
_NO_NUMBERS = "a text: the server has no number for it, and says so"
_DAY = "@timestamp:2026-11-20"

AGGREGATIONS = [
    Question("agg_count", _aggregated("count"), {"": [len(EVENTS)]}),
    Question("agg_count_of_query", _aggregated("count", "level:>=WARNING"), {"": [10]}),
    Question(
        "agg_of_mixed_types",
        _aggregated("count sum:took avg:took min:took max:took p50:took", "nr:*"),
        {"": [12, 211.0, 26.375, 0.5, 100.0, 20.0]},
    ),
    Question("agg_percentiles", _close(_aggregated("p75:took p99:took"), (20, 30), (30, 100)), True),
    Question(
        "agg_of_large_integers",
        _aggregated("min:big max:big sum:big distinct:big"),
        {"": [2.0**53, 2.0**53 + 4, 2.0**54 + 4, 2]},
    ),
    Question("agg_by_large_integers", _aggregated("count", by="big"), {f"{2**53 + 1}": [1], f"{2**53 + 3}": [1]}),
    Question("agg_of_arrays", _aggregated("sum:n min:n max:n p50:n", "n:[5 TO 50]"), {"": [158.0, 1.0, 100.0, 10.0]}),
    Question(
        "agg_of_texts",
        _aggregated("sum:version max:version"),
        {"": [19.0, 10.0]},
        dict.fromkeys(("elasticsearch", "opensearch", "legacy"), _NO_NUMBERS),
    ),
    *(
        Question(
            f"agg_of_{name}", _aggregated(f"count sum:{name} avg:{name} max:{name} p99:{name}", text), {"": answer}
        )
        for name, text, answer in (
            ("nobody", "nr:*", [12, 0.0, None, None, None]),
            ("search_word", "nr:*", [12, 0.0, None, None, None]),
            ("flag", "", [len(EVENTS), 0.0, None, None, None]),
            ("a", "a:*", [2, 0.0, None, None, None]),
            ("took", "nobody:knows", [0, 0.0, None, None, None]),
        )
    ),
    Question("agg_of_a_nested_field", _aggregated("distinct:a.b.c distinct:x.y distinct:empty"), {"": [2, 2, 0]}),
    Question(
        "agg_distinct",
        _aggregated("distinct:search_word distinct:status_code distinct:tags distinct:flag distinct:nobody"),
        {"": [9, 7, 2, 2, 0]},
    ),
    Question(
        "agg_time_is_milliseconds",
        _aggregated("min:@timestamp max:@timestamp count", "level:(ERROR OR DEBUG)", "level"),
        {"ERROR": [1795183500000.0, 1795345208000.0, 3], "DEBUG": [1795345200000.0, 1795345200000.0, 1]},
    ),
    Question("agg_time_of_nothing", _aggregated("min:@timestamp max:@timestamp", "level:NOBODY"), {"": [None, None]}),
    Question(
        "agg_time_over_time",
        _aggregated("max:@timestamp min:bytes", _DAY + " AND level:ERROR", interval=Interval(86400)),
        {"2026-11-20T00:00": [1795183500000.0, 1500.0]},
    ),
    Question(
        "agg_rate",
        _aggregated("rate rate:bytes", _DAY, since="2026-11-20T00:00:00Z", until="2026-11-20T00:01:10Z"),
        {"": [1 / 70, 190 / 7]},
    ),
    Question(
        "agg_empty_range",
        _aggregated("count avg:bytes", since="2026-11-22T00:00:00Z", until="2026-11-20T00:00:00Z"),
        {"": [0, None]},
    ),
    Question(
        "agg_empty_range_by",
        _aggregated("count", by="level", since="2026-11-22T00:00:00Z", until="2026-11-20T00:00:00Z"),
        {},
    ),
    Question(
        "agg_by_field",
        _in_order(_aggregated("count avg:status_code distinct:search_word", "request_path:*", "level")),
        [("INFO", [19, 205.42105263157896, 7]), ("WARNING", [3, 403.6666666666667, 2]), ("ERROR", [2, 501.5, 2])],
    ),
    Question(
        "agg_by_field_best", _in_order(_aggregated("count", by="search_word", n=2)), [("같은 0", [4]), ("같은 1", [4])]
    ),
    Question(
        "agg_by_number",
        _in_order(_aggregated("count max:bytes", _DAY, "status_code", n=2)),
        [("200", [3, 2600.0]), ("404", [2, 1400.0])],
    ),
    Question("agg_by_truth", _aggregated("sum:n", by="flag"), {"False": [-5.0], "True": [5.0]}),
    Question(
        "agg_by_elements", _aggregated("count sum:status_code", by="tags"), {"auth": [2, 906.0], "slow": [2, 603.0]}
    ),
    Question(
        "agg_of_objects_of_an_array",
        _aggregated("count sum:items.qty min:items.qty max:items.qty distinct:items.sku", "items:*"),
        {"": [6, 11.0, 1.0, 5.0, 5]},
    ),
    Question("agg_of_arrays_in_an_array", _aggregated("sum:grid max:grid", "items.sku:c3"), {"": [36.0, 30.0]}),
    Question(
        "agg_by_objects_of_an_array",
        _in_order(_aggregated("count sum:items.qty", by="items.sku", n=3)),
        [("a1", [4, 6.0]), ("b2", [2, 10.0]), ("c3", [1, 0.0])],
    ),
    Question(
        "agg_by_objects_of_arrays_over_time",
        _aggregated("count", by="order.lines.sku", interval=Interval(86400)),
        {f"{sku} / 2026-11-21T00:00": [count] for sku, count in (("x", 2), ("y", 1), ("z", 1))},
    ),
    Question(
        "agg_of_numbers_and_texts",
        _aggregated("count sum:size max:span.ms", "@timestamp:2026-11-20"),
        {"": [10, 87.0, 2.0]},
    ),
    Question("agg_by_unknown", _aggregated("count", by="nobody"), {}),
    Question("agg_by_object", _aggregated("count", by="a"), {}),
    Question(
        "agg_words_by_country",
        _in_order(_aggregated("count p50:status_code", by="country search_word")),
        [
            ("KR / 서울 맛집", [2, 200.0]),
            ("KR / 부산", [1, 200.0]),
            ("JP / 부산", [1, 500.0]),
            ("JP / 제주", [1, 404.0]),
        ],
    ),
    Question(
        "agg_words_by_country_best",
        _in_order(_aggregated("count", by="country search_word", n=1)),
        [("KR / 서울 맛집", [2])],
    ),
    Question("agg_levels_of_unknown", _aggregated("count", by="country nobody"), {}),
    Question(
        "agg_over_time",
        _in_order(_aggregated("count rate max:status_code", "search_word:부산 OR user:*", interval=Interval(86400))),
        [("2026-11-20T00:00", [2, 2 / 86400, 500.0]), ("2026-11-21T00:00", [4, 4 / 86400, None])],
    ),
    Question(
        "agg_by_level_over_time",
        _in_order(_aggregated("count sum:bytes distinct:request_path", _DAY, "level", interval=Interval(43200))),
        [
            ("INFO / 2026-11-20T00:00", [2, 4500.0, 2]),
            ("INFO / 2026-11-20T12:00", [5, 2800.0, 2]),
            ("WARNING / 2026-11-20T12:00", [2, 2700.0, 2]),
            ("ERROR / 2026-11-20T12:00", [1, 1500.0, 1]),
        ],
    ),
    Question(
        "agg_two_levels_over_time",
        _aggregated("count", by="country search_word", interval=Interval(3600)),
        {
            "KR / 서울 맛집 / 2026-11-20T00:00": [1],
            "KR / 서울 맛집 / 2026-11-20T10:00": [1],
            "KR / 부산 / 2026-11-20T14:00": [1],
            "JP / 부산 / 2026-11-20T14:00": [1],
            "JP / 제주 / 2026-11-20T14:00": [1],
        },
    ),
    Question(
        "agg_paths_over_time",
        _in_order(_aggregated("count sum:status_code", by="request_path", n=2, paths=True, interval=Interval(86400))),
        [
            ("/s / 2026-11-22T00:00", [12, 2400.0]),
            ("/search / 2026-11-20T00:00", [5, 1504.0]),
            ("/search / 2026-11-21T00:00", [1, 200.0]),
            ("/search / 2026-11-22T00:00", [1, 503.0]),
        ],
        {"elasticsearch": "the servers of the tests have no scripts, which the answer says"},
    ),
    Question(
        "agg_levels_of_paths",
        _in_order(_aggregated("count", "level:>=WARNING", by="request_path level", n=2, paths=True)),
        [("/search / ERROR", [2]), ("/search / WARNING", [1]), ("/admin/login/ / WARNING", [1])],
        {"elasticsearch": "the servers of the tests have no scripts, which the answer says"},
    ),
    Question("agg_over_no_time", _aggregated("count", "nobody:knows", interval=Interval(60)), {}),
    *(
        Question(
            f"agg_days_of_{zone}",
            _aggregated("count max:status_code", "search_word:부산 OR user:*", interval=ZoneInfo(zone)),
            days,
        )
        for zone, days in {
            "Asia/Seoul": {"2026-11-19T15:00": [2, 500.0], "2026-11-21T15:00": [4, None]},
            "America/New_York": {"2026-11-20T05:00": [2, 500.0], "2026-11-21T05:00": [4, None]},
        }.items()
    ),
    Question(
        "agg_days_around_a_change_of_clocks",
        _aggregated("count max:n distinct:user", "user:*", interval=ChangedClocks()),
        {"2026-11-20T15:00": [2, None, 2], "2026-11-21T15:00": [2, 9007199254740991.0, 2]},
    ),
    *(
        Question(
            f"agg_of_{name}_lacks_its_midnight", _aggregated("count rate", text, interval=SKIPPED_MIDNIGHT), answer
        )
        for name, text, answer in (
            ("a_day_that", "user:*", {"2026-11-21T15:00": [4, 4 / (23 * 3600)]}),
            (
                "days_of_which_one",
                "search_word:부산 OR user:*",
                {"2026-11-19T15:00": [2, 2 / 86400], "2026-11-21T15:00": [4, 4 / (23 * 3600)]},
            ),
        )
    ),
    Question(
        "agg_days_around_a_change_of_clocks_by",
        _aggregated("count", "user:*", "odd", interval=ChangedClocks(), n=2),
        {"a\tb\nc / 2026-11-21T15:00": [1], 'say "hi" \\o/ / 2026-11-21T15:00': [1]},
    ),
]
