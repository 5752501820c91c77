"""Events as columns, and the documents that they become: text as it came, additions appended, changes rewritten."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.fields import FieldError, FieldRef
from ingestd.event.table import ABSENT, Table

RAW = b'{"a":1,"skipped":[1, 2],"b":"x","@version":"1"}'
DECODED: dict[str, Any] = {"a": 1, "b": "x"}
NAMES = ("@metadata", "a", "b", "c", "d")
CASES: list[tuple[str, dict[str, Any], bytes]] = [  # id, event after the filters, document
    ("untouched", {"a": 1, "b": "x"}, RAW),
    ("added", {"a": 1, "b": "x", "c": "서울"}, RAW[:-1] + ',"c":"서울"}'.encode()),
    ("added_two", {"a": 1, "b": "x", "c": None, "d": [1]}, RAW[:-1] + b',"c":null,"d":[1]}'),
    ("added_metadata", {"a": 1, "b": "x", "@metadata": {"m": 1}}, RAW),
    ("added_metadata_and_more", {"a": 1, "b": "x", "@metadata": {"m": 1}, "c": 1}, RAW[:-1] + b',"c":1}'),
    ("added_surrogate", {"a": 1, "b": "x", "c": "\ud800"}, RAW[:-1] + ',"c":"\ufffd"}'.encode()),
    ("added_large_number", {"a": 1, "b": "x", "c": 2**80}, RAW[:-1] + b',"c":%d}' % 2**80),
    ("changed", {"a": 2, "b": "x"}, b'{"skipped":[1, 2],"b":"x","@version":"1","a":2}'),
    ("changed_type_only", {"a": True, "b": "x"}, b'{"skipped":[1, 2],"b":"x","@version":"1","a":true}'),
    ("removed", {"b": "x"}, b'{"skipped":[1, 2],"b":"x","@version":"1"}'),
    ("changed_and_added", {"a": 2, "b": "x", "c": 1}, b'{"skipped":[1, 2],"b":"x","@version":"1","a":2,"c":1}'),
    ("removed_and_added", {"a": 1, "c": 1}, b'{"a":1,"skipped":[1, 2],"@version":"1","c":1}'),
    ("all_changed", {"a": "y", "b": 2}, b'{"skipped":[1, 2],"@version":"1","a":"y","b":2}'),
]
TABLE = [(case[1], case[2]) for case in CASES]


def records(*events: dict[str, Any]) -> Table:
    """Return a table with the record ``RAW`` for each event, after its fields were changed to those of the event."""
    columns = {name: (DECODED.get(name, ABSENT),) * len(events) for name in NAMES}
    table = Table([RAW[:-1]] * len(events), [None] * len(events), [*range(len(events))], columns)
    table.put_back(table.rows, events, NAMES)
    return table


@pytest.mark.parametrize(("event", "expected"), TABLE, ids=[case[0] for case in CASES])
def test_document(event: dict[str, Any], expected: bytes) -> None:
    assert records(event).documents([0]) == [expected]


def test_metadata_is_in_no_document_and_stays_in_the_event() -> None:
    event = {"a": 1, "@metadata": {"b": 2}, "c": None}
    assert Table.of_events([event], [0]).documents([0]) == [b'{"a":1,"c":null}']
    assert event["@metadata"] == {"b": 2}


@given(st.permutations(range(len(CASES))).flatmap(lambda order: st.integers(0, len(order)).map(lambda n: order[:n])))
def test_documents_of_any_rows(rows: list[int]) -> None:
    """Neighbours do not matter: one may have been changed where another was added to."""
    table = records(*(event for event, _ in TABLE))
    assert table.documents(table.rows) == [document for _, document in TABLE]
    assert table.documents(rows) == [TABLE[row][1] for row in rows]


@pytest.mark.parametrize("event", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_whole(event: dict[str, Any]) -> None:
    full = records(event).whole(0)
    assert {name: full.get(name) for name in event} == event
    assert full["skipped"] == [1, 2]
    assert (full.keys() & {"a", "b", "c", "d"}) == (event.keys() - {"@metadata"})


def test_whole_events_among_records() -> None:
    whole = {"a": 5, "@metadata": {"m": 1}, "more": 1}
    columns = {"a": (1, 5), "b": ("x", ABSENT)}
    table = Table([RAW[:-1], None], [None, whole], [0, 9], columns)
    table.writable("b")[:] = ["x", "new"]
    assert table.documents(table.rows) == [RAW, b'{"a":5,"more":1,"b":"new"}']
    assert table.event(1) == {"a": 5, "@metadata": {"m": 1}, "more": 1, "b": "new"}
    assert table.take([1, 0], ("a",)) == [{"a": 5, "@metadata": {"m": 1}, "more": 1, "b": "new"}, {"a": 1}]


def test_whole_events_are_given_back_with_all_their_fields() -> None:
    table = Table([RAW[:-1], None], [None, {"a": 5, "more": 1}], [0, 9], {"a": (1, 5), "b": ("x", ABSENT)})
    events = table.take(table.rows, ("a",))
    events[0]["a"] = 2
    events[1] |= {"more": 2, "b": "y"}
    table.put_back(table.rows, events, ("a",))
    assert [table.column("a"), table.column("b")] == [[2, 5], ["x", "y"]]
    assert table.documents([1]) == [b'{"a":5,"more":2,"b":"y"}']


def test_new_fields_of_some_whole_events() -> None:
    table = Table.of_events([{"a": 1}, {"a": 2}], [0, 1])
    [event] = table.take([1], ("a",))
    table.put_back([1], [event | {"new": 3}], ("a",))
    assert table.column("new") == [ABSENT, 3]


def test_fields_never_decoded_that_nest_too_deeply() -> None:
    """A record that cannot be rewritten keeps its text, as ``message`` if it says nothing without being read."""
    deep = b'"deep":' + b"[" * 900 + b"]" * 900
    raw, twice = b'{"a":1,' + deep + b"}", b'{"a":0,"a":1,' + deep + b"}"
    table = Table([raw[:-1], raw[:-1], twice[:-1]], [None] * 3, [0, 1, 2], {"a": (1,) * 3, "b": (ABSENT,) * 3})
    table.writable("a")[1:] = [2, 2]
    table.writable("b")[0] = 2
    assert table.documents([0]) == [raw[:-1] + b',"b":2}']
    assert table.documents([1]) == [b"{" + deep + b',"a":2}']
    assert json.loads(table.documents([2])[0]) == {"a": 2, "message": twice.decode(), "tags": ["_jsonparsefailure"]}


def test_an_attempt_that_fails_is_undone() -> None:
    table = Table([RAW[:-1], None], [None, {"a": 5, "more": 1}], [0, 9], {"a": (1, 5), "b": ("x", ABSENT)})
    table.writable("b")[1] = "before"
    tried = []
    for rows in table.attempts(table.rows):
        tried.append([*rows])
        table.writable("b")[rows[0]] = f"try {len(tried)}"
        [event] = table.take([rows[-1]], ("a",))
        table.put_back([rows[-1]], [event | {"more": len(tried)}], ("a",))
        if len(rows) > 1:
            table.fail()
    assert tried == [[0, 1], [0], [1]]
    assert table.column("b") == ["try 2", "try 3"]
    assert table.event(1) == {"a": 5, "more": 3, "b": "try 3"}


def test_no_rows_are_no_attempt() -> None:
    assert [*records(DECODED).attempts([])] == []


def test_nested_fields() -> None:
    table = Table.of_events([{"a": {"b": 1, "c": 2}}, {"a": "text"}, {}], [0, 1, 2])
    ref = FieldRef("[a][b]")
    assert table.values(ref) == [1, None, None]
    put = table.setter(ref)
    put(2, 5)
    with pytest.raises(FieldError):
        put(1, 5)
    table.remove(FieldRef("[a][c]"), 0)
    assert [table.event(row) for row in table.rows] == [{"a": {"b": 1}}, {"a": "text"}, {"a": {"b": 5}}]


def test_events_are_changed_in_place_after_their_columns_were() -> None:
    table = Table.of_events([{"n": 1}, {"n": 2, "x": 1}], [0, 1])
    table.writable("n")[0] = 5
    table.writable("x")[1] = ABSENT
    assert table.wholes([1, 0]) == [{"n": 2}, {"n": 5}]
    table.wholes([1])[0]["n"] = 3
    assert table.column("n") == [5, 3]


def test_copies_follow_what_they_were_made_of() -> None:
    table = Table.of_events([{"n": 0}, {"n": 1}, {"n": 2}], [0, 8, 16])
    first = table.add_copy(1, 1, {"n": 10})
    second = table.add_copy(first, 1, {"n": 100})
    assert table.merge([0, 1, 2], [1, first, second], [2, 0]) == [0, 1, first, second, 2]
    assert table.keys[first:] == ["000000000008-1", "000000000008-1-1"]


def test_copies_of_several_filters_have_keys_of_their_own() -> None:
    table = Table.of_events([{"n": 0}], [8])
    for number in (1, 2, 1, 0, 9, 1):
        table.add_copy(0, number, {})
    assert table.keys[1:] == [f"000000000008-{number}" for number in (1, 2, 3, 4, 9, 10)]


def test_joined() -> None:
    table = Table.joined([records(DECODED), Table.of_events([{"c": 3}], [100])])
    assert table.column("c") == (ABSENT, 3)
    assert table.documents(table.rows) == [RAW, b'{"c":3}']
