"""Documents with a key that stands twice: queries take its last value, as all that shows an event does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.jsontext import loads
from ingestd.stores import lucene
from ingestd.stores.base import TopValue
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import Equal, Query
from tests.random_cases import random_cases
from tests.stores.exact import exact

INDEX = "logstash-2026.11.28"
TIME = b'"@timestamp":"2026-11-28T10:00:00.000Z"'
FIELDS = {
    "message": rb'"message":"first","message":"second"',
    "level": rb'"level":"INFO","level":"ERROR"',
    "object": rb'"x":1,"x":{"y":2}',
    "case": rb'"Level":"INFO","level":"WARNING"',
    "nested": rb'"x":{"y":3,"y":4}',
    "nested_twice": rb'"x":{"y":5},"x":{"z":6}',
    "deep": rb'"a":{"b":{"c":1,"c":2}},"a":{"b":{"c":3,"c":4}}',
    "spaces": b'"level" : "INFO" , "level"\t:\t"DEBUG"',
    "escaped": rb'"l\u0065vel":"INFO","level":"CRITICAL","level":"FATAL"',
    "korean": '"이름":"앞","이름":"뒤"'.encode(),
    "underscore": rb'"logger_name":"a","logger_name":"b"',
    "surrogate": rb'"k":1,"k":2,"lone":"\ud800"',
    "null": rb'"method":"GET","method":null',
    "quoted": rb'"message":"\"type\": \"type\"","type":"django"',
}
DOCUMENTS = {key: b"{" + TIME + b"," + fields + b"}" for key, fields in FIELDS.items()}
DOCUMENTS["time"] = b'{"@timestamp":"2026-11-27T10:00:00.000Z",' + TIME + b"}"


def fill(root: Path, documents: dict[str, bytes], *, sealed: bool) -> LocalStore:
    writer = LocalWriter(root, "w0")
    writer.append(INDEX, list(documents.values()), list(documents))
    writer.close()
    if sealed:
        assert [new.events for new in seal_once(root, Policy(idle_s=0))] == [len(documents)]
    return LocalStore(root, threads=1)


@pytest.fixture(scope="module", params=[False, True], ids=["append_log", "sealed"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    return fill(tmp_path_factory.mktemp("store"), DOCUMENTS, sealed=request.param)


def found(store: LocalStore, text: str, since: str | None = None, until: str | None = None) -> str:
    return " ".join(sorted(hit.id for hit in store.search(Query(since, until, lucene.parse(text)))))


@pytest.mark.sampled
@pytest.mark.usefixtures("shared_duckdb")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("first", ""),
        ("second", "message"),
        ("level:ERROR", "level"),
        ("level:INFO", ""),
        ("level:WARNING", "case"),
        ("level:DEBUG", "spaces"),
        ("level:(CRITICAL OR FATAL)", "escaped"),
        ("x:1", ""),
        ("x.y:2", "object"),
        ("x.y:3", ""),
        ("x.y:4", "nested"),
        ("x.y:5", ""),
        ("x.z:6", "nested_twice"),
        ("_exists_:x", "nested nested_twice object"),
        ("a.b.c:>0", "deep"),
        ("a.b.c:4", "deep"),
        ("a.b.c:[1 TO 3]", ""),
        ("이름:뒤", "korean"),
        ("이름:앞", ""),
        ("logger_name:a", ""),
        ("logger_name:b", "underscore"),
        ("k:2", "surrogate"),
        ("k:1", ""),
        ("_exists_:method", ""),
        ("type:django", "quoted"),
    ],
)
def test_search(store: LocalStore, text: str, expected: str) -> None:
    assert found(store, text) == expected


@pytest.mark.usefixtures("shared_duckdb")
def test_times(store: LocalStore) -> None:
    assert found(store, "*", "2026-11-28T00:00:00Z") == " ".join(sorted(DOCUMENTS))
    assert found(store, "*", None, "2026-11-28T00:00:00Z") == ""
    buckets = store.histogram(Query(), 86_400, 0, "x.y")
    assert [(bucket.time[:10], bucket.counts) for bucket in buckets] == [
        ("2026-11-28", {"": len(DOCUMENTS) - 2, "2": 1, "4": 1})
    ]


@pytest.mark.usefixtures("shared_duckdb")
def test_top(store: LocalStore) -> None:
    assert store.top("message", Query()) == [TopValue('"type": "type"', 1), TopValue("second", 1)]
    assert store.top("x", Query()) == []
    assert store.top("x.y", Query()) == [TopValue(2, 1), TopValue(4, 1)]


@pytest.mark.usefixtures("shared_duckdb")
def test_documents_stay_as_they_are(store: LocalStore) -> None:
    stored = {hit.id: exact(hit.document.decode()) for hit in store.search(Query())}
    assert stored == {key: exact(document.decode().replace("\t", " ")) for key, document in DOCUMENTS.items()}


_names = st.sampled_from(["level", "message", "a", "b", "a.b"])
_values = st.recursive(
    st.sampled_from(["INFO", "level", "", 1, None]),
    lambda inner: st.lists(st.tuples(_names, inner), max_size=4).map(tuple),
    max_leaves=8,
)
_members = st.lists(st.tuples(_names, _values), max_size=5).map(tuple)


def _text(value: Any) -> str:
    if not isinstance(value, tuple):
        return json.dumps(value)
    return "{" + ",".join(f"{json.dumps(name)}:{_text(member)}" for name, member in value) + "}"


@pytest.mark.usefixtures("shared_duckdb")
@random_cases(10)
@given(events=st.lists(_members, min_size=1, max_size=20), sealed=st.booleans())
def test_any_field_has_the_value_that_is_shown(
    events: list[Any], sealed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    documents = {str(number): _text(event).encode() for number, event in enumerate(events)}
    store = fill(tmp_path_factory.mktemp("store"), documents, sealed=sealed)
    for field in ("level", "[a][level]", "[a][b]", "[a][a][b]"):
        expected = 0
        for document in documents.values():
            value = loads(document)
            for name in field.strip("[]").split("]["):
                value = value.get(name) if isinstance(value, dict) else None
            expected += value == "INFO"
        assert store.count(Query(condition=Equal(field, "INFO"))) == expected
