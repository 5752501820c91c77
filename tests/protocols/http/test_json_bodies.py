"""The records of JSON bodies as lines, whatever the form of the body."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.http.json_bodies import MAX_RECORDS, JsonLines, TooManyRecordsError, json_lines

CASES: list[tuple[str, bytes, JsonLines | None]] = [
    ("object", b'{"a":1}', JsonLines(b'{"a":1}', 1)),
    ("object_on_lines", b'{"a":\r\n  1}\n', JsonLines(b'{"a":    1}', 1)),
    ("array", b'[{"a":1},{"b":[2,"\\n"]}]', JsonLines(b'{"a":1}\n{"b":[2,"\\n"]}', 2)),
    ("array_on_lines", b' [\n {"a":\n1},\n{}\n]\n', JsonLines(b'{"a": 1}\n{}', 2)),
    ("ndjson", b'{"a":1}\n{"b":2}\n', JsonLines(b'{"a":1}\n{"b":2}', 2)),
    ("ndjson_crlf_and_blank", b'{"a":1}\r\n\r\n{"b":2}\r\n', JsonLines(b'{"a":1}\n{"b":2}', 2)),
    ("concatenated", b'{"a":1}{"b":2} {}', JsonLines(b'{"a":1}\n{"b":2}\n{}', 3)),
    ("objects_on_lines", b'{"a":\n1}\n{"b":2}', JsonLines(b'{"a": 1}\n{"b":2}', 2)),
    ("damaged_line", b'{"a":1}\nno\n{"b":2}', JsonLines(b'{"a":1}\nno\n{"b":2}', 3)),
    ("cut_last_line", b'{"a":1}\n{"b":', JsonLines(b'{"a":1}\n{"b":', 2)),
    ("no_utf8", b'{"a":"\xff"}', JsonLines(b'{"a":"\xff"}', 1)),
    ("cut", b'{"a":\n', None),
    ("cut_array", b'[{"a":1}', None),
    ("empty_array", b"[]", None),
    ("array_of_others", b'[{"a":1},2]', None),
    ("array_and_more", b'[{"a":1}]x', None),
    ("value", b"1", None),
    ("object_and_value", b'{"a":1}\n2', None),
    ("text", b"hello", None),
    ("empty", b"", None),
    ("too_deep", b"[" * 100_000, None),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_json_lines(body: bytes, expected: JsonLines | None) -> None:
    assert json_lines(body) == expected


RECORDS = st.lists(
    st.dictionaries(
        st.text(max_size=3),
        st.recursive(
            st.none() | st.integers(-9, 9) | st.text('a\n\r"\\\u2028', max_size=5),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
            max_leaves=4,
        ),
        max_size=3,
    ),
    min_size=1,
    max_size=5,
)


@given(records=RECORDS, indent=st.sampled_from([None, 1]), form=st.sampled_from(["array", "lines", "concatenated"]))
def test_every_form_has_the_same_records(records: list[Any], indent: int | None, form: str) -> None:
    texts = [json.dumps(record, indent=indent) for record in records]
    body = json.dumps(records, indent=indent) if form == "array" else ("\n" if form == "lines" else "").join(texts)
    found = json_lines(body.encode())
    assert found is not None
    assert [json.loads(line) for line in found.data.split(b"\n")] == records
    assert found.records == len(records)


def test_memory_of_many_short_records() -> None:
    count = 100_000
    body = b"[" + b",".join([b"{}"] * count) + b"]"
    tracemalloc.start()
    try:
        found = json_lines(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == JsonLines(b"\n".join([b"{}"] * count), count)
    assert peak < 120 * count


@pytest.mark.parametrize(
    "body",
    [
        lambda: b"[" + b"{}," * MAX_RECORDS + b"{}]",
        lambda: b"{}" * (MAX_RECORDS + 1),
        lambda: b'[{"a":[1' + b",1" * 20 * MAX_RECORDS + b"]},{}]",
        lambda: b"{}\n" + b"1\n" * 20 * MAX_RECORDS + b"1",
    ],
    ids=["array", "concatenated", "numbers", "lines"],
)
def test_too_many_records(body: Callable[[], bytes]) -> None:
    with pytest.raises(TooManyRecordsError, match="at most 500,000"):
        json_lines(body())
