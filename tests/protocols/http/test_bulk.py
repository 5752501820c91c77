from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.http.bulk import (
    ACTION_SUFFIX,
    MAX_REASON_CHARS,
    BulkResult,
    BulkVerdict,
    RejectedDocument,
    action_line,
    action_prefix,
    bulk_body,
    parse_response,
    spliced_body,
)

LINES: dict[str, tuple[tuple[Any, ...], dict[str, Any], bytes]] = {
    "create": (("create", "a", "1"), {}, b'{"create":{"_index":"a","_id":"1"}}\n'),
    "no_id": (("index", "a"), {}, b'{"index":{"_index":"a"}}\n'),
    "metadata": (("index", "a", "1"), {"routing": "r"}, b'{"index":{"_index":"a","_id":"1","routing":"r"}}\n'),
    "escaped": (("create", "a", '"\\\n한'), {}, '{"create":{"_index":"a","_id":"\\"\\\\\\n한"}}\n'.encode()),
}


@pytest.mark.parametrize(("arguments", "metadata", "line"), LINES.values(), ids=LINES.keys())
def test_action_line(arguments: tuple[Any, ...], metadata: dict[str, Any], line: bytes) -> None:
    assert action_line(*arguments, **metadata) == line


@given(st.text(min_size=1), st.lists(st.from_regex(r"[A-Za-z0-9:_-]{1,40}", fullmatch=True), max_size=5))
def test_a_body_is_what_its_lines_are(index: str, ids: list[str]) -> None:
    begin = action_prefix("create", index, pipeline="p")
    actions = [begin + key.encode() + ACTION_SUFFIX for key in ids]
    body = bulk_body([(actions[:2], [b"{}"] * len(actions[:2])), (actions[2:], [b"{}"] * len(actions[2:]))])
    assert [orjson.loads(line) for line in body.splitlines()] == [
        line for key in ids for line in ({"create": {"_index": index, "pipeline": "p", "_id": key}}, {})
    ]


def test_ids_and_documents_go_in_pairs() -> None:
    with pytest.raises(ValueError, match="extended slice"):
        bulk_body([([b"{}"], [b"{}", b"{}"])])


@given(st.lists(st.tuples(*[st.sampled_from([b"{}", b"1", b""])] * 4)))
def test_documents_in_pieces(rows: list[tuple[bytes, ...]]) -> None:
    actions, *pieces = zip(*rows, strict=True) if rows else ([], [], [], [])
    framed = [b"\n" + action + b"\n" for action in actions]
    assert spliced_body(framed, pieces) == bulk_body([(actions, [b"".join(row[1:]) for row in rows])])


def answer(*items: dict[str, Any], errors: bool = True) -> bytes:
    return orjson.dumps({"errors": errors, "items": [{"create": item} for item in items]})


def failure(status: int, kind: str = "some_exception", reason: str = "because", **more: Any) -> dict[str, Any]:
    return {"status": status, "error": {"type": kind, "reason": reason} | more}


GOOD = {"status": 201}
TEXT = "some_exception: because"
FULL = "this would add [2] shards, [10]/[10] normal shards open;"

