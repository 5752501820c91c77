"""JSON in and out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.jsontext import MAX_DEPTH, NotJsonError, dumps, loads, readable_line, without_member

READ: list[tuple[str, bytes, Any]] = [
    ("object", b'{"a": [1, 2.5, null, true]}', {"a": [1, 2.5, None, True]}),
    ("scalar", b"5", 5),
    ("big_integer", b"[1180591620717411303424]", [2**70]),
    ("utf8", '{"키":"값"}'.encode(), {"키": "값"}),
    ("escapes", rb'"\u00e9\n\ud83d\ude00"', "é\n😀"),
    ("nan", b'{"a":NaN,"b":Infinity,"c":[-Infinity]}', {"a": None, "b": None, "c": [None]}),
    ("too_large_float", b"1e999", None),
    ("lone_surrogate", rb'{"a":"x\ud800y"}', {"a": "x\ufffdy"}),
    ("lone_surrogate_key", rb'{"\udc00":1}', {"\ufffd": 1}),
    ("mark", b'\xef\xbb\xbf{"a":1}', {"a": 1}),
    ("blanks", b' \t\r\n{"a" : 1}\n', {"a": 1}),
    ("duplicate", b'{"a":1,"a":2}', {"a": 2}),
    ("empty_key", b'{"":1}', {"": 1}),
    ("deep", b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)),
    ("many_not_deep", b"[" + b"[]," * 999 + b"[]]", [[]] * 1000),
    ("brackets_in_text", b'"' + b"[" * 999 + b'"', "[" * 999),
]


@pytest.mark.parametrize(("data", "value"), [case[1:] for case in READ], ids=[case[0] for case in READ])
def test_loads(data: bytes, value: Any) -> None:
    assert repr(loads(data)) == repr(value)


WRONG = [
    ("empty", b""),
    ("text", b"not json"),
    ("half", b'{"a":'),
    ("two", b"{} {}"),
    ("single_quotes", b"{'a':1}"),
    ("leading_zero", b"01"),
    ("trailing_comma", b"[1,]"),
    ("raw_tab_in_text", b'"\t"'),
    ("not_utf8", b'"\xff"'),
    ("coded_surrogate", b'"\xed\xa0\x80"'),
    ("too_deep", b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)),
    ("too_deep_hash", b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1)),
    ("far_too_deep", b"[" * 100_000 + b"]" * 100_000),
    ("too_many_digits", b"1" * 5000),
]


@pytest.mark.parametrize("data", [case[1] for case in WRONG], ids=[case[0] for case in WRONG])
def test_not_json(data: bytes) -> None:
    with pytest.raises(NotJsonError):
        loads(data)


WRITTEN: list[tuple[str, Any, bytes]] = [
    ("compact", {"a": [1, None, True], "b": 1.0}, b'{"a":[1,null,true],"b":1.0}'),
    ("utf8", "서울", '"서울"'.encode()),
    ("big_integer", {"a": 2**70}, b'{"a":1180591620717411303424}'),
    ("lone_surrogate", {"a": "x\ud800"}, '{"a":"x\ufffd"}'.encode()),
    ("nan", {"a": float("nan")}, b'{"a":null}'),
    ("nan_beside_big", [float("inf"), 2**70], b"[null,1180591620717411303424]"),
    ("line_end", "a\nb", b'"a\\nb"'),
]


@pytest.mark.parametrize(("value", "text"), [case[1:] for case in WRITTEN], ids=[case[0] for case in WRITTEN])
def test_dumps(value: Any, text: bytes) -> None:
    assert dumps(value) == text


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**80), 2**80), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)


@given(values)
def test_what_is_written_is_read(value: Any) -> None:
    text = dumps(value)
    assert b"\n" not in text
    assert repr(loads(text)) == repr(loads(json.dumps(value).encode()))


def test_what_was_read_can_be_written_a_few_levels_deeper() -> None:
    value = loads(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    for _ in range(10):
        value = {"a": value}
    assert json.loads(dumps(value)) == value


LINES = [  # id, as stored, as printed
    ("korean", b'{"a":"\\uc11c\\uc6b8 \\uB9DB"}', '{"a":"서울 맛"}'),
    ("emoji", b'{"a":"\\ud83d\\ude00\\u3000x"}', '{"a":"😀\u3000x"}'),
    ("lone_surrogate", b'{"a":"\\ud83d\\ud83dx\\ude00"}', '{"a":"\\ud83d\\ud83dx\\ude00"}'),
    ("escaped_backslash", b'{"a":"\\\\uc11c \\\\\\uc11c"}', '{"a":"\\\\uc11c \\\\서"}'),
    ("quotes", b'{"a":"\\u0022\\u005c\\u002f"}', '{"a":"\\"\\\\/"}'),
    ("control", b'{"a":"\\u0000\\u001b\\u007f\\u0085\\n"}', '{"a":"\\u0000\\u001b\\u007f\\u0085\\n"}'),
    ("line_separators", '{"a":"x\u2028\x85\\u2029"}'.encode(), '{"a":"x\\u2028\\u0085\\u2029"}'),
    ("over_several_lines", b'{\n  "a": "\\uc11c",\r\n  "b": 1.0\n}', '{   "a": "서",    "b": 1.0 }'),
    ("numbers", b'{"a":1e2,"b":123456789012345678901234,"c":1.50}', '{"a":1e2,"b":123456789012345678901234,"c":1.50}'),
]


@pytest.mark.parametrize(("stored", "printed"), [case[1:] for case in LINES], ids=[case[0] for case in LINES])
def test_readable_line(stored: bytes, printed: str) -> None:
    assert readable_line(stored) == printed.encode()


@given(st.text() | st.text(st.characters(codec=None, categories=("Cs", "Cc", "Zl", "Lo", "So"))), st.booleans())
def test_readable_lines_have_the_same_value(text: str, escaped: bool) -> None:
    document = json.dumps({text: text}, ensure_ascii=escaped or any("\ud800" <= char <= "\udfff" for char in text))
    line = readable_line(document.encode())
    assert json.loads(line) == json.loads(document)
    assert len(line.decode().splitlines()) == 1


CUT: list[tuple[str, bytes, bytes | None]] = [  # id, object without its last brace, the same without the member "a"
    ("first", b'{"a": 1, "b": 2', b'{"b": 2'),
    ("last", b'{"b": 2, "a": 1', b'{"b": 2'),
    ("between", b'{"b":2,"a":"x","c":3', b'{"b":2,"c":3'),
    ("blanks", b'{ "b" : 2 ,\t"a" : 1 \t', b'{ "b" : 2'),
    ("text", rb'{"a":"x, \"y\\","b":2', b'{"b":2'),
    ("array", rb'{"a":["]\"", 1, null],"b":2', b'{"b":2'),
    ("empty_array", b'{"b":2,"a":[]', b'{"b":2'),
    ("object", b'{"a":{"x}": "{", "y": 1},"b":2', b'{"b":2'),
    ("number", b'{"a":-1.5e+3,"b":2', b'{"b":2'),
    ("name_in_text", rb'{"b":"\"a\"","a":1', rb'{"b":"\"a\""'),
    ("like_the_end_of_a_text", rb'{"b":"\"a","a":1', None),
    ("array_of_arrays", b'{"a":[[1]],"b":2', None),
    ("object_of_arrays", b'{"a":{"x":[1]},"b":2', None),
    ("twice", b'{"a":1,"a":2,"b":3', None),
    ("also_inside", b'{"a":1,"b":{"a":2}', None),
    ("nothing_else", b'{"a":1', None),
    ("escaped", rb'{"\u0061":1,"b":2', None),
    ("escaped_and_not", rb'{"\u0061":1,"a":2', None),
    ("escaped_and_like_the_end_of_a_name", rb'{"\u0061":1,"b\"a":2', None),
    ("first_of_two_inside", b'{"a":1,"b":{"a":2,"c":3}', None),
    ("other_escapes", rb'{"a":"\u00e9\u001b","b":"\n"', rb'{"b":"\n"'),
]


@pytest.mark.parametrize(("record", "cut"), [case[1:] for case in CUT], ids=[case[0] for case in CUT])
def test_without_member(record: bytes, cut: bytes | None) -> None:
    assert without_member([record], "a") == [cut]


@given(st.lists(st.sampled_from(CUT), min_size=1))
def test_without_member_of_many(cases: list[tuple[str, bytes, bytes | None]]) -> None:
    """Neighbours do not matter."""
    assert without_member([record for _, record, _ in cases], "a") == [cut for _, _, cut in cases]


_names = st.sampled_from(["a", "b", 'x"a', "a b", "한"])
_values = st.recursive(
    st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.just('"a":1,'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(_names, _values), _values, st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]))
def test_without_member_of_any_object(members: dict[str, Any], value: Any, separators: tuple[str, str]) -> None:
    record = json.dumps(members | {"a": value}, ensure_ascii=False, separators=separators).encode("utf-8", "replace")
    [cut] = without_member([record[:-1]], "a")
    if cut is not None:
        expected = json.loads(record)
        del expected["a"]
        assert json.loads(cut + b"}") == expected
