"""The filter ``bytes``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.config.errors import ConfigError
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, check


def size(id_: str, value: Any, result: float, **settings: Any) -> Case:
    return Case(id_, {"target": "n", **settings}, {"message": value}, {"message": value, "n": result})


def no_size(id_: str, before: dict[str, Any], **settings: Any) -> Case:
    after = {**before, "tags": settings.get("tag_on_failure", ["_bytesparsefailure"])}
    return Case(id_, {"target": "n", **settings}, before, after, done=False)


METRIC = {"conversion_method": "metric"}
COMMA = {"decimal_separator": ","}

CASES = [
    size("plain", "40", 40.0),
    size("bytes", "40B", 40.0),
    size("blanks", " 40 kB ", 40960.0),
    size("kilobytes", "40KB", 40960.0),
    size("lower_case", "40kb", 40960.0),
    size("no_unit", "10m", 10485760.0),
    size("fraction", "40.5KB", 41472.0),
    size("metric", "40KB", 40000.0, **METRIC),
    size("gigabytes", "1gB", 2.0**30),
    size("terabytes", "1 TB", 1e12, **METRIC),
    size("petabytes", "1P", 2.0**50),
    size("exabytes", "1 EB", 2.0**60),
    size("number", 40, 40.0),
    size("float", 40.5, 40.5),
    size("groups", "1,234,567.5", 1234567.5),
    size("groups_with_points", "1.234.567,5 k", 1234567.5 * 1000, **METRIC),
    size("groups_with_blanks", "1 234 567", 1234567.0),
    size("one_group", "1,333", 1333.0),
    size("one_group_or_fraction", "1.333", 1.333),
    size("decimal_comma", "1,333", 1.333, **COMMA),
    size("decimal_comma_point", "1.333", 1333.0, **COMMA),
    size("comma_with_other_digits", "1,33", 1.33),
    size("starts_with_point", ".5k", 512.0),
    size("zero", "0", 0.0),
    Case("other_source", {"source": "[a][b]", "target": "[a][c]"}, {"a": {"b": "1k"}}, {"a": {"b": "1k", "c": 1024.0}}),
    Case("in_place", {"target": "message"}, {"message": "1k"}, {"message": 1024.0}),
    no_size("missing", {"a": 1}),
    no_size("null", {"message": None}),
    no_size("empty", {"message": ""}),
    no_size("words", {"message": "ten MB"}),
    no_size("only_unit", {"message": "MB"}),
    no_size("only_separators", {"message": ",.,"}),
    no_size("negative", {"message": "-5 MB"}),
    no_size("rest", {"message": "5 MB free"}),
    no_size("array", {"message": ["5"]}),
    no_size("true", {"message": True}),
    no_size("tags", {"message": "x"}, tag_on_failure=["a", "b"]),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_bytes(case: Case) -> None:
    check("bytes", case)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "needs the option 'target'"),
        ({"target": "n", "conversion_method": "x"}, "'x' is not one of binary, metric"),
    ],
)
def test_wrong_options(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("bytes", **settings)


PIPELINE = pipeline_of('bytes { target => "n" } bytes { source => "a" target => "b" decimal_separator => "]^" }')


@given(EVENTS)
def test_no_event_is_lost(event: dict[str, Any]) -> None:
    (got,) = survivors(PIPELINE, event)
    assert got["message"] == event["message"]


@given(st.text("0123456789 ,._kKmMgGeEbB\n", max_size=80))
def test_anything_like_a_size(text: str) -> None:
    event: dict[str, Any] = {"message": text}
    assert build("bytes", target="n")(event) is (event.get("n") is not None)