ITEMS: dict[str, tuple[bytes, int, BulkResult]] = {
    "all_good": (answer(GOOD, GOOD, errors=False), 2, BulkResult(BulkVerdict.ITEMS, 2)),
    "all_good_unfiltered": (
        b'{"took":3,"errors":false,"items":[{"index":{"_index":"a","_id":"1","_version":2,"status":200}}]}',
        1,
        BulkResult(BulkVerdict.ITEMS, 1),
    ),
    "duplicate_is_delivered": (answer(failure(409), GOOD), 2, BulkResult(BulkVerdict.ITEMS, 2, (0,))),
    "too_many_requests": (answer(GOOD, failure(429), GOOD), 3, BulkResult(BulkVerdict.ITEMS, 2, (), (1,), (), TEXT)),
    "unavailable": (answer(failure(503), failure(429)), 2, BulkResult(BulkVerdict.ITEMS, 0, (), (0, 1), (), TEXT)),
    "rejected_by_name": (
        answer(failure(400, "es_rejected_execution_exception")),
        1,
        BulkResult(BulkVerdict.ITEMS, 0, (), (0,), (), "es_rejected_execution_exception: because"),
    ),
    "blocked_while_the_disk_is_full": (
        answer(failure(403, "cluster_block_exception")),
        1,
        BulkResult(BulkVerdict.ITEMS, 0, (), (0,), (), "cluster_block_exception: because"),
    ),
    "no_shards_left": (
        answer(failure(400, "validation_exception", FULL)),
        1,
        BulkResult(BulkVerdict.ITEMS, 0, (), (0,), (), f"validation_exception: {FULL}"),
    ),
    "refused": (
        answer(GOOD, failure(400)),
        2,
        BulkResult(BulkVerdict.ITEMS, 1, (), (), (RejectedDocument(1, 400, TEXT),)),
    ),
    "no_index": (answer(failure(404)), 1, BulkResult(BulkVerdict.ITEMS, 0, (), (), (RejectedDocument(0, 404, TEXT),))),
    "cause": (
        answer(failure(400, caused_by={"type": "x", "reason": "deeper\nstill"})),
        1,
        BulkResult(BulkVerdict.ITEMS, 0, (), (), (RejectedDocument(0, 400, f"{TEXT}: caused by deeper still"),)),
    ),
    "no_reason": (
        answer({"status": 400}),
        1,
        BulkResult(BulkVerdict.ITEMS, 0, (), (), (RejectedDocument(0, 400, "status 400"),)),
    ),
    "reason_as_text": (
        answer({"status": 400, "error": "no"}),
        1,
        BulkResult(BulkVerdict.ITEMS, 0, (), (), (RejectedDocument(0, 400, "no"),)),
    ),
    "everything": (
        answer(GOOD, failure(409), failure(429), failure(400)),
        4,
        BulkResult(BulkVerdict.ITEMS, 2, (1,), (2,), (RejectedDocument(3, 400, TEXT),), TEXT),
    ),
    "one_index_is_forbidden": (
        answer(GOOD, failure(403, "security_exception")),
        2,
        BulkResult(BulkVerdict.ITEMS, 1, (), (), (RejectedDocument(1, 403, "security_exception: because"),)),
    ),
    "the_account_may_nothing": (
        answer(failure(403, "security_exception"), failure(403, "security_exception")),
        2,
        BulkResult(BulkVerdict.PAUSE, reason="security_exception: because"),
    ),
}


@pytest.mark.parametrize(("body", "count", "expected"), ITEMS.values(), ids=ITEMS.keys())
def test_items(body: bytes, count: int, expected: BulkResult) -> None:
    assert parse_response(200, body, count) == expected


WHOLE: dict[str, tuple[int, bytes, BulkVerdict, str]] = {
    "too_few_items": (200, answer(GOOD, errors=False), BulkVerdict.RETRY, "the response has 1 items for 2 documents"),
    "too_many_items": (200, answer(GOOD, GOOD, GOOD), BulkVerdict.RETRY, "the response has 3 items for 2 documents"),
    "cut_off": (200, answer(GOOD, failure(400))[:-20], BulkVerdict.RETRY, "the response cannot be parsed: "),
    "cut_off_good": (200, answer(GOOD, GOOD, errors=False)[:-10], BulkVerdict.RETRY, "the response cannot be parsed: "),
    "not_json": (200, b"<html>", BulkVerdict.RETRY, "the response cannot be parsed: "),
    "not_bulk": (200, b'{"acknowledged":true}', BulkVerdict.RETRY, "the response cannot be parsed: "),
    "empty": (200, b"", BulkVerdict.RETRY, "the response cannot be parsed: "),
    "wrong_type": (
        200,
        b'{"errors":true,"items":[{"create":{"status":"201"}}]}',
        BulkVerdict.RETRY,
        "the response cannot",
    ),
    "too_large": (413, b"", BulkVerdict.SPLIT, "HTTP 413"),
    "malformed": (
        400,
        b'{"error":{"root_cause":[],"type":"illegal_argument_exception","reason":"id is too long"},"status":400}',
        BulkVerdict.SPLIT,
        "HTTP 400: illegal_argument_exception: id is too long",
    ),
    "busy": (429, b'{"error":"slow down"}', BulkVerdict.RETRY, "HTTP 429: slow down"),
    "proxy_is_broken": (502, b"<h1>Bad Gateway</h1>", BulkVerdict.RETRY, "HTTP 502: <h1>Bad Gateway</h1>"),
    "blocked": (
        403,
        b'{"error":{"type":"cluster_block_exception","reason":"disk"},"status":403}',
        BulkVerdict.RETRY,
        "HTTP 403: cluster_block_exception: disk",
    ),
    "unknown_user": (
        401,
        b'{"error":{"type":"security_exception","reason":"who?"},"status":401}',
        BulkVerdict.PAUSE,
        "HTTP 401: security_exception: who?",
    ),
    "forbidden": (403, b"\xff", BulkVerdict.PAUSE, "HTTP 403: \ufffd"),
    "wrong_path": (404, b"[]", BulkVerdict.PAUSE, "HTTP 404"),
    "moved": (302, b"", BulkVerdict.PAUSE, "HTTP 302"),
}


