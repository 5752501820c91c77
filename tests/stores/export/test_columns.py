from typing import Any

import pytest

from ingestd.stores.export.columns import Columns, flat, getter, text, unique

TYPES: list[tuple[str, list[Any], str]] = [  # id, values of a field, type
    ("text", ["a", None], "VARCHAR"),
    ("numbers", [1, -5, None], "BIGINT"),
    ("floats", [1.5, 2.0], "DOUBLE"),
    ("mixed_numbers", [1, 1.5], "VARCHAR"),
    ("truths", [True, False], "BOOLEAN"),
    ("truth_and_number", [True, 1], "VARCHAR"),
    ("number_and_text", [1, "1"], "VARCHAR"),
    ("too_large", [2**63], "VARCHAR"),
    ("largest", [2**63 - 1, -(2**63)], "BIGINT"),
    ("lists", [[1], [2]], "VARCHAR"),
    ("nothing", [None], "VARCHAR"),
    ("like_a_time", ["2026-11-22T10:00:00.000Z"], "VARCHAR"),
]


@pytest.mark.parametrize(("values", "kind"), [c[1:] for c in TYPES], ids=[c[0] for c in TYPES])
def test_types(values: list[Any], kind: str) -> None:
    columns = Columns()
    for value in values:
        columns.learn({"x": value})
    assert columns.types(["x", "missing"]) == [kind, "VARCHAR"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["2026-11-22T10:00:00.000Z", "2026-11-22T10:00:00Z"], "TIMESTAMPTZ"),
        (["2026-11-22T10:00:00.000000001Z"], "VARCHAR"),  # a column of microseconds would lose it
        (["2026-11-22T10:00:00.000Z", "soon"], "VARCHAR"),
    ],
    ids=["times", "nanoseconds", "others"],
)
def test_the_time_of_events(values: list[str], kind: str) -> None:
    columns = Columns()
    for value in values:
        columns.learn({"@timestamp": value})
    assert columns.types(["@timestamp"]) == [kind]


def test_names() -> None:
    columns = Columns()
    columns.learn({"b": {"y": 1, "x": {"z": 2}}, "message": "m", "a": [], "c": {}})
    columns.learn({"@timestamp": "t"})
    assert columns.names() == ["@timestamp", "message", "a", "b.x.z", "b.y", "c"]
    assert dict(flat({"b": {"y": 1}, "c": {}})) == {"b.y": 1, "c": {}}


VALUES = [  # id, column, event, value
    ("plain", "a", {"a": 1}, 1),
    ("in_an_object", "a.b", {"a": {"b": 1}}, 1),
    ("dotted", "a.b", {"a.b": 2, "a": {"b": 1}}, 2),
    ("reference", "[a][b]", {"a": {"b": 1}}, 1),
    ("missing", "a.b", {"a": 1}, None),
]


@pytest.mark.parametrize(("column", "event", "value"), [c[1:] for c in VALUES], ids=[c[0] for c in VALUES])
def test_values(column: str, event: dict[str, Any], value: Any) -> None:
    assert getter(column)(event) == value


def test_texts() -> None:
    values: list[Any] = ["서울", None, 1, True, [1, "a"], {}]
    assert [text(value) for value in values] == ["서울", "", "1", "true", '[1,"a"]', "{}"]


def test_names_that_differ_in_case_alone() -> None:
    assert unique(["level", "Level", "LEVEL", "level_1"]) == ["level", "Level_1", "LEVEL_2", "level_1_1"]
