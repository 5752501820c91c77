"""From record to document: raw bytes as they came, additions spliced in, changes written anew."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingestd.event.record import Batch, Record, documents, whole

RAW = b'{"a":1,"skipped":[1, 2],"b":"x","@version":"1"}'
HEAD: dict[str, Any] = {"a": 1, "b": "x"}
CASES: list[tuple[str, dict[str, Any], bytes]] = [  # id, event after the filters, document
    ("untouched", {"a": 1, "b": "x"}, RAW),
    ("added", {"a": 1, "b": "x", "c": "서울"}, RAW[:-1] + ',"c":"서울"}'.encode()),
    ("added_two", {"a": 1, "b": "x", "c": None, "d": [1]}, RAW[:-1] + b',"c":null,"d":[1]}'),
    ("added_metadata", {"a": 1, "b": "x", "@metadata": {"m": 1}}, RAW),
    ("added_metadata_and_more", {"a": 1, "b": "x", "@metadata": {"m": 1}, "c": 1}, RAW[:-1] + b',"c":1}'),
    ("changed", {"a": 2, "b": "x"}, b'{"a":2,"skipped":[1,2],"b":"x","@version":"1"}'),
    ("removed", {"b": "x"}, b'{"skipped":[1,2],"b":"x","@version":"1"}'),
    ("changed_and_added", {"a": 2, "b": "x", "c": 1}, b'{"a":2,"skipped":[1,2],"b":"x","@version":"1","c":1}'),
    ("removed_and_added", {"a": 1, "c": 1}, b'{"a":1,"skipped":[1,2],"@version":"1","c":1}'),
    ("put_back", {"b": "x", "a": 1}, RAW),
    ("put_back_later", {"b": "x", "c": 1, "a": 1}, RAW[:-1] + b',"c":1}'),
    ("put_back_before", {"b": "x", "a": 1, "c": 1}, RAW[:-1] + b',"c":1}'),
]


def record(event: dict[str, Any]) -> Record:
    return RAW, dict(HEAD), event, 7


def document(one: Record) -> bytes:
    [written] = documents([one], ("a", "b", "c"))
    return written


@pytest.mark.parametrize(("event", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_document(event: dict[str, Any], expected: bytes) -> None:
    assert document(record(event)) == expected


@pytest.mark.parametrize("event", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_whole(event: dict[str, Any]) -> None:
    full = whole(record(event))
    metadata = full.pop("@metadata", None)
    assert full == json.loads(document(record(event)))
    assert metadata == event.get("@metadata")


def test_a_record_without_raw_is_its_event() -> None:
    event = {"a": 1, "@metadata": {"m": 1}}
    assert document((None, event, event, 0)) == b'{"a":1}'
    assert whole((None, event, event, 0)) is event


def test_a_pipeline_that_touches_nothing_leaves_records_as_they_came() -> None:
    event = {"a": 1, "@metadata": {"m": 1}}
    assert documents([record(dict(HEAD)), (None, event, event, 0)], ()) == [RAW, b'{"a":1}']


def test_fields_never_decoded_that_nest_too_deeply() -> None:
    """The record cannot be written anew, so its text is kept."""
    raw = b'{"a":1,"deep":' + b"[" * 900 + b"]" * 900 + b"}"
    assert document((raw, {"a": 1}, {"a": 1, "b": 2}, 0)) == raw[:-1] + b',"b":2}'
    changed = json.loads(document((raw, {"a": 1}, {"a": 2}, 0)))
    assert changed == {"a": 2, "message": raw.decode(), "tags": ["_jsonparsefailure"]}


def batch() -> Batch:
    keys: tuple[int | str, ...] = (0, 255, "0000000000ff-1")
    records: list[Record] = [(None, {"n": n}, {"n": n}, key) for n, key in enumerate(keys)]
    return Batch(records, "o", (), 0)


def test_ids_rise_in_their_stream() -> None:
    ids = batch().ids()
    assert list(ids) == ["o-000000000000", "o-0000000000ff", "o-0000000000ff-1"]
    assert list(ids) == sorted(ids)


def test_fill() -> None:
    assert batch().ids().fill(b'{"_id":"%b","x":"100%"}')[:2] == [
        b'{"_id":"o-000000000000","x":"100%"}',
        b'{"_id":"o-0000000000ff","x":"100%"}',
    ]


def test_part() -> None:
    part = batch().part([2, 0])
    assert (len(part), part.documents()) == (2, [b'{"n":2}', b'{"n":0}'])
    assert list(part.ids()) == ["o-0000000000ff-1", "o-000000000000"]


def test_documents_are_made_once() -> None:
    one = batch()
    assert one.documents() is one.documents()
    assert one.events() == one.fields() == [{"n": 0}, {"n": 1}, {"n": 2}]