@pytest.mark.parametrize(("status", "body", "verdict", "reason"), WHOLE.values(), ids=WHOLE.keys())
def test_whole_request(status: int, body: bytes, verdict: BulkVerdict, reason: str) -> None:
    result = parse_response(status, body, 2)
    assert (result.verdict, result.delivered, result.retry, result.rejected) == (verdict, 0, (), ())
    assert result.reason.startswith(reason)


def test_a_reason_is_bounded() -> None:
    (dead,) = parse_response(200, answer(failure(400, reason="x" * 9999)), 1).rejected
    assert len(dead.reason) == MAX_REASON_CHARS


STATUSES = st.sampled_from([200, 201, 400, 404, 409, 429, 500, 503])


@given(st.lists(STATUSES, min_size=1))
def test_every_document_has_one_outcome(statuses: list[int]) -> None:
    items = [{"status": status} if status < 300 else failure(status) for status in statuses]
    result = parse_response(200, answer(*items, errors=max(statuses) >= 400), len(statuses))
    positions = [*result.retry, *(dead.position for dead in result.rejected)]
    assert result.delivered + len(positions) == len(statuses)
    assert sorted(positions) == [place for place, status in enumerate(statuses) if status >= 400 and status != 409]
    assert result.duplicates == tuple(at for at, status in enumerate(statuses) if status == 409)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["errors", "items", "create", "status", "error", "type"]), inner, max_size=3)
    ),
)


@given(st.integers(100, 599), st.binary(max_size=50) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_answer_raises_or_loses_a_document(status: int, body: bytes) -> None:
    result = parse_response(status, body, 2)
    if result.verdict is BulkVerdict.ITEMS:
        assert result.delivered + len(result.retry) + len(result.rejected) == 2
    else:
        assert (result.delivered, result.retry, result.rejected) == (0, (), ())


ALREADY = [  # action, item, whether it is done already, else whether it is tried again
    ("create", {"status": 409, "error": {"type": "version_conflict_engine_exception"}}, True, False),
    ("index", {"status": 409, "error": {"type": "version_conflict_engine_exception"}}, True, False),
    ("delete", {"status": 409, "error": {"type": "version_conflict_engine_exception"}}, True, False),
    ("update", {"status": 409, "error": {"type": "version_conflict_engine_exception"}}, False, True),
    ("delete", {"status": 404}, True, False),
    ("delete", {"status": 404, "error": {"type": "index_not_found_exception"}}, False, False),
    ("update", {"status": 404, "error": {"type": "document_missing_exception"}}, False, False),
]


@pytest.mark.parametrize(("action", "item", "done", "again"), ALREADY)
def test_what_is_done_already(action: str, item: dict[str, Any], done: bool, again: bool) -> None:
    """An update that met another one is sent again; a document that is deleted already needs nothing."""
    body = orjson.dumps({"errors": True, "items": [{action: item}]})
    result = parse_response(200, body, 1)
    assert (result.duplicates == (0,), result.retry == (0,), len(result.rejected)) == (done, again, not (done or again))
