"""Requests to ``_bulk``: each document with what its action says, and a result for each."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from ingestd.protocols.http import bulk_requests
from ingestd.protocols.http.bulk_requests import (
    BulkAction,
    BulkError,
    MetadataReader,
    TooManyLinesError,
    error_body,
    parse_bulk,
    results,
    single,
    single_result,
)

CREATE = b'{"create":{"_index":"a"}}\n'
LINE = b'{"action":"create","_index":"a"}\t{"n":1}'

CASES: list[tuple[str, bytes, str, list[BulkAction]]] = [  # id, body, index of the path, actions
    ("create", CREATE + b'{"n":1}\n', "", [BulkAction("create", "a", "", LINE)]),
    ("no_last_line_end", CREATE + b'{"n":1}', "", [BulkAction("create", "a", "", LINE)]),
    ("crlf_and_blanks", b"\r\n" + CREATE.rstrip() + b'\r\n {"n":1} \r\n\n', "", [BulkAction("create", "a", "", LINE)]),
    ("of_path", b'{"create":{}}\n{"n":1}\n', "a", [BulkAction("create", "a", "", LINE)]),
    ("own_index", CREATE + b'{"n":1}\n', "b", [BulkAction("create", "a", "", LINE)]),
    ("null_index", b'{"create":{"_index":null}}\n{"n":1}\n', "a", [BulkAction("create", "a", "", LINE)]),
    (
        "id",
        b'{"index":{"_index":"a","_id":"i\\t1","pipeline":"p"}}\n{}\n',
        "",
        [BulkAction("index", "a", "i\t1", b'{"action":"index","_index":"a","_id":"i\\t1","pipeline":"p"}\t{}')],
    ),
    (
        "blanks_in_action",
        b'{ "index" : {\t"_index" :\t"a", "_id": "1" } }\r\n{}\n',
        "",
        [BulkAction("index", "a", "1", b'{"action":"index","_index" : "a", "_id": "1"}\t{}')],
    ),
    ("no_metadata", b'{"index":{ }}\n{}\n', "", [BulkAction("index", "", "", b'{"action":"index"}\t{}')]),
    (
        "huge_id",
        b'{"index":{"_id":99999999999999999999}}\n{}\n',
        "",
        [BulkAction("index", "", "99999999999999999999", b'{"action":"index","_id":99999999999999999999}\t{}')],
    ),
    (
        "number_as_id",
        b'{"index":{"_id":7}}\n{}\n',
        "",
        [BulkAction("index", "", "7", b'{"action":"index","_id":7}\t{}')],
    ),
    (
        "delete_and_create",
        b'{"delete":{"_index":"a","_id":"1"}}\n' + CREATE + b'{"n":1}\n',
        "",
        [BulkAction("delete", "a", "1", b"", "documents cannot be deleted here"), BulkAction("create", "a", "", LINE)],
    ),
    (
        "update",
        b'{"update":{"_index":"a","_id":"1"}}\n{"doc":{}}\n',
        "",
        [
            BulkAction(
                "update",
                "a",
                "1",
                b'{"doc":{}}',
                "documents cannot be updated here: send them with index or create",
            )
        ],
    ),
    (
        "no_object",
        CREATE + b"[1]\n" + CREATE + b'{"n":1}\n',
        "",
        [
            BulkAction("create", "a", "", b"[1]", "the document is not a JSON object", kept=True),
            BulkAction("create", "a", "", LINE),
        ],
    ),
    (
        "damaged_object",
        CREATE + b'{"a":}\n',
        "",
        [BulkAction("create", "a", "", b'{"a":}', "the document is not a JSON object", kept=True)],
    ),
    ("empty", b"\n", "", []),
]


@pytest.mark.parametrize(("body", "index", "actions"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_parse_bulk(body: bytes, index: str, actions: list[BulkAction]) -> None:
    assert parse_bulk(body, index) == actions


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"no\n{}\n", "line 1"),
        (CREATE + b"{}\n{}\n{}\n", "line 3"),
        (b'{"create":1}\n{}\n', "line 1"),
        (b'{"create":{},"index":{}}\n{}\n', "line 1"),
        (b'{"get":{}}\n', "'get'"),
        (b'{"create":{"_id":[1]}}\n{}\n', "line 1"),
        (CREATE, "has no document"),
        (b"\xff\n", "line 1"),
        (b"[" * 10_000, "line 1"),
    ],
    ids=["text", "third_line", "no_metadata", "two", "other", "list_as_id", "no_document", "no_utf8", "deep"],
)
def test_requests_that_cannot_be_read(body: bytes, text: str) -> None:
    with pytest.raises(BulkError, match=text):
        parse_bulk(body)


def test_metadata_and_documents_of_lines() -> None:
    reader = MetadataReader()
    actions = parse_bulk(CREATE + b'{"n":1}\n' + CREATE + b'{"a":\t"b"}\n{"index":{"_id":"1"}}\n{}\n')
    found = [reader.split(action.line) for action in actions]
    first = {"action": "create", "_index": "a"}
    assert found == [(first, b'{"n":1}'), (first, b'{"a":\t"b"}'), ({"action": "index", "_id": "1"}, b"{}")]
    for line in (b'{"n":1}', b'{"n":\t1}', b'{"action":\t1}', b"***\t{}"):
        assert reader.split(line) == ({}, line)


def test_results() -> None:
    actions = parse_bulk(CREATE + b'{"n":1}\n{"delete":{"_index":"\\"","_id":"1"}}\n' + CREATE + b"1\n")
    found = json.loads(results(actions, ["x", "1", ""], 3))
    statuses = [(name, item["_id"], item["status"]) for result in found["items"] for name, item in result.items()]
    assert (found["took"], found["errors"]) == (3, True)
    assert statuses == [("create", "x", 201), ("delete", "1", 400), ("create", "", 400)]
    assert found["items"][0]["create"]["result"] == "created"
    assert found["items"][2]["create"]["error"]["type"] == "mapper_parsing_exception"
    assert json.loads(results(actions[:1], ["x"], 0))["errors"] is False


def test_documents_that_are_too_long() -> None:
    found = parse_bulk(CREATE + b'{"n":1}\n' + CREATE + b'{"n":10}\n', max_bytes=len(LINE))
    assert [(bool(action.error), action.kept) for action in found] == [(False, False), (True, True)]


def test_a_single_document() -> None:
    action = single("index", "a", "1", b'{\n"n":\r\n1}')
    assert action == BulkAction("index", "a", "1", b'{"action":"index","_index":"a","_id":"1"}\t{ "n":  1}')
    assert json.loads(single_result(action, "1")).items() >= {"_index": "a", "_id": "1", "result": "created"}.items()
    assert single("create", "a", "", b"no").error


def test_an_error() -> None:
    found = json.loads(error_body(400, "t", "r"))
    cause = {"type": "t", "reason": "r"}
    assert found == {"error": {"root_cause": [cause], **cause}, "status": 400}


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2500])
def test_results_of_many_documents(count: int) -> None:
    actions = parse_bulk((CREATE + b'{"n":1}\n') * count)
    answer = json.loads(results(actions, [str(number) for number in range(count)], 5))
    assert (answer["took"], answer["errors"]) == (5, False)
    assert [item["create"]["_id"] for item in answer["items"]] == [str(number) for number in range(count)]


def test_more_lines_than_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_requests, "MAX_LINES", 4)
    document = CREATE + b'{"n":1}\n'
    assert len(parse_bulk(2 * document)) == 2
    with pytest.raises(TooManyLinesError, match="the request has 6 lines: at most 4 are allowed; send it in parts"):
        parse_bulk(3 * document)


def test_memory_of_many_short_documents() -> None:
    count = 20_000
    body = b'{"create":{}}\n{}\n' * count
    tracemalloc.start()
    try:
        actions = parse_bulk(body)
        results(actions, [str(number) for number in range(count)], 5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 800 * count
